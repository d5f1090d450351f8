"""Importances and forgetting against gradient descent, Monte Carlo, direct minima and worked values."""

import mpmath as mp
import numpy as np
import pytest

from widelimit.numerics import synapses
from widelimit.theory.errors import ArgumentError, DomainError

H, D = np.array([[1.0, 0.4], [0.4, 0.5]]), np.array([1.0, 0.5])


def descent(hessian, start, rate, momentum=0.0, steps=200_000):
    """Minus the sum of gradient times step, by steps."""
    x, velocity, omega = start.copy(), np.zeros_like(start), np.zeros_like(start)
    for _ in range(steps):
        gradient = hessian @ x
        velocity = momentum * velocity - rate * gradient
        omega -= gradient * velocity
        x += velocity
        if np.abs(x).max() + np.abs(velocity).max() < 1e-18:
            break
    return omega


def curvature(rng, size):
    a = rng.standard_normal((size, 2 * size))
    return a @ a.T / (2 * size)


def test_worked_values():
    assert synapses.importance(H, D).path_integral == pytest.approx(
        [0.593333333333333, 0.169166666666667], rel=1e-12
    )
    found = synapses.importance(H, D, learning_rate=0.5)
    assert found.path_integral == pytest.approx([0.8510347, 0.2466442], abs=1e-7)
    heavy = synapses.importance([0.7], [1.0], learning_rate=0.3, momentum=0.9)
    assert heavy.importance[0] == pytest.approx(0.7389972144847, rel=1e-12)
    noisy = synapses.noisy_path_integral(0.5, 1.0, learning_rate=0.1, noise=0.4, steps=300)
    assert noisy == pytest.approx(5.1752794214, rel=1e-10)
    price = synapses.random_tasks(aspect=[0.5, 0.25], strength=[1.0, 0.3])
    assert price.forgetting == pytest.approx([0.112884531005, 0.273081764011], rel=1e-11)
    assert price.new_loss == pytest.approx([0.106339062591, 0.027793892327], rel=1e-10)
    assert price.joint_total[0] == pytest.approx(0.1875, rel=1e-15)


@pytest.mark.parametrize(("rate", "momentum"), [(0.3, 0.0), (0.2, 0.6), (0.9, 0.9)])
def test_path_integral_is_that_of_descent(rate, momentum):
    rng = np.random.default_rng(2)
    hessian, start = curvature(rng, 4), rng.standard_normal(4)
    found = synapses.importance(hessian, start, learning_rate=rate, momentum=momentum, damping=0.1)
    omega = descent(hessian, start, rate, momentum)
    assert found.path_integral == pytest.approx(omega, rel=1e-9, abs=1e-12)
    assert found.importance == pytest.approx(omega / (start**2 + 0.1), rel=1e-9)
    assert found.total == pytest.approx(omega.sum(), rel=1e-10)
    assert found.loss == pytest.approx(start @ hessian @ start / 2, rel=1e-12)


def test_flow_shares_the_loss_and_the_mean_over_starts_is_half_the_curvature():
    rng = np.random.default_rng(4)
    hessian = curvature(rng, 3)
    starts = rng.standard_normal((4000, 3))
    mean = np.mean([synapses.importance(hessian, one).matrix for one in starts[:600]], axis=0)
    assert np.abs(mean - hessian / 2).max() < 0.15
    one = synapses.importance(hessian, starts[0])
    assert one.total == pytest.approx(one.loss, rel=1e-12)


def test_flat_directions_do_not_move():
    flat = np.array([[1.0, 1.0], [1.0, 1.0]])
    found = synapses.importance(flat, [1.0, 0.0])
    assert found.displacement == pytest.approx([0.5, 0.5])
    assert found.path_integral == pytest.approx([0.25, 0.25]) and found.loss == pytest.approx(0.5)
    with pytest.raises(ArgumentError, match="must move every parameter"):
        synapses.importance([1.0, 0.0], [1.0, 1.0])


def test_tail_of_draws():
    """Shares of starts whose importance exceeds 30 and 100, and the mean with damping."""
    rng = np.random.default_rng(7)
    hessian = curvature(rng, 3)
    tail = synapses.importance_tail(hessian, 1, scale=0.8, damping=1e-4)
    values, vectors = np.linalg.eigh(hessian)
    pairs = np.multiply.outer(values, values) / np.add.outer(values, values)
    form = vectors @ (pairs * np.outer(vectors[1], vectors[1])) @ vectors.T
    starts = 0.8 * rng.standard_normal((400_000, 3))
    omega = np.einsum("ni,ij,nj->n", starts, form, starts)
    sizes = np.abs(omega) / starts[:, 1] ** 2
    for x in (100.0, 400.0):
        share = (sizes > x).mean()
        assert abs(share - tail.exceeds(x)) < 4 * np.sqrt(share / 4e5) + 0.02 * share
    damped = omega / (starts[:, 1] ** 2 + 1e-4)
    assert abs(damped.mean() - tail.damped_mean) < 4 * damped.std() / np.sqrt(4e5) + 0.06 * abs(
        tail.damped_mean
    )


def test_noise_of_sgd_by_simulation():
    rng = np.random.default_rng(0)
    x, omega = np.full(20_000, 1.0), np.zeros(20_000)
    for _ in range(60):
        gradient = 0.8 * x + 0.5 * rng.standard_normal(len(x))
        omega += 0.3 * gradient**2
        x -= 0.3 * gradient
    found = synapses.noisy_path_integral(0.8, 1.0, learning_rate=0.3, noise=0.5, steps=60)
    assert abs(omega.mean() - found) < 4 * omega.std() / np.sqrt(len(omega))
    late = found - synapses.noisy_path_integral(0.8, 1.0, learning_rate=0.3, noise=0.5, steps=59)
    assert late == pytest.approx(
        synapses.noisy_path_integral(0.8, 0, learning_rate=0.3, noise=0.5, steps=None)
    )


def test_two_tasks_minimise_what_they_say():
    rng = np.random.default_rng(1)
    a, b, o = curvature(rng, 5), curvature(rng, 5), curvature(rng, 5)
    one, two = rng.standard_normal((2, 5))
    found = synapses.two_tasks(a, one, b, two, importance=o, strength=0.3)
    direct = np.linalg.solve(b + 0.6 * o, b @ two + 0.6 * o @ one)
    assert found.parameters == pytest.approx(direct, rel=1e-12)
    assert found.forgetting == pytest.approx((direct - one) @ a @ (direct - one) / 2, rel=1e-12)
    assert found.new_loss == pytest.approx((direct - two) @ b @ (direct - two) / 2, rel=1e-12)
    joint = synapses.two_tasks(a, one, b, two, importance=a, strength=0.5)
    assert joint.forgetting == pytest.approx(joint.joint_forgetting, rel=1e-12)
    slope = a @ (joint.joint_parameters - one) + b @ (joint.joint_parameters - two)
    assert np.abs(slope).max() < 1e-12


def test_diagonal_price_of_drawn_wisharts():
    rng = np.random.default_rng(3)
    size, samples = 400, 800
    sums = []
    for _ in range(3):
        a, b = (x @ x.T / samples for x in rng.standard_normal((2, size, samples)))
        one = rng.standard_normal(size)
        one /= np.linalg.norm(one)
        found = synapses.two_tasks(a, np.zeros(size), b, one, importance=np.ones(size), strength=0.5)
        sums.append((found.forgetting, found.new_loss, found.joint_forgetting + found.joint_new_loss))
    price = synapses.random_tasks(aspect=0.5, strength=1.0)
    expected = (price.forgetting, price.new_loss, price.joint_total)
    assert np.mean(sums, axis=0) == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("aspect", [1e-6, 0.5, 1.0])
@pytest.mark.parametrize("strength", [1e-12, 1e-4, 1.0, 1e6, 1e20])
def test_diagonal_price_over_the_law_of_marchenko_and_pastur(aspect, strength):
    with mp.workdps(40):
        root, k = mp.sqrt(mp.mpf(aspect)), mp.mpf(strength)

        def average(part):
            def integrand(angle):
                h = (1 - root) ** 2 + 4 * root * mp.sin(angle / 2) ** 2
                return part(h) * mp.sin(angle) ** 2 / h if h else mp.mpf(0)

            # towards zero the integrand of aspect one has a peak as wide as the root of k
            near = [mp.mpf(10) ** (-j) for j in range(12, 0, -1)]
            return 2 / mp.pi * mp.quad(integrand, [0, *near, mp.pi / 2, mp.pi])

        # numbers near one inside: mpmath integrates to an absolute error
        forgotten = average(lambda h: (h * (1 + k) / (h + k)) ** 2) / 2 / (1 + k) ** 2
        new = average(lambda h: h * ((1 + k) / (h + k)) ** 2) / 2 * (k / (1 + k)) ** 2
    found = synapses.random_tasks(aspect=aspect, strength=strength)
    assert (found.forgetting, found.new_loss) == pytest.approx(
        (float(forgotten), float(new)), rel=1e-9, abs=0
    )


def test_sequences():
    rng = np.random.default_rng(5)
    tasks = [curvature(rng, 4) for _ in range(3)]
    optima = rng.standard_normal((3, 4))
    exact = synapses.sequence(tasks, optima, method="laplace", strength=1.0)
    assert exact.total == pytest.approx(exact.joint_total, rel=1e-12)
    joint = np.linalg.solve(sum(tasks), sum(h @ t for h, t in zip(tasks, optima, strict=True)))
    assert exact.parameters[-1] == pytest.approx(joint, rel=1e-10)
    free = synapses.sequence(tasks, optima, method="ewc", strength=0.0)
    assert free.parameters == pytest.approx(optima, rel=1e-9)
    held = synapses.sequence(tasks, optima, method="ewc", strength=1.0)
    diagonals = [np.diag(np.diag(h)) for h in tasks]
    ends = [optima[0]]
    for k in (1, 2):
        penalty = sum(diagonals[:k])
        pull = sum(d @ e for d, e in zip(diagonals[:k], ends, strict=True))
        ends.append(np.linalg.solve(tasks[k] + penalty, tasks[k] @ optima[k] + pull))
    assert held.parameters == pytest.approx(np.array(ends), rel=1e-10)
    online = synapses.sequence(tasks, optima, method="online_ewc", strength=1.0, decay=0.5)
    assert online.importance == pytest.approx(
        sum(w * np.diag(h) for w, h in zip((0.25, 0.5, 1), tasks, strict=True))
    )
    assert np.all(np.diag(held.losses) <= held.losses[-1] + 1e-12) or held.total < free.total


def test_synaptic_intelligence_of_two_tasks_by_small_steps():
    """The flow of task and penalty in steps of 1e-3, the importance from the task's own gradient."""
    rng = np.random.default_rng(6)
    tasks, optima = [curvature(rng, 3), curvature(rng, 3)], rng.standard_normal((2, 3))
    found = synapses.sequence(tasks, optima, method="si", strength=0.7, damping=0.05)
    x, kept, anchor = np.zeros(3), np.zeros(3), np.zeros(3)
    for hessian, centre in zip(tasks, optima, strict=True):
        start, omega = x.copy(), np.zeros(3)
        for _ in range(60_000):
            middle = x - 5e-4 * (hessian @ (x - centre) + 1.4 * kept * (x - anchor))
            step = -1e-3 * (hessian @ (middle - centre) + 1.4 * kept * (middle - anchor))
            omega -= (hessian @ (middle - centre)) * step
            x = x + step
        kept = np.maximum(kept + omega / ((x - start) ** 2 + 0.05), 0)
        anchor = x.copy()
    assert found.parameters[-1] == pytest.approx(x, abs=1e-5)
    assert found.importance == pytest.approx(kept, rel=1e-4)


def test_forecast_is_what_training_gives():
    rng = np.random.default_rng(8)
    x_a, x_b = rng.standard_normal((60, 4)), rng.standard_normal((50, 4)) * [1, 2, 0.5, 1]
    y_a, y_b = rng.standard_normal((60, 2)), rng.standard_normal((50, 2))
    found = synapses.forecast(x_a, y_a, x_b, y_b, strengths=[0.0, 0.5])
    first = np.linalg.lstsq(x_a, y_a, rcond=None)[0]
    weights = np.diag(np.mean(x_a**2, axis=0))
    w = np.linalg.solve(x_b.T @ x_b / 50 + 0.5 * weights, x_b.T @ y_b / 50 + 0.5 * weights @ first)
    risen = (np.sum((x_a @ w - y_a) ** 2) - np.sum((x_a @ first - y_a) ** 2)) / 120
    assert found.forgetting[1] == pytest.approx(risen, rel=1e-10)
    assert found.fine_tuning == found.forgetting[0] > found.forgetting[1]
    grid = synapses.forecast(x_a, y_a, x_b, y_b)
    assert grid.joint_total <= grid.total.min() and grid.best_strength in grid.strengths
    exact = synapses.forecast(x_a, y_a, x_b, y_b, strengths=1.0, method="laplace")
    assert exact.total[0] == pytest.approx(exact.joint_total, rel=1e-10)


def test_files_of_two_data_sets(tmp_path):
    rng = np.random.default_rng(5)
    sets = {
        name: rng.standard_normal((20, 3) if name[0] == "x" else 20) for name in ("x_a", "y_a", "x_b", "y_b")
    }
    np.save(tmp_path / "x_a.npy", sets["x_a"])
    np.savetxt(tmp_path / "y_a.txt", sets["y_a"])
    np.savez(tmp_path / "x_b.npz", sets["x_b"])
    np.savetxt(tmp_path / "y_b.csv", sets["y_b"])
    paths = [str(tmp_path / name) for name in ("x_a.npy", "y_a.txt", "x_b.npz", "y_b.csv")]
    expected = synapses.forecast(*sets.values())
    found = synapses.predict(**dict(zip(sets, paths, strict=True)))
    assert found["forgetting"] == pytest.approx(expected.forgetting, rel=1e-9)
    assert found["best_strength"] == expected.best_strength and found["joint_total"] <= found["best_total"]
    with pytest.raises(ArgumentError, match="`y_b` must be given with the other data"):
        synapses.predict(x_a=paths[0], y_a=paths[1], x_b=paths[2])
    with pytest.raises(ArgumentError, match="`x_a` must be a file that exists"):
        synapses.predict(**dict(zip(sets, [str(tmp_path / "none.npy"), *paths[1:]], strict=True)))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: synapses.importance([[1, 0.5], [0, 1]], D), "`hessian` must be symmetric"),
        (lambda: synapses.importance([[1, 2], [2, 1]], D), "`hessian` must have no negative curvature"),
        (lambda: synapses.importance([-1.0, 1], D), "`hessian` must have no negative curvature"),
        (lambda: synapses.importance(H, [1, 2, 3]), "`displacement` must have 2 numbers"),
        (lambda: synapses.importance(H, D, learning_rate=2), "`learning_rate` must be below"),
        (lambda: synapses.importance(H, D, momentum=1), "`momentum` must be below 1"),
        (lambda: synapses.importance(H, D, damping=-1), "`damping` must not be negative"),
        (lambda: synapses.importance([1.0, 1.0], [1.0, 0.0]), "must move every parameter"),
        (lambda: synapses.noisy_path_integral(1, 1, learning_rate=2, noise=1, steps=3), "`learning_rate`"),
        (lambda: synapses.noisy_path_integral(1, 1, learning_rate=0.1, noise=1, steps=1.5), "`steps`"),
        (lambda: synapses.adam_noise_rate(1, learning_rate=0.1, beta_1=1), "`beta_1` must be below 1"),
        (lambda: synapses.random_tasks(aspect=1.5, strength=1), "`aspect`"),
        (lambda: synapses.random_tasks(aspect=0.5, strength=0), "`strength` must be positive"),
        (lambda: synapses.two_tasks(H, D, [1.0, 0.0], D, importance=[1.0, 0.0], strength=1), "free"),
        (lambda: synapses.two_tasks(H, D, [1.0], D, importance=D, strength=1), "`hessian_b` must be for 2"),
        (lambda: synapses.sequence([H], [D, D], strength=1), "`optima` must be as many"),
        (lambda: synapses.sequence([H], [D], strength=1, method="packnet"), "`method` must be one of"),
        (lambda: synapses.forecast(H, D, np.eye(3), [1, 2, 3]), "`x_b` must have as many"),
        (lambda: synapses.importance_tail(H, 2), "`parameter` must be below 2"),
        (lambda: synapses.random_tasks(aspect=0.5, strength=1e200), "Choose units in which it is near 1"),
        (lambda: synapses.importance([[1e200]], [1.0]), "Choose units in which it is near 1"),
        (lambda: synapses.importance([[1.0]], [1e-200]), "Choose units in which it is near 1"),
    ],
)
def test_bad_input(call, words):
    with pytest.raises(ArgumentError, match=words):
        call()


def test_diagonal_matrices_have_no_tail():
    with pytest.raises(DomainError, match="the same importance from every start"):
        synapses.importance_tail([1.0, 2.0], 0)
