"""Kernels, Fisher matrices, Jacobians and Hessians of small modules against autograd's own, and against the limit."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from widelimit.theory.errors import ArgumentError
from widelimit.validate import spectra


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


def test_modules_that_theory_does_not_know_have_no_limit():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(5, 3)

        def forward(self, x):
            return torch.sin(self.inner(x))

    found = spectra.compare(Own(), inputs())
    assert found.limit_eigenvalues is None
    assert found.note
    assert np.isnan(found.distance)


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
