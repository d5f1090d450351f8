"""Thresholds of any data, against searches over directions; users' views, arrays and files."""

import numpy as np
import pytest

from widelimit.numerics import ssl
from widelimit.numerics.ssl import matrices
from widelimit.theory.errors import ArgumentError


def drawn(size, seed, rank=None):
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal((2, size, rank or size))
    return a @ a.T / size, b @ b.T / size


def searched(x, total, starts=200, seed=0):
    """The same maximum by ascent in w from many starts: A w = A_w/2 (w/|w|^2 + B w/B_w)."""
    rng = np.random.default_rng(seed)
    best = 0.0
    for w in rng.standard_normal((starts, len(x))):
        for _ in range(300):
            w /= np.linalg.norm(w)
            w = np.linalg.solve(np.eye(len(x)) + total / (w @ total @ w), x @ w)
        best = max(best, (w @ x @ w) ** 2 / (4 * (w @ w) * (w @ total @ w)))
    return best


@pytest.mark.parametrize(("size", "seed"), [(2, 0), (5, 1), (5, 2), (8, 3)])
def test_thresholds_by_search_over_directions(size, seed):
    x, spread = drawn(size, seed)
    assert ssl.collapse_threshold(x, spread) == pytest.approx(searched(x, x + spread, 40), rel=1e-10)


def test_local_maxima_are_not_taken_for_the_largest():
    """Two directions that do not mix, of very different size, the smaller the better: and the other way round."""
    for noise in (99.0, 3.0):
        x, spread = np.diag([1.0, 0.05]), np.diag([noise, 0.0])
        assert ssl.collapse_threshold(x, spread) == pytest.approx(max(0.25 / (1 + noise), 0.0125), rel=1e-12)
    many = np.geomspace(1, 1e-6, 7)
    for k in range(7):
        noise = 1e3 * many.copy()
        noise[k] = 0.0
        values = many**2 / (4 * (many + noise))
        assert ssl.collapse_threshold(np.diag(many), np.diag(noise)) == pytest.approx(values.max(), rel=1e-10)


def test_one_feature_and_none():
    assert ssl.collapse_threshold(1.0, 0.5) == pytest.approx(1 / 6, rel=1e-14)
    assert ssl.collapse_threshold([[0.0]], [[1.0]]) == 0.0
    assert ssl.collapse_threshold(np.zeros((3, 3)), np.zeros((3, 3))) == 0.0


def norm_after(x, spread, eta, rank, best, steps=15000, lr=0.2):
    """Norm of W at the end of the matrix flow with a learned predictor, from a start along the best direction."""
    rng = np.random.default_rng(0)
    p = best @ x @ best / (2 * best @ (x + spread) @ best)
    predictor = np.diag([1.2 * p] + [0.3] * (rank - 1))
    w = np.outer(np.eye(rank)[0], 1.2 * p * best) + 0.1 * rng.standard_normal((rank, len(x)))
    for _ in range(steps):
        back = -predictor @ w @ (x + spread) + w @ x
        w, predictor = (
            w + lr * (predictor.T @ back - eta * w),
            predictor + lr * (back @ w.T - eta * predictor),
        )
    return np.linalg.norm(w), p


@pytest.mark.parametrize("rank", [1, 4])
def test_gradient_descent_survives_below_and_dies_above(rank):
    x, spread = drawn(4, 11)
    eta, w = matrices.best_direction(x, x + spread)
    assert eta == ssl.collapse_threshold(x, spread)
    alive, p = norm_after(x, spread, 0.99 * eta, rank, w)
    assert alive > 0.9 * p and norm_after(x, spread, 1.01 * eta, rank, w)[0] < 1e-6


def test_above_the_threshold_a_symmetric_predictor_loses_at_least_the_stated_rate():
    """The bound behind the threshold at any rank: |W|^2 shrinks at 2 (eta - eta_c) or faster from every start."""
    x, spread = drawn(6, 4)
    eta = 1.5 * ssl.collapse_threshold(x, spread)
    rng = np.random.default_rng(1)
    for _ in range(200):
        w, p = rng.standard_normal((4, 6)), rng.standard_normal((4, 4)) * rng.choice([0.1, 1.0])
        p = p + p.T
        motion = p.T @ (-p @ w @ (x + spread) + w @ x) - eta * w
        assert 2 * (motion * w).sum() <= -2 * (eta - eta / 1.5) * (w**2).sum() + 1e-12


def digits():
    from sklearn.datasets import load_digits

    padded = np.pad(load_digits().images, ((0, 0), (1, 1), (1, 1)))
    views = np.array([padded[:, i : i + 8, j : j + 8].reshape(-1, 64) for i in range(3) for j in range(3)])
    views -= views.mean((0, 1))
    return views / np.sqrt((views**2).mean())


def test_digits_shifted_by_a_pixel():
    views = digits()
    mean = views.mean(0)
    x = mean.T @ mean / len(mean)
    total = np.einsum("kni,knj->ij", views, views) / views[..., 0].size
    assert ssl.collapse_threshold(x, total - x) == pytest.approx(0.34774, abs=5e-6)
    found = matrices.deflation(x, total, 8)
    assert [(found > eta).sum() for eta in (0.2, 0.1, 0.05, 0.02)] == [2, 3, 6, 6]
    rng = np.random.default_rng(0)
    which = rng.integers(9, size=(2, 30, views.shape[1]))
    pairs = [np.concatenate([views[k, np.arange(views.shape[1])] for k in rows]) for rows in which]
    sampled = ssl.from_views(*pairs, weight_decay=0.1)
    assert sampled.critical_weight_decay == pytest.approx(0.34774, rel=0.02) and sampled.dimensions == 3
    assert sampled.samples == 30 * 1797 and sampled.features == 64


def test_views_estimate_what_they_were_drawn_from():
    rng = np.random.default_rng(0)
    x, spread = drawn(4, 5)
    clean = rng.multivariate_normal(np.zeros(4), x, 200_000)
    views = [clean + rng.multivariate_normal(np.zeros(4), spread, 200_000) for _ in range(2)]
    found = ssl.from_views(*views)
    np.testing.assert_allclose(found.signal, x, atol=0.02 * np.abs(x).max())
    np.testing.assert_allclose(found.augmentation, spread, atol=0.02 * np.abs(x).max())
    assert found.critical_weight_decay == pytest.approx(ssl.collapse_threshold(x, spread), rel=0.02)
    assert found.dimensions is None and len(found.thresholds) <= 4 and (np.diff(found.thresholds) <= 0).all()
    assert found.critical_weight_decay == found.thresholds[0]
    few = ssl.from_views(*views, weight_decay=1e-9, most=1)
    assert len(few.thresholds) == 1 and few.dimensions == len(found.thresholds)


def test_views_from_files(tmp_path):
    rng = np.random.default_rng(0)
    clean = rng.standard_normal((300, 3))
    views = [clean + 0.3 * rng.standard_normal(clean.shape) for _ in range(2)]
    for k, view in enumerate(views):
        np.save(tmp_path / f"{k}.npy", view)
        np.savetxt(tmp_path / f"{k}.csv", view, delimiter=",")
        np.savez(tmp_path / f"{k}.npz", features=view)
    expected = ssl.from_views(*views, weight_decay=0.1)
    assert ssl.from_views(str(tmp_path / "0.npy"), tmp_path / "1.npy", weight_decay=0.1) == expected
    assert ssl.from_views(tmp_path / "0.npz", tmp_path / "1.npz", weight_decay=0.1) == expected
    text = ssl.from_views(tmp_path / "0.csv", tmp_path / "1.csv", weight_decay=0.1)
    assert text.critical_weight_decay == pytest.approx(expected.critical_weight_decay, rel=1e-12)
    short = ssl.predict(view1=str(tmp_path / "0.npy"), view2=str(tmp_path / "1.npy"), weight_decay=0.1)
    assert short.dimensions == expected.dimensions and short.thresholds == tuple(expected.thresholds)
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    wrong = {"none.npy": "must be a file that exists", "0.pt": "must be a .csv", "objects.npy": "must be"}
    for name, message in wrong.items():
        with pytest.raises(ArgumentError, match=message):
            ssl.from_views(tmp_path / name, views[1])


VIEW = np.random.default_rng(0).standard_normal((20, 3))


@pytest.mark.parametrize(
    ("views", "more", "message"),
    [
        ((VIEW, VIEW[:19]), {}, "`view2` must have the shape of `view1`"),
        ((VIEW[:2], VIEW[:2]), {}, "`view1` must have at least as many samples as features, 3, but has 2"),
        ((VIEW[0], VIEW[0]), {}, "`view1` must be a table of samples x features"),
        ((VIEW, VIEW), {"weight_decay": -1.0}, "`weight_decay` must not be negative"),
        ((VIEW, VIEW), {"weight_decay": [0.1, 0.2]}, "`weight_decay` must be a single number"),
        ((VIEW * np.nan, VIEW), {}, "`view1` must be a number, but holds NaN"),
        ((VIEW, VIEW), {"most": 0}, "`most` must be an integer of at least 1"),
        ((VIEW * 1e100, VIEW * 1e100), {}, "`view1` must lie between"),
        (("text", VIEW), {}, "`view1` must be a"),
    ],
)
def test_bad_views_are_told(views, more, message):
    with pytest.raises(ArgumentError, match=message):
        ssl.from_views(*views, **more)


@pytest.mark.parametrize(
    ("signal", "augmentation", "message"),
    [
        ([[1.0, 2.0], [0.0, 1.0]], np.eye(2), "`signal` must be symmetric"),
        (np.eye(2), np.eye(3), "`augmentation` must have the shape of `signal`"),
        (np.eye(2), -np.eye(2), "`augmentation` must have no negative eigenvalue"),
        (-2 * np.eye(2), np.eye(2), "`signal` must have no negative eigenvalue beyond"),
        (np.ones(3), np.eye(3), "`signal` must be a square matrix"),
        (np.zeros((0, 0)), np.eye(3), "`signal` must be a square matrix"),
        ([[1e200]], [[1.0]], "`signal` must lie between"),
    ],
)
def test_bad_matrices_are_told(signal, augmentation, message):
    with pytest.raises(ArgumentError, match=message):
        ssl.collapse_threshold(signal, augmentation)


def test_predictions_for_the_command_line():
    p = ssl.predict(weight_decay=0.04, augmentation=0.5)
    assert p.least_covariance == ssl.basin(predictor=0.0, weight_decay=0.04, augmentation=0.5)
    assert p.time_to_learn == ssl.passage_time(
        2 * p.predictor_unstable, 0.9 * p.predictor, weight_decay=0.04, augmentation=0.5
    )
    moving = ssl.predict(weight_decay=0.04, augmentation=0.5, ema_rate=0.4, target_scale=0.0)
    assert moving.predictor == p.predictor and moving.least_predictor == pytest.approx(0.0471569911)
    rule = ssl.predict(weight_decay=0.2, augmentation=0.5, rule="directcopy")
    assert rule.collapses and rule.least_covariance is None and rule.least_predictor == np.inf
    assert ssl.predict(weight_decay=0.2, augmentation=0.5, signal=0.0).bottleneck == np.inf
    for given, message in (
        ({"view1": "a.npy"}, "`view2` must be given with the other"),
        ({"weight_decay": 0.1}, "`augmentation` must be given"),
        ({"view1": "a.npy", "view2": "b.npy", "augmentation": 0.1}, "`augmentation` must be left out"),
    ):
        with pytest.raises(ArgumentError, match=message):
            ssl.predict(**given)
