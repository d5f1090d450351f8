"""The ridge claims: simulators against scikit-learn and closed forms, seeds, wrong theories."""

from itertools import product

import numpy as np
import pytest
from scipy.special import erf
from sklearn.linear_model import Ridge

from widelimit.numerics import ridge as numerics
from widelimit.validate.claims import ridge as claims
from widelimit.validate.harness.backend import Backend
from widelimit.validate.harness.finding import load
from widelimit.validate.simulate import ridge as simulate
from widelimit.validate.simulate.ridge import real, regressions
from widelimit.validate.simulate.ridge.tridiagonal import solutions


@pytest.fixture(autouse=True)
def one_thread():
    """Matrices this small lose by sharing threads, as worker processes of a run know."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


CPU = Backend()
INPUTS = {"fraction": 0.25, "separation": 0.1, "share": 0.7, "noise": 0.2}
BY_ID = {claim.id: claim for claim in claims.CLAIMS}
NAMED = (
    "test-error", "training-error", "bias-variance", "multiple-descent", "alignment", "optimal-penalty",
    "negative-penalty", "penalty-jump", "hessian-gap", "power-law", "random-features", "digits", "from-data",
)  # fmt: skip


def test_every_claim_is_there_and_loads():
    assert set(BY_ID) == {f"ridge.{name}" for name in NAMED}
    assert {claim.id for claim in load(("ridge.*",))} == set(BY_ID)


@pytest.mark.parametrize(("P", "N"), [(40, 20), (20, 40)])
def test_fits_are_those_of_scikit_learn(P, N):
    population = simulate.Population.two_scales(INPUTS, P)
    penalties = [0.003, 0.2]
    X, e = simulate.draw(population, N, [11], CPU)
    x, y = X[0].numpy(), (X[0] @ population.tensors(CPU)[1]).numpy() + population.noise**0.5 * e[0].numpy()
    expected = []
    for penalty in penalties:
        model = Ridge(alpha=N * penalty, fit_intercept=False, solver="svd").fit(x, y)
        expected.append(population.s @ (model.coef_ - population.w) ** 2 + population.noise)
    got = simulate.test_errors(population, N, penalties, [11], CPU)[0]
    assert got == pytest.approx(expected, rel=1e-9)


def _missed(x, penalty, s, truth):
    """What a fit of scikit-learn's to labels without noise is off by, weighted by the inputs' deviations."""
    model = Ridge(alpha=len(x) * penalty, fit_intercept=False, solver="svd").fit(x, x @ truth)
    return (model.coef_ - truth) * np.sqrt(s)


@pytest.mark.parametrize(("P", "N"), [(4, 3), (3, 6)])
def test_designs_average_fits_of_scikit_learn_over_all_targets(P, N):
    population = simulate.Population(np.linspace(1.0, 0.2, P), np.linspace(0.5, 1.5, P), 0.3)
    (design,) = simulate.drawn_designs(population, N, [11], CPU)
    x = simulate.draw(population, N, [11], CPU)[0][0].numpy()
    penalties = [0.003, 0.2]
    errors, scores = (
        design.errors(penalties),
        simulate.mean_training_errors(population, N, penalties, [11], CPU)[0],
    )
    for k, penalty in enumerate(penalties):
        model = Ridge(alpha=N * penalty, fit_intercept=False, solver="svd")
        new = train = 0.0
        for signs in product((-1, 1), repeat=P):
            truth = population.w * signs
            new += (_missed(x, penalty, population.s, truth) ** 2).sum() / 2**P
            train += np.mean((x @ truth - model.fit(x, x @ truth).predict(x)) ** 2) / 2**P
        for e in 0.3**0.5 * np.eye(N):  # a mean over normal numbers is a sum over their axes
            new += population.s @ model.fit(x, e).coef_ ** 2
            train += np.mean((e - model.predict(x)) ** 2)
        assert errors[k] == pytest.approx(new + 0.3, rel=1e-9)
        assert scores[k] == pytest.approx(train, rel=1e-9)
        hat = x @ np.linalg.solve(x.T @ x + N * penalty * np.eye(P), x.T)  # from its definition
        assert scores[2 + k] == pytest.approx(train / (1 - np.trace(hat) / N) ** 2, rel=1e-9)


def test_designs_without_a_penalty_interpolate():
    population = simulate.Population.two_scales(INPUTS, 40)
    (design,) = simulate.drawn_designs(population, 20, [3], CPU)
    assert design.errors([0.0]) == pytest.approx(design.errors([1e-12]), rel=1e-8)
    assert design.training_errors([0.0]) == 0 and design.left([0.0]) == 0


def test_products_of_two_designs():
    population = simulate.Population(np.array([1.0, 0.5, 0.2]), np.array([0.7, 1.0, 1.5]), 0.0)
    one, two = simulate.drawn_designs(population, 2, [5], CPU, copies=2)
    x, y = (part.numpy() for part in simulate.draw(population, 2, [5], CPU, copies=2)[0])
    each = [
        _missed(x, 0.1, population.s, truth) @ _missed(y, 0.1, population.s, truth)
        for truth in (population.w * signs for signs in product((-1, 1), repeat=3))
    ]
    assert one.missed_by_both(two, 0.1) == pytest.approx(np.mean(each), rel=1e-9)


def test_designs_measure_what_single_targets_do_with_less_noise():
    population = simulate.Population.two_scales(INPUTS, 40)
    one = simulate.test_errors(population, 20, [0.05], range(1500), CPU)[:, 0]
    exact = simulate.mean_errors(population, 20, [0.05], range(5000, 5300), CPU)[:, 0]
    assert abs(one.mean() - exact.mean()) < 4 * (one.var() / len(one) + exact.var() / len(exact)) ** 0.5
    assert exact.var() < one.var() / 20


@pytest.mark.parametrize(("P", "N"), [(150, 101), (110, 200)])
def test_tridiagonal_weights_are_those_of_the_eigendecomposition(P, N):
    population = simulate.Population.two_scales(INPUTS, P)
    X, e = simulate.draw(population, N, [3, 4], CPU)
    import torch

    penalties = torch.tensor([-1e-3, 1e-3, 0.1, 10.0], dtype=torch.float64)
    expected = simulate.fits(X, e, penalties)[0]
    assert simulate.weights_of(X, e, penalties).numpy() == pytest.approx(
        expected.numpy(), rel=1e-7, abs=1e-10
    )


def test_a_penalty_that_reaches_an_eigenvalue_is_said_to():
    with pytest.raises(np.linalg.LinAlgError, match="reaches an eigenvalue"):
        solutions(np.diag([1.0, 2.0, 3.0]), np.ones(3), np.array([-1.5]))


def test_ordinary_least_squares_has_its_exact_mean():
    # sigma^2 (N - 1)/(N - P - 1) at finite N and P
    population = simulate.Population.two_scales(INPUTS, 20)
    errors = simulate.test_errors(population, 60, [0.0], range(2000), CPU)[:, 0]
    exact = 0.2 * 59 / 39
    assert abs(errors.mean() - exact) < 4 * errors.std() / 2000**0.5


def test_parts_are_unbiased_at_any_size():
    # their sum with the noise is the mean test error of the same size, also far from the limit
    population = simulate.Population.two_scales(INPUTS, 20)
    parts = simulate.parts(population, 10, 0.1, range(3000), CPU)
    errors = simulate.test_errors(population, 10, [0.1], range(10_000, 13_000), CPU)[:, 0]
    difference = parts.sum(1).mean() + 0.2 - errors.mean()
    assert abs(difference) < 4 * np.hypot(parts.sum(1).std(), errors.std()) / 3000**0.5


def test_feature_errors_against_a_test_set():
    population = simulate.Population(np.repeat([1.5, 0.5], 15), np.full(30, 0.2), 0.1)
    got = simulate.erf_features(population, 20, 25, [0.05], [3], CPU)[0, 0]
    import torch

    generator = CPU.generator(3)
    X, e = regressions._data(population, 20, generator, CPU)
    W = torch.randn(25, 30, generator=generator, dtype=torch.float64).numpy() / 30**0.5
    scale = (30 / 25) ** 0.5
    F = scale * erf(X.numpy() @ W.T)
    y = X.numpy() @ population.w + 0.1**0.5 * e.numpy()
    v = np.linalg.solve(F.T @ F + 20 * 0.05 * np.eye(25), F.T @ y)
    new = np.random.default_rng(0).standard_normal((200_000, 30)) * np.sqrt(population.s)
    squares = (new @ population.w - scale * erf(new @ W.T) @ v) ** 2
    assert got == pytest.approx(squares.mean() + 0.1, abs=5 * squares.std() / 200_000**0.5)


@pytest.mark.parametrize("name", NAMED)
def test_replicates_depend_on_their_own_seed_only(name):
    claim = BY_ID[f"ridge.{name}"]
    point = claim.plans["quick"].points[0]
    size = (*claim.plans["quick"].sizes, 0)[0]
    together = claim.simulate(point, size, [5, 6, 7], CPU)
    apart = np.concatenate([claim.simulate(point, size, [5], CPU), claim.simulate(point, size, [6, 7], CPU)])
    assert together.shape == (3, len(claim.rows(point)))
    assert together == pytest.approx(apart, rel=1e-8, abs=1e-10)
    assert claim.predict(point).shape == (len(claim.rows(point)),)
    assert np.isfinite(together).all()


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("preset", ["quick", "reference"])
def test_every_wrong_theory_applies_somewhere_and_differs(name, preset):
    claim = BY_ID[f"ridge.{name}"]
    points = claim.plans[preset].points
    assert all(claim.valid(point) for point in points)
    for wrong in claim.counterfactuals:
        if wrong.predict_at is not None:  # the limit is asked where it differs at the sizes of a plan
            continue
        applying = [point for point in points if wrong.applies(point)]
        assert applying, wrong.name
        for point in applying:
            assert np.abs(wrong.predict(point) - claim.predict(point)).max() > 0.01


@pytest.mark.parametrize("name", [name for name in NAMED if BY_ID[f"ridge.{name}"].predict_at is not None])
def test_predictions_at_a_size_tend_to_the_limit(name):
    claim = BY_ID[f"ridge.{name}"]
    for inputs in claim.plans["reference"].points:
        limit = claim.predict(inputs)
        scale = np.abs(limit) if claim.scale is None else claim.scale(limit)
        small, large = (np.abs(claim.predict_at(inputs, n) - limit) / scale for n in (320, 3200))
        assert (large < 0.5 * small + 1e-6).all() and (small < 0.15).all()


@pytest.mark.parametrize(
    "name", ["test-error", "training-error", "bias-variance", "multiple-descent", "penalty-jump"]
)
def test_means_at_a_size_are_predicted(name):
    # closer than the limit is, at a size where that is off
    claim = BY_ID[f"ridge.{name}"]
    inputs = claim.plans["reference"].points[-1 if name == "multiple-descent" else 0]
    found = claim.simulate(inputs, 40, range(1200), CPU)
    error = found.std(0) / len(found) ** 0.5
    at, limit = claim.predict_at(inputs, 40), claim.predict(inputs)
    assert (np.abs(found.mean(0) - at) < 4 * error + 0.1 * np.abs(at - limit)).all()
    assert (np.abs(found.mean(0) - limit) > 4 * error).any()


def test_best_penalties_at_a_size_are_predicted():
    claim = BY_ID["ridge.optimal-penalty"]
    inputs = claim.plans["quick"].points[0]
    found = claim.simulate(inputs, 80, range(400), CPU)
    error = found.std(0) / 20
    assert (np.abs(found.mean(0) - claim.predict_at(inputs, 80)) < 4 * error).all()
    assert (np.abs(found.mean(0) - claim.predict(inputs)) > 6 * error).any()


@pytest.mark.parametrize("point", [0, 1])  # an open gap, and a closed one
def test_eigenvalues_beside_a_gap_are_predicted_at_a_size(point):
    claim = BY_ID["ridge.hessian-gap"]
    inputs = claim.plans["quick"].points[point]
    found = claim.simulate(inputs, 160, range(300), CPU)
    error = found.std(0) / 300**0.5
    assert (
        np.abs(found.mean(0) - claim.predict_at(inputs, 160)) < 4 * error + 0.01
    ).all()  # N^(-4/3) is 0.001
    assert (np.abs(found.mean(0) - claim.predict(inputs)) > 0.01 + 4 * error).any()


@pytest.mark.parametrize("name", NAMED)
def test_points_lie_in_their_domains(name):
    claim = BY_ID[f"ridge.{name}"]
    for plan in claim.plans.values():
        for point in plan.points:
            assert set(point) == set(claim.domain)


def test_pool_errors_against_scikit_learn():
    X, y = real.digits("parity")
    import torch

    rows = torch.randint(len(y), (80,), generator=CPU.generator(2)).numpy()
    model = Ridge(alpha=80 * 3.0, fit_intercept=False, solver="svd").fit(X[rows], y[rows])
    got = real.pool_errors(X, y, 80, [3.0], [2], CPU)[0, 0]
    assert got == pytest.approx(np.mean((y - model.predict(X)) ** 2), rel=1e-9)


def test_theory_meets_simulation_where_it_is_cheap():
    # three standard errors and 2/N, at a point of no preset
    point = {"fraction": 0.5, "separation": 0.3, "share": 0.6, "noise": 0.25}
    population = simulate.Population.two_scales(point, 120)
    errors = simulate.test_errors(population, 90, [0.05], range(200), CPU)[:, 0]
    theory = numerics.solve(
        [1, 0.3], signal=[0.6, 0.4], noise=0.25, sample_ratio=0.75, penalty=0.05
    ).test_error
    assert abs(errors.mean() - theory) < 3 * errors.std() / 200**0.5 + 2 * theory / 90


def test_a_wrong_theory_without_an_answer_does_not_apply():
    # the best penalty -0.026 of this target lies below the edge of the isotropic theory, -0.0246
    claim = BY_ID["ridge.negative-penalty"]
    isotropic = next(wrong for wrong in claim.counterfactuals if wrong.name == "isotropic")
    point = {"fraction": 0.1, "separation": 0.05, "share": 1.0, "noise": 0.0, "sample_ratio": 0.5}
    assert isotropic.applies(claim.plans["quick"].points[0])
    for separation in np.linspace(0.03, 0.3, 28):
        isotropic.applies(point | {"separation": float(separation)})  # an answer, whatever it is
