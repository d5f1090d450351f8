"""What users hand over: activations to be penalised, modules to be measured; and claims that notice a wrong theory."""

import numpy as np
import pytest
import torch

from widelimit.numerics import representation as numerics
from widelimit.theory.errors import ArgumentError, DataWarning
from widelimit.validate import representation
from widelimit.validate.claims.representation import CLAIMS, GALLERY
from widelimit.validate.harness.backend import Backend
from widelimit.validate.simulate.representation import codes, digits, functions


def exactly(spectrum, samples=600, seed=0):
    """Activations whose covariance over the batch has exactly these eigenvalues."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((samples, len(spectrum)))
    x = np.linalg.qr(x - x.mean(axis=0))[0] * np.sqrt(samples)
    return torch.tensor(x * np.sqrt(spectrum) @ np.linalg.qr(rng.standard_normal((len(spectrum),) * 2))[0])


@pytest.mark.parametrize("exponent, expected", [(0.5, 6.2922085), (1.5, 0.3879053)])
def test_the_loss_is_the_penalty(exponent, expected):
    x = exactly(np.arange(1, 201.0) ** -exponent)
    assert float(representation.regulariser(x)) == pytest.approx(expected, abs=1e-7)
    assert float(representation.regulariser(x, strength=3.0)) == pytest.approx(3 * expected, abs=3e-7)
    spectrum = np.linalg.eigvalsh(np.cov(x.T.numpy(), bias=True))[::-1]
    same = numerics.spectral_penalty(spectrum, anchor=5, exponent=1.3)
    assert float(representation.regulariser(x, anchor=5, exponent=1.3)) == pytest.approx(same)


def test_its_slope_is_that_of_differences_with_the_anchor_held():
    spectrum = np.arange(1, 13.0) ** -0.7
    x = exactly(spectrum, samples=40).requires_grad_()
    representation.regulariser(x, anchor=4).backward()

    def held(values):  # gamma_n from the eigenvalue that the anchor had
        n = np.arange(5, 13)
        r = values[4:] / (spectrum[3] * 4 / n)
        return np.sum((r - 1) ** 2 + np.maximum(0, r - 1)) / 12

    move = torch.randn(x.shape, generator=torch.Generator().manual_seed(0), dtype=x.dtype)
    step = 1e-6
    ends = [
        held(np.linalg.eigvalsh(np.cov((x.detach() + sign * step * move).T.numpy(), bias=True))[::-1])
        for sign in (1, -1)
    ]
    assert float((x.grad * move).sum()) == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-5)


def test_it_trains_a_layer_to_a_wanted_exponent():
    x = torch.randn(300, 40, generator=torch.Generator().manual_seed(0))
    layer = torch.nn.Linear(40, 30)
    optimiser = torch.optim.Adam(layer.parameters(), lr=0.01)
    for _ in range(150):
        optimiser.zero_grad()
        representation.regulariser(layer(x), anchor=3, exponent=1.0).backward()
        optimiser.step()
    values = np.linalg.eigvalsh(np.cov(layer(x).detach().numpy().T))[::-1]
    # 150 steps leave 4 %
    assert numerics.fit_exponent(values, first=3, last=30).exponent == pytest.approx(1.0, abs=0.06)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda f: f([[1.0]]), "`activations` must be a tensor of floats, but is 'list'"),
        (lambda f: f(torch.zeros(5, 20, dtype=torch.int64)), "must be a tensor of floats"),
        (lambda f: f(torch.randn(2, 20)), "must be three samples or more x units"),
        (lambda f: f(torch.randn(50, 11)), "`anchor` must be below the number of units, 11"),
        (lambda f: f(torch.zeros(50, 20)), "must have variance at the anchor"),
        (lambda f: f(torch.randn(50, 20) * float("nan")), "must be finite"),
        (lambda f: f(torch.randn(50, 20), exponent=-1.0), "`exponent` must not be negative"),
        (lambda f: f(torch.randn(50, 20), strength=-1.0), "`strength` must not be negative"),
        (lambda f: f(torch.randn(50, 20), anchor=0), "`anchor` must be an integer of at least 1"),
    ],
)
def test_what_the_loss_refuses(make, message):
    with pytest.raises(ArgumentError) as caught:
        make(representation.regulariser)
    assert message in str(caught.value)


class Code(torch.nn.Module):
    """Units of a known spectrum under white noise, some of them silent."""

    def __init__(self, noise, silent=0):
        super().__init__()
        torch.manual_seed(0)
        basis = torch.linalg.qr(torch.randn(120, 120, dtype=torch.float64))[0]
        self.spread = torch.nn.Linear(120, 120, bias=False, dtype=torch.float64)
        self.spread.weight.data = basis @ torch.diag(torch.arange(1, 121.0, dtype=torch.float64) ** -0.6)
        self.noise, self.silent, self.out = noise, silent, torch.nn.Identity()

    def forward(self, x):
        y = self.spread(x)
        y = y + self.noise * torch.randn_like(y)
        y[:, : self.silent] = 0
        return self.out(y)


def test_a_module_and_a_layer_of_it():
    x = torch.randn(160, 120, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    options = {"first_rank": 4, "last_rank": 50, "draws": 10}
    found = representation.from_module(Code(0.1), x, **options)
    assert found.interval[0] < 1.2 < found.interval[1] and found.noise == pytest.approx(0.01, rel=0.05)
    clean = representation.from_module(Code(0.1), x, layer="spread", **options)
    assert clean.noise == 0.0 and clean.interval[0] < 1.2 < clean.interval[1]
    with pytest.warns(DataWarning, match="7 of 120 units do not respond"):
        assert representation.from_module(Code(0.1, silent=7), x, **options).units == 113
    one, other = representation.passes(Code(0.1), x, again=x + 1.0)
    assert one.shape == other.shape == (160, 120) and (one != other).all()


@pytest.mark.parametrize(
    "module, inputs, options, message",
    [
        ("net", torch.zeros(5, 3), {}, "`module` must be a torch.nn.Module"),
        (torch.nn.Linear(3, 2), [1.0], {}, "`inputs` must be a tensor of stimuli"),
        (torch.nn.Linear(3, 2), torch.zeros(5, 4), {}, "`inputs` must be what the module takes"),
        (torch.nn.Linear(3, 2), torch.zeros(5, 3), {"layer": "x"}, "`layer` must name a layer of the module"),
        (
            torch.nn.Linear(3, 2),
            torch.zeros(5, 3),
            {"again": torch.zeros(4, 3)},
            "must have the shape of `inputs`",
        ),
        (torch.nn.LSTM(3, 2), torch.zeros(5, 3), {}, "must give a tensor of floats"),
        (torch.nn.Linear(3, 2), torch.full((5, 3), float("inf")), {}, "must give finite outputs"),
    ],
)
def test_what_is_refused(module, inputs, options, message):
    with pytest.raises(ArgumentError) as caught:
        representation.from_module(module, inputs, **options)
    assert message in str(caught.value)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_wrong_theories_differ_from_the_right_one(claim):
    preset = "quick" if "quick" in claim.plans else "reference"
    for point in claim.plans[preset].points:
        right = np.asarray(claim.predict(point))
        assert np.isfinite(right).all() and len(claim.rows(point)) == right.size and claim.valid(point)
        for one in claim.counterfactuals:
            if one.applies(point):
                assert (
                    np.abs(np.asarray(one.predict(point)) - right).max()
                    > claim.margin * np.abs(right).max() / 10
                )


def test_simulations_repeat_and_have_the_rows_that_are_predicted():
    for claim in CLAIMS[:-1]:  # digits take seconds
        plan = claim.plans["quick"]
        size = plan.sizes[0] if plan.sizes else 0
        one, again = (claim.simulate(plan.points[0], size, [3], Backend()) for _ in range(2))
        assert (
            one.shape == (1, len(claim.rows(plan.points[0])))
            and (one == again).all()
            and np.isfinite(one).all()
        )


def test_spectra_of_simulated_codes():
    spectrum = codes.power_law(8, 1.0, Backend())
    assert spectrum.tolist() == [8 / n for n in range(1, 9)]
    one, other = codes.repeats(spectrum, 0.0, 30000, 0, Backend())
    assert (one == other).all()
    assert (one**2).mean(dim=0).numpy() == pytest.approx(spectrum.numpy(), rel=0.05)
    assert [functions._harmonics(k, 3) for k in range(4)] == [1, 3, 5, 7]


def test_digits_learn_and_are_attacked():
    network = digits.trained(0, None, 40)
    assert digits.attacked_accuracy(network, 0.0) > 0.9
    assert digits.attacked_accuracy(network, digits.half_size(network)) == pytest.approx(0.5, abs=0.01)


def test_figures_draw():
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    (figure,) = (one for one in GALLERY if one.name == "spectra")
    axes = Figure().subplots()
    figure.draw(figure.compute("quick"), axes)
    assert len(axes.lines) == 5
