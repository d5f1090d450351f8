"""Entropy production and bounds against all paths of chains, sampled walks and worked values."""

import itertools
import math
import time

import mpmath as mp
import numpy as np
import pytest
from scipy.linalg import expm, solve_discrete_lyapunov

from widelimit.numerics import walkback
from widelimit.numerics.walkback import annealing
from widelimit.theory.errors import ArgumentError, DomainError

A, D = np.array([[0.6, 0.3], [-0.2, 0.5]]), np.array([[1.0, 0.3], [0.3, 0.5]])


def turn(size, angle):
    return size * np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])


def test_worked_values():
    assert walkback.entropy_production(turn(0.8, 0.6), np.eye(2)) == pytest.approx(2.2671724285, rel=1e-10)
    assert walkback.entropy_production(A, D) == pytest.approx(0.5503048780, rel=1e-9)
    sigma = solve_discrete_lyapunov(A, D)
    found = walkback.bound(A, D, data=sigma, prior=sigma, temperatures=[1] * 4)
    assert found.bound == pytest.approx(-5.1270019565, rel=1e-10)
    assert found.gap == pytest.approx(4 * 0.5503048780, rel=1e-9)
    circulant = [[0.6, 0.3, 0.1], [0.1, 0.6, 0.3], [0.3, 0.1, 0.6]]
    assert walkback.chain(circulant).entropy_production == pytest.approx(0.2 * math.log(3), rel=1e-13)
    costs = walkback.annealing_cost([0.8, 0.5], factor=[1.3, 1.5])
    assert costs == pytest.approx([0.0493639504156, 0.0527325540541], rel=1e-12)


@pytest.mark.parametrize("a", [1e-12, 1e-3, 0.8, 1 - 1e-9])
@pytest.mark.parametrize("excess", [1e-12, 1e-5, 0.03, 0.06, 1e6, 1e30])
def test_annealing_keeps_its_digits(a, excess):
    """Differences of nearly equal numbers once made the cost of annealing by 1 + 1e-12 negative."""
    with mp.workdps(60):
        factor = 1 + mp.mpf(excess)
        r, squared = mp.mpf(float(factor)), mp.mpf(a) ** 2
        ratio = (1 - squared) / (1 - squared / r)
        exact = [(mp.log(r) - ratio * (1 - 1 / r)) / 2, (ratio - 1 - mp.log(ratio)) / 2]
    costs = walkback.annealing_cost(a, factor=float(factor)), annealing.end_cost(a, factor=float(factor))
    assert costs == pytest.approx([float(one) for one in exact], rel=1e-9, abs=0)


@pytest.mark.parametrize("reversible", [True, False])
def test_bound_of_a_chain_by_all_its_paths(reversible):
    rng = np.random.default_rng(1)
    weights = rng.random((4, 4)) + 0.1
    weights = weights + weights.T if reversible else weights
    t = weights / weights.sum(1, keepdims=True)
    data = rng.dirichlet(np.ones(4))
    found = walkback.chain(t, data=data, steps=3)
    law = found.stationary
    assert law @ t == pytest.approx(law, rel=1e-13)
    total = 0.0
    for path in itertools.product(range(4), repeat=4):
        ahead = data[path[0]] * math.prod(t[i, j] for i, j in itertools.pairwise(path))
        ratio = sum(math.log(t[j, i] / t[i, j]) for i, j in itertools.pairwise(path))
        total += ahead * (math.log(law[path[-1]]) + ratio)
    assert found.bound == pytest.approx(total, rel=1e-12)
    assert (found.gap < 1e-12) == reversible
    again = walkback.chain(t, steps=3)
    assert again.gap == pytest.approx(3 * again.entropy_production, rel=1e-12, abs=1e-14)


def test_bound_with_a_schedule_by_sampling():
    rng = np.random.default_rng(0)
    data, prior, heats = np.array([[1.0, 0.2], [0.2, 0.5]]), 3 * np.eye(2), [1.0, 1.5, 2.2]
    found = walkback.bound(A, D, data=data, prior=prior, temperatures=heats)

    def density(x, covariance):
        square = np.einsum("ni,ij,nj->n", x, np.linalg.inv(covariance), x)
        return -(square + math.log(np.linalg.det(2 * math.pi * covariance))) / 2

    s = rng.standard_normal((200_000, 2)) @ np.linalg.cholesky(data).T
    total, likelihood = np.zeros(len(s)), 0.0
    for heat in heats:
        after = s @ A.T + math.sqrt(heat) * rng.standard_normal(s.shape) @ np.linalg.cholesky(D).T
        total += density(s - after @ A.T, heat * D) - density(after - s @ A.T, heat * D)
        s = after
    total += density(s, prior)
    assert abs(total.mean() - found.bound) < 4 * total.std() / math.sqrt(len(s))
    model = prior
    for heat in heats[::-1]:
        model = A @ model @ A.T + heat * D
    likelihood = -(np.trace(np.linalg.solve(model, data)) + math.log(np.linalg.det(2 * math.pi * model))) / 2
    assert found.log_likelihood == pytest.approx(likelihood, rel=1e-12)
    assert found.gap > 0 and found.terms.sum() + found.end == pytest.approx(found.bound, rel=1e-14)


def test_reversible_operators_have_none_and_stacks_are_fast():
    rng = np.random.default_rng(2)
    half = rng.standard_normal((3, 3))
    d = half @ half.T + np.eye(3)
    symmetric = rng.standard_normal((3, 3))
    a = 0.1 * (symmetric + symmetric.T) @ np.linalg.inv(d)  # A D = D A'
    assert abs(walkback.entropy_production(a, d)) < 1e-12
    stack = 0.4 * rng.standard_normal((20_000, 2, 2))
    stack = stack[np.abs(np.linalg.eigvals(stack)).max(1) < 0.95]
    start = time.process_time()
    found = walkback.entropy_production(stack, np.eye(2))
    assert time.process_time() - start < 2
    assert found.shape == (len(stack),) and found.min() > -1e-12
    assert found[7] == pytest.approx(walkback.entropy_production(stack[7], np.eye(2)), rel=1e-10)


def test_a_diffusion_is_the_limit_of_its_steps():
    drift, diffusion = np.array([[1.0, 0.5], [-0.8, 1.5]]), np.array([[1.0, 0.2], [0.2, 0.7]])
    rate = walkback.diffusion_entropy_production(drift, diffusion)
    found = []
    for step in (1e-3, 5e-4):
        a = expm(-drift * step)
        from scipy.linalg import solve_continuous_lyapunov

        sigma = solve_continuous_lyapunov(drift, 2 * diffusion)
        found.append(walkback.entropy_production(a, sigma - a @ sigma @ a.T) / step)
    assert 2 * found[1] - found[0] == pytest.approx(rate, rel=1e-5)


def test_annealing_of_a_reversible_operator():
    """Sum over the steps of the exact bound, in the walk's own steady state, and at its end."""
    from widelimit.numerics.walkback.annealing import end_cost

    a, r, steps = 0.7, 1.2, 6
    rho = (1 - a * a) / (1 - a * a / r)
    heats = r ** np.arange(1, steps + 1)
    stationary = 1 / (1 - a * a)
    found = walkback.bound(
        [[a]], [[1.0]], data=[[rho * stationary]], prior=[[heats[-1] * stationary]], temperatures=heats
    )
    entropy = (1 + math.log(2 * math.pi * rho * stationary)) / 2
    lost = -entropy - found.bound  # relative entropy of the paths
    assert lost == pytest.approx(
        steps * walkback.annealing_cost(a, factor=r) + end_cost(a, factor=r), rel=1e-11
    )
    many = walkback.steps_for(0.5, ratio=4.0, gap=1e-3)
    assert many * walkback.annealing_cost(0.5, factor=4.0 ** (1 / many)) == pytest.approx(1e-3, rel=0.01)


def test_a_fit_of_a_trajectory():
    rng = np.random.default_rng(3)
    x = np.zeros((20_000, 2))
    noise = rng.standard_normal(x.shape) @ np.linalg.cholesky(D).T
    for t in range(1, len(x)):
        x[t] = A @ x[t - 1] + noise[t]
    found = walkback.fit(x * [3.0, 0.1] + [5.0, -2.0])
    assert abs(found.entropy_production - walkback.entropy_production(A, D)) < 4 * found.standard_error
    assert found.standard_error < 0.05
    assert found.transition == pytest.approx(np.diag([3, 0.1]) @ A @ np.diag([1 / 3, 10]), abs=0.6)
    still = walkback.fit(rng.standard_normal((4000, 2)))
    assert still.entropy_production < 4 * still.standard_error + 1e-3


def test_files_of_trajectories(tmp_path):
    rng = np.random.default_rng(5)
    x = np.zeros((3000, 2))
    for t in range(1, len(x)):
        x[t] = A @ x[t - 1] + rng.standard_normal(2)
    np.save(tmp_path / "x.npy", x)
    np.savetxt(tmp_path / "x.csv", x, delimiter=",")
    whole = walkback.fit(x)
    assert walkback.fit(tmp_path / "x.npy") == whole
    found = walkback.predict(trajectory=str(tmp_path / "x.csv"))
    assert found["entropy_production"] == pytest.approx(whole.entropy_production, rel=1e-10)
    for name in ("none.npy", "x.png", "zero\0.npy"):
        with pytest.raises(ArgumentError, match="`trajectory` must be a"):
            walkback.fit(tmp_path / name)


@pytest.mark.parametrize("scale", [1e-100, 1e100])
def test_units_do_not_matter(scale):
    assert walkback.entropy_production(A, D * scale) == pytest.approx(
        walkback.entropy_production(A, D), rel=1e-12
    )
    drift, heat = np.array([[1.0, -0.8], [0.2, 0.5]]), np.array([[1.0, 0.2], [0.2, 0.4]])
    expected = walkback.diffusion_entropy_production(drift, heat)
    assert walkback.diffusion_entropy_production(drift, heat * scale) == pytest.approx(expected, rel=1e-12)
    # nats a unit of time
    assert walkback.diffusion_entropy_production(drift * scale, heat) == pytest.approx(
        expected * scale, rel=1e-12
    )


def test_large_chains_are_fast():
    rng = np.random.default_rng(4)
    t = rng.random((500, 500))
    t /= t.sum(1, keepdims=True)
    walkback.chain(t[:20, :20] / t[:20, :20].sum(1, keepdims=True))
    start = time.process_time()
    assert walkback.chain(t).entropy_production > 0
    assert time.process_time() - start < 0.5


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: walkback.entropy_production(turn(1.0, 0.3), np.eye(2)),
            "`transition` must have a spectral radius",
        ),
        (lambda: walkback.entropy_production(A, [[1, 2], [2, 1]]), "`noise` must be positive definite"),
        (lambda: walkback.entropy_production(A, [[1, 0.5], [0, 1]]), "`noise` must be symmetric"),
        (lambda: walkback.entropy_production(A, np.eye(3)), "`noise` must be 2 by 2"),
        (lambda: walkback.entropy_production([1.0, 2.0], D), "`transition` must be a square matrix"),
        (
            lambda: walkback.bound(A, D, data=D, prior=D, temperatures=[1, 0]),
            "`temperatures` must be positive",
        ),
        (lambda: walkback.bound(A, D, data=D, prior=D, temperatures=[]), "`temperatures` must be a list"),
        (
            lambda: walkback.bound(A, D, data=0 * D, prior=D, temperatures=[1]),
            "`data` must be positive definite",
        ),
        (lambda: walkback.diffusion_entropy_production(-A, D), "`drift` must have eigenvalues"),
        (lambda: walkback.chain([[0.5, 0.4], [0.5, 0.5]]), "`matrix` must have rows that sum to 1"),
        (lambda: walkback.chain([[1.0, 0.0], [0.5, 0.5]]), "`matrix` must reach every state"),
        (lambda: walkback.chain([[0.5, 0.5], [0.5, 0.5]], data=[0.5, 0.6]), "`data` must sum to 1"),
        (lambda: walkback.annealing_cost(0.9, factor=0.81), "`factor` must be above the squared contraction"),
        (lambda: walkback.annealing_cost(1.0, factor=1.2), "`contraction` must be below 1"),
        (lambda: walkback.steps_for(0.5, ratio=2, gap=0), "`gap` must be positive"),
        (lambda: walkback.fit(np.zeros((100, 1))), "`trajectory` must move"),
        (lambda: walkback.fit(np.ones((10, 2))), "`trajectory` must be of shape"),
    ],
)
def test_bad_input(call, words):
    with pytest.raises(ArgumentError, match=words):
        call()


def test_a_way_without_return_is_said_to_be_infinite():
    with pytest.raises(
        DomainError, match="State 0 goes to 1, but not back: the entropy production is infinite"
    ):
        walkback.chain([[0.5, 0.5, 0.0], [0.0, 0.5, 0.5], [0.5, 0.0, 0.5]])
