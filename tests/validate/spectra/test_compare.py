"""Kernels, Fisher matrices, Jacobians and Hessians of small modules against autograd's own, and against the limit."""

import copy
import math
import pickle
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from widelimit.numerics.spectra.stacks import DenseStage, jacobian_law, mean_curvature
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.errors import ArgumentError, ConvergenceError
from widelimit.validate import spectra
from widelimit.validate.spectra.limits import jacobian_limit, moments_of


def net(width=12, outputs=2, seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(5, width), nn.Tanh(), nn.Linear(width, outputs))


def inputs(count=4):
    return torch.tensor(np.random.default_rng(0).standard_normal((count, 5)))


def gradients(module, x):
    """df/dw, a row an input and output, a column a parameter; and which array each parameter is of."""
    model = copy.deepcopy(module).double()
    rows = []
    for one in x:
        for value in model(one[None])[0]:
            found = torch.autograd.grad(value, list(model.parameters()), retain_graph=True)
            rows.append(torch.cat([g.reshape(-1) for g in found]))
    which = [k for k, p in enumerate(model.parameters()) for _ in range(p.numel())]
    return torch.stack(rows).numpy(), np.array(which), [p.detach() for p in model.parameters()]


def test_tangent_kernel_in_units_of_the_weights():
    module, x = net(), inputs()
    rows, which, parameters = gradients(module, x)
    scale = np.array([float((p**2).mean()) for p in parameters])[which]
    gram = (rows * scale) @ rows.T
    kernel = sum(gram[o::2, o::2] for o in range(2)) / 2
    found = spectra.compare(module, x)
    assert found.eigenvalues == pytest.approx(np.linalg.eigvalsh(kernel)[::-1], rel=1e-9)
    assert found.mean == pytest.approx(np.trace(kernel) / 4, rel=1e-10)


def test_wide_networks_are_near_the_limit():
    torch.manual_seed(0)
    wide = nn.Sequential(nn.Linear(5, 800), nn.ReLU(), nn.Linear(800, 1))
    found = spectra.compare(wide, inputs(6))
    assert found.note == ""
    assert found.distance < 0.2
    assert found.limit_mean == pytest.approx(found.mean, rel=0.2)
    assert found.limit_eigenvalues.shape == (6,)


def test_fisher_matrix():
    module, x = net(), inputs()
    rows, _, _ = gradients(module, x)
    found = spectra.compare(module, x, "fisher")
    whole = np.linalg.eigvalsh(rows.T @ rows / 4)[::-1]
    assert found.eigenvalues == pytest.approx(whole[:8], rel=1e-8)
    assert found.mean == pytest.approx(whole.mean(), rel=1e-9)


def test_jacobian():
    module, x = net(), inputs()
    found = spectra.compare(module, x, what="jacobian")
    model = copy.deepcopy(module).double()
    own = [
        np.linalg.svd(torch.autograd.functional.jacobian(model, one).numpy(), compute_uv=False) ** 2
        for one in x
    ]
    assert found.eigenvalues == pytest.approx(np.sort(np.ravel(own))[::-1], rel=1e-9)


def test_hessian_by_lanczos():
    module, x = net(4, 1), inputs()
    found = spectra.compare(module, x, "hessian")
    model = copy.deepcopy(module).double()
    names = [name for name, _ in model.named_parameters()]
    shapes = [p.shape for p in model.parameters()]

    def loss(flat):
        parts = torch.split(flat, [s.numel() for s in shapes])
        given = {n: p.reshape(s) for n, p, s in zip(names, parts, shapes, strict=True)}
        return (torch.func.functional_call(model, given, (x,)) ** 2).sum() / (2 * len(x))

    flat = torch.cat([p.detach().reshape(-1) for p in model.parameters()])
    values = np.linalg.eigvalsh(torch.autograd.functional.hessian(loss, flat).numpy())[::-1]
    assert found.largest == pytest.approx(values[0], rel=1e-6)
    assert abs(found.mean - values.mean()) < 4 * found.mean_error
    assert found.weights.sum() == pytest.approx(1.0, rel=1e-9)


class Own(nn.Module):
    """A forward of its own, of which theory knows each operation unless it sorts."""

    def __init__(self, sorts=False):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.last = nn.Linear(5, 60), nn.Linear(60, 8)
        self.sorts = sorts

    def forward(self, x):
        x = torch.tanh(self.first(x))
        return self.last(x.sort(-1).values if self.sorts else x)


def test_modules_that_theory_does_not_know_have_no_limit():
    for what in ("ntk", "fisher", "jacobian", "hessian"):
        found = spectra.compare(Own(sorts=True), inputs(), what)
        assert found.limit_eigenvalues is None
        assert "sort" in found.note
        assert np.isnan(found.distance)
        assert np.isnan(found.limit_mean)


def test_forwards_of_their_own_are_those_of_the_same_layers_in_a_row():
    module = Own()
    row = nn.Sequential(module.first, nn.Tanh(), module.last)
    for what in ("jacobian", "hessian"):
        one, two = (spectra.compare(each, inputs(), what) for each in (module, row))
        assert one.limit_mean == pytest.approx(two.limit_mean, rel=1e-9)
        assert one.note == two.note


def test_the_module_stays_as_it_is():
    module = net()
    before = copy.deepcopy(module.state_dict())
    state = torch.get_rng_state()
    spectra.compare(module, inputs(), "hessian")
    assert all((before[name] == value).all() for name, value in module.state_dict().items())
    assert module[0].weight.dtype == torch.float32
    assert module.training
    assert (torch.get_rng_state() == state).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((None, np.ones((2, 5))), "`module` must be a torch module"),
        ((nn.ReLU(), np.ones((2, 5))), "parameters"),
        ((net(), np.ones((2, 4))), "`x` must be inputs that the module takes"),
        ((net(), np.ones(5)), "one input a row"),
        ((net(), np.full((2, 5), np.nan)), "`x`"),
        ((net(), "x"), "`x`"),
        ((net(), np.ones((2, 5)), "kernel"), "`what` must be one of"),
        ((net(), np.ones((2001, 5))), "at most 4000 outputs"),
    ],
)
def test_bad_input_is_refused_by_name(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        spectra.compare(*arguments)


# limits of Jacobians and Hessians ---------------------------------------------------------------------------------


def linear(widths, seed=0, sigma=1.0):
    torch.manual_seed(seed)
    layers = [nn.Linear(a, b, bias=False) for a, b in pairwise(widths)]
    for layer in layers:
        nn.init.normal_(layer.weight, std=sigma / layer.in_features**0.5)
    return nn.Sequential(*layers)


def test_the_limit_of_a_linear_network_is_fuss_catalan():
    # moments of J'J, J a product of L square Gaussian matrices: binomial(k (L + 1), k)/(k L + 1)
    found = spectra.compare(linear([120] * 4), torch.ones(1, 120), "jacobian")
    scale = found.limit_mean
    assert scale == pytest.approx(1.0, abs=0.1)  # the scales are read off the weights
    fine = jacobian_limit([DenseStage(1.0, 0.0, 4000, 4000) for _ in range(3)], np.ones(1), 4000)[0]
    assert fine.mean() == pytest.approx(1.0, rel=0.01)  # 4,000 quantiles in place of the law
    assert (fine**2).mean() == pytest.approx(math.comb(8, 2) / 7, rel=0.03)
    law = jacobian_law([DenseStage(1.0, 0.0, 9, 9) for _ in range(3)], 1.0)
    for k in (1, 2, 3, 4):
        assert law.moment(k) == pytest.approx(math.comb(4 * k, k) / (3 * k + 1), rel=1e-8)
    assert found.note == ""
    assert found.largest == pytest.approx(found.limit_largest, rel=0.25)
    assert found.distance < 0.15


def test_the_limit_of_one_matrix_is_marchenko_pastur():
    law = jacobian_law([DenseStage(1.5, 0.3, 100, 50)], 2.0)
    c = 0.5  # of 50 rows of 100 entries of variance 2.25/100: 50 eigenvalues in 2.25 (1 +- sqrt c)^2
    assert law.atoms == ((0.0, pytest.approx(0.5, abs=1e-12)),)
    assert law.support[0] == pytest.approx(
        (2.25 * (1 - math.sqrt(c)) ** 2, 2.25 * (1 + math.sqrt(c)) ** 2), rel=1e-8
    )


def monte_carlo(stages, x, draws, seed=0):
    """Squared singular values of Jacobians of networks that are drawn, by products of matrices; a row a draw."""
    random = np.random.default_rng(seed)
    found = []
    for _ in range(draws):
        h, jacobian = x, np.eye(x.size)
        for sigma_w, sigma_b, width, phi, slope in stages:
            w = random.standard_normal((width, h.size)) * sigma_w / math.sqrt(h.size)
            u = w @ h + sigma_b * random.standard_normal(width)
            h, jacobian = phi(u), slope(u)[:, None] * (w @ jacobian)
        found.append(np.linalg.svd(jacobian, compute_uv=False) ** 2)
    return np.array(found)


TANH = (np.tanh, lambda u: 1 - np.tanh(u) ** 2)
RELU = (lambda u: np.maximum(u, 0), lambda u: (u > 0) * 1.0)
PLAIN = (lambda u: u, np.ones_like)


def test_the_limit_of_layers_that_differ_against_drawn_networks():
    x = np.random.default_rng(1).standard_normal(60) * 1.3
    drawn = [(1.4, 0.2, 120, *TANH), (1.1, 0.1, 90, *RELU), (0.9, 0.3, 30, *PLAIN)]
    values = monte_carlo(drawn, x, 40)
    kinds = ("tanh", "relu", None)
    widths = (60, 120, 90, 30)
    stages = [
        DenseStage(one[0], one[1], a, b, None if kind is None else Activation.of(kind))
        for one, kind, a, b in zip(drawn, kinds, widths, widths[1:], strict=False)
    ]
    moment = float((x**2).mean())
    law = jacobian_law(stages, moment)
    for k in (1, 2, 3):
        each = (values**k).sum(1) / 60  # normalised by the input's width, zeros included
        error = each.std(ddof=1) / math.sqrt(len(each))
        assert abs(each.mean() - law.moment(k)) < 4 * error + 0.02 * k * law.moment(k)  # and of order 1/N
        assert abs(each.mean() - law.moment(k) * 1.2**k) > 5 * error  # sigma_w 10 per cent larger
    values_limit, mean, _ = jacobian_limit(stages, np.array([moment]), 30)
    ordered = np.sort(values, 1)[:, ::-1].mean(0)  # means of order statistics are near quantiles, not on them
    assert np.abs(values_limit - ordered).mean() < 0.03 * mean
    assert mean == pytest.approx(values.mean(), rel=0.05)


def test_inputs_of_other_lengths_have_laws_of_their_own():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(30, 60), nn.Tanh(), nn.Linear(60, 30))
    nn.init.normal_(module[0].weight, std=1 / 30**0.5)
    x = torch.randn(4, 30, dtype=torch.float64)
    x = x / x.pow(2).mean(1, keepdim=True).sqrt()
    short, long, both = (
        spectra.compare(module, one, "jacobian")
        for one in (0.1 * x[:2], 4 * x[2:], torch.cat([0.1 * x[:2], 4 * x[2:]]))
    )
    assert short.limit_mean > 2 * long.limit_mean  # tanh saturates
    assert short.mean == pytest.approx(short.limit_mean, rel=0.15)
    assert long.mean == pytest.approx(long.limit_mean, rel=0.25)
    together = np.sort(np.concatenate([short.limit_eigenvalues, long.limit_eigenvalues]))[::-1]
    assert both.limit_eigenvalues == pytest.approx(together, rel=1e-6)


def test_the_law_of_a_comparison_is_that_of_its_eigenvalues():
    """Marchenko and Pastur's law, of outputs fewer than inputs, and a mixture of two of tanh's."""
    torch.manual_seed(0)
    found = spectra.compare(linear([200, 50]), torch.ones(1, 200), "jacobian")
    sigma = found.limit_mean
    low, high = (sigma * (1 + sign * 0.5) ** 2 for sign in (-1, 1))  # W W'/200 of 50 rows: ratio 1/4
    assert found.law.edges == pytest.approx((low, high), rel=1e-6) and found.law.atoms == ()
    x = np.linspace(low, high, 9)[1:-1]
    expected = np.sqrt((high - x) * (x - low)) / (2 * math.pi * 0.25 * sigma * x)
    assert found.law.density(x) == pytest.approx(expected, rel=1e-6)
    assert found.law.cdf([-1.0, low / 2, high * 1.01]) == pytest.approx([0, 0, 1], abs=1e-9)
    assert found.law.mean == pytest.approx(found.limit_mean, rel=1e-12)
    assert pickle.loads(pickle.dumps(found)) == found
    axes = found.law.plot()
    assert len(axes.lines) == 1
    module = nn.Sequential(nn.Linear(30, 30), nn.Tanh(), nn.Linear(30, 30))
    x = torch.cat([torch.full((3, 30), 0.1), torch.full((1, 30), 4.0)]).double()
    both = spectra.compare(module, x, "jacobian").law
    small, large = (spectra.compare(module, part, "jacobian").law for part in (x[:1], x[3:]))
    at = np.array([0.05, 0.3, 1.0])
    assert both.density(at) == pytest.approx(0.75 * small.density(at) + 0.25 * large.density(at), rel=1e-6)
    assert spectra.compare(module, x, "ntk").law is None


@pytest.mark.parametrize("narrow, said", [(501, "has a mass of 0.001 alone"), (50001, "1e-05 alone")])
def test_atoms_that_have_just_appeared_are_named_where_they_are_not_resolved(narrow, said):
    """Two projections, of shares just above and of a half: the rest of both meets in an atom at the top."""
    size = 1000 if narrow < 1000 else 100_000
    stages = [
        DenseStage(1.0, 0.0, one, two, None, True)
        for one, two in ((size, narrow), (narrow, size), (size, size // 2))
    ]
    place = size / narrow
    try:
        law = jacobian_law(stages, 1.0)
    except ConvergenceError as error:
        assert said in str(error) and f"at {place:.6g}" in str(error)
    else:
        assert law.atoms[-1] == pytest.approx((place, narrow / size - 0.5), rel=1e-6)


def test_inputs_in_groups():
    x = torch.tensor(np.linspace(0.5, 1.5, 40)[:, None] * np.ones((40, 3)))
    kept = moments_of(x)
    assert np.unique(kept).size == 16
    assert kept.mean() == pytest.approx(float((x**2).mean()), rel=1e-12)
    assert kept == pytest.approx((x**2).mean(1).numpy(), rel=0.15)


def test_orthogonal_layers_have_another_law():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(160, 160), nn.Tanh(), nn.Linear(160, 160))
    for k in (0, 2):
        nn.init.orthogonal_(module[k].weight, gain=1.5)
        nn.init.zeros_(module[k].bias)
    x = torch.tensor(np.random.default_rng(0).standard_normal((3, 160)))
    found = spectra.compare(module, x, "jacobian")
    assert found.note == ""
    assert found.limit_largest == pytest.approx(
        1.5**4, rel=1e-6
    )  # slopes of tanh are at most 1; the law's own error
    assert found.largest == pytest.approx(found.limit_largest, rel=0.01)
    # singular values are 160 independent slopes here: a mean distance of order .5/sqrt(160)
    assert found.distance < 0.08
    gaussian = [DenseStage(1.5, 0.0, 160, 160, phi) for phi in (Activation.of("tanh"), None)]
    wrong, _, _ = jacobian_limit(gaussian, moments_of(x), 160)
    assert np.abs(found.eigenvalues - wrong).mean() > 0.3 * found.limit_mean


def test_the_mean_of_hessians_is_exact_for_one_hidden_layer():
    """At any width, by full Hessians of networks with Gaussian weights; the Gauss-Newton part is not it."""
    draws, width, outputs = 400, 5, 2
    random = torch.Generator().manual_seed(0)
    x = torch.tensor(np.random.default_rng(0).standard_normal((3, 4)))
    sizes = [(width, 4), (width,), (outputs, width), (outputs,)]
    scales = [1.5 / 2.0, 0.5, 1.2 / width**0.5, 0.4]

    def loss(flat):
        parts = [p.reshape(s) for p, s in zip(flat.split([math.prod(s) for s in sizes]), sizes, strict=True)]
        return ((torch.tanh(x @ parts[0].T + parts[1]) @ parts[2].T + parts[3]) ** 2).sum() / (2 * len(x))

    def draw(n, scale):
        return scale * torch.randn(draws, math.prod(n), generator=random, dtype=torch.float64)

    drawn = torch.cat([draw(n, scale) for n, scale in zip(sizes, scales, strict=True)], 1)
    each = torch.vmap(lambda one: torch.func.jacrev(torch.func.grad(loss))(one).diagonal().mean())(
        drawn
    ).numpy()
    stages = [DenseStage(1.5, 0.5, 4, width, Activation.of("tanh")), DenseStage(1.2, 0.4, width, outputs)]
    moments = (x**2).mean(1).tolist()
    error = each.std(ddof=1) / math.sqrt(draws)
    assert abs(each.mean() - mean_curvature(stages, moments)) < 3.5 * error
    assert abs(each.mean() - mean_curvature(stages, moments, residuals=False)) > 5 * error


def test_hessians_do_not_see_kinks():
    # hard tanh: dV/dq has delta functions at the kinks, the Hessian of a program has not; there it is Gauss-Newton
    stages = [DenseStage(1.5, 0.5, 4, 9, Activation.of("hard_tanh")), DenseStage(1.2, 0.4, 9, 2)]
    whole, part = (mean_curvature(stages, [1.0], residuals=one) for one in (True, False))
    assert whole == pytest.approx(part, rel=1e-12)


def test_the_mean_of_hessian_and_fisher_beside_a_module():
    torch.manual_seed(3)
    module = nn.Sequential(nn.Linear(10, 60), nn.Tanh(), nn.Linear(60, 3))
    found = spectra.compare(
        module, torch.tensor(np.random.default_rng(0).standard_normal((4, 10))), "hessian"
    )
    assert found.limit_eigenvalues is None
    assert "mean eigenvalue alone" in found.note
    assert found.mean == pytest.approx(found.limit_mean, rel=0.5)
    fisher = spectra.compare(
        module, torch.tensor(np.random.default_rng(0).standard_normal((4, 10))), "fisher"
    )
    assert fisher.mean == pytest.approx(fisher.limit_mean, rel=0.3)
    assert fisher.note == ""


@pytest.mark.parametrize(
    ("module", "shape", "message"),
    [
        (nn.Sequential(nn.Conv2d(2, 40, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(640, 20)), (2, 2, 4, 4),
         "Convolution"),
        (nn.Sequential(nn.Tanh(), nn.Linear(20, 40)), (2, 20), "activation behind the inputs"),
        (nn.Sequential(nn.Linear(20, 40), nn.LayerNorm(40), nn.Linear(40, 5)), (2, 20), "LayerNorm"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("what", ["jacobian", "hessian"])
def test_what_has_no_law_says_so_by_name(module, shape, message, what):
    found = spectra.compare(module, torch.ones(shape), what)
    assert message in found.note
    assert found.limit_eigenvalues is None
    assert np.isnan(found.limit_mean)


def test_dropout_is_off_in_the_limit_too():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(20, 60), nn.ReLU(), nn.Dropout(0.5), nn.Linear(60, 20))
    found = spectra.compare(module, torch.ones(1, 20), "jacobian")
    assert found.note == ""
    assert found.mean == pytest.approx(found.limit_mean, rel=0.4)


@pytest.mark.parametrize("what", ["jacobian", "hessian", "ntk", "fisher"])
def test_a_module_that_is_one_layer(what):
    module, x = nn.Linear(4, 3), torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    alone, inside = (spectra.compare(one, x, what) for one in (module, nn.Sequential(module)))
    np.testing.assert_allclose(alone.eigenvalues, inside.eigenvalues)
    assert alone.limit_mean == inside.limit_mean or np.isnan([alone.limit_mean, inside.limit_mean]).all()
