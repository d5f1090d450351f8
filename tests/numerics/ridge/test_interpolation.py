"""Next to interpolation, and with few rows, data can look free of noise by chance: what is chosen and said then.

Right values: errors of the very fits on new Gaussian data, in closed form; 5-fold cross-validation over 60 penalties.
"""

import numpy as np
import pytest
from scipy.stats import chi2
from sklearn.linear_model import Ridge

from widelimit.numerics import ridge

NOISE = 0.2


def population(shape, p):
    """Eigenvalues and weights of a target of variance 1."""
    strong = np.arange(p) < max(1, p // 10)
    s = {"aligned": np.where(strong, 1.0, 0.05), "power": 1 / (1.0 + np.arange(p))}.get(shape, np.ones(p))
    w = {"sparse": (np.arange(p) < max(1, p // 20)) * 1.0, "aligned": strong * 1.0}.get(shape, np.ones(p))
    return s, w / np.sqrt(w @ (s * w))


def draw(shape, n, p, seed, noise=NOISE):
    random = np.random.default_rng([seed, n, p])
    s, w = population(shape, p)
    X = random.standard_normal((n, p)) * np.sqrt(s) + 1.0
    return X, (X - 1) @ w + np.sqrt(noise) * random.standard_normal(n) + 2.0, s, w


def error_of(model, s, w, noise=NOISE):
    """Mean squared error on new data: inputs of mean 1, targets of mean 2."""
    return float(s @ (model.coef_ - w) ** 2 + noise + (model.intercept_ + model.coef_.sum() - 2.0) ** 2)


def cross_validated(X, y, folds=5):
    """The ridge fit of the best of 60 penalties, each tried on five folds by one decomposition a fold."""
    alphas = ((X - X.mean(0)) ** 2).sum() / X.shape[1] * np.geomspace(1e-4, 1e3, 60)
    errors = np.zeros(60)
    for held in np.array_split(np.arange(len(y)), min(folds, len(y))):
        rest = np.setdiff1d(np.arange(len(y)), held)
        mean, level = X[rest].mean(0), y[rest].mean()
        U, d, V = np.linalg.svd(X[rest] - mean, full_matrices=False)
        gains = (d * (U.T @ (y[rest] - level)))[:, None] / (d[:, None] ** 2 + alphas)
        errors += ((y[held, None] - level - (X[held] - mean) @ V.T @ gains) ** 2).sum(0)
    return Ridge(alpha=alphas[errors.argmin()]).fit(X, y)


def compared(shape, n, p, draws):
    """Errors of ours and of cross-validation, and predicted over true error."""
    ours, theirs, told, inside = [], [], [], []
    for seed in range(draws):
        X, y, s, w = draw(shape, n, p, seed)
        model = ridge.AsymptoticRidge().fit(X, y)
        ours.append(error_of(model, s, w))
        theirs.append(error_of(cross_validated(X, y), s, w))
        told.append(model.test_error_ / ours[-1])
        inside.append(model.test_error_interval_[0] <= ours[-1] <= model.test_error_interval_[1])
    return np.array(ours), np.array(theirs), np.array(told), np.array(inside)


def test_the_peak_of_the_issue():
    random = np.random.default_rng(26)
    X = random.standard_normal((101, 100))
    y = X @ np.full(100, 0.1) + 0.2**0.5 * random.standard_normal(101)
    model, theory = ridge.AsymptoticRidge().fit(X, y), ridge.from_data(X, y)
    error = ((model.coef_ - 0.1) ** 2).sum() + 0.2 + model.intercept_**2
    assert error < 1.1 * 0.51  # that of RidgeCV
    assert model.penalty_ == pytest.approx(theory.penalty, rel=1e-9)
    assert error / 2 < theory.test_error < 2 * error
    assert theory.test_error_interval[0] < error < theory.test_error_interval[1]
    assert 0.02 < theory.noise < 0.6  # 0.2


@pytest.mark.filterwarnings("ignore::widelimit.theory.errors.DependenceWarning")  # one data set in a thousand
@pytest.mark.parametrize(
    ("shape", "n", "p"), [("isotropic", 102, 100), ("sparse", 32, 30), ("power", 33, 30)]
)
def test_never_far_behind_cross_validation_nor_far_too_sure(shape, n, p):
    ours, theirs, told, _ = compared(shape, n, p, 20)
    assert np.median(ours / theirs) < 1.1
    assert told.min() > 0.25
    assert 0.8 < np.median(told) < 1.6


def test_noise_is_not_ruled_out_by_rows_that_were_fitted():
    # a target without noise: with no row to spare that is unknowable, with ten it is known
    found = {}
    for spare in (0, 10, 100):
        X, y, s, w = draw("isotropic", 31 + spare, 30, 0, noise=0.0)
        model = ridge.AsymptoticRidge().fit(X, y)
        found[spare] = model.noise_, error_of(model, s, w, noise=0.0), model.test_error_
    assert found[0][0] > 0.01
    for spare in (10, 100):
        assert found[spare][0] < 1e-3
        assert found[spare][1] < 1e-6  # fitted to what is left of the penalty
        assert found[spare][1] < found[spare][2] < 1e-2


def test_copies_of_rows_are_not_observations():
    # drawn with replacement, as in bagging: 63 of 100 rows for 65 features, which copies make look free of noise
    X, y, s, w = draw("isotropic", 100, 65, 3)
    rows = np.random.default_rng(0).integers(0, 100, 100)
    model = ridge.AsymptoticRidge().fit(X[rows], y[rows])
    counts = np.bincount(rows, minlength=100)
    weighted = ridge.AsymptoticRidge().fit(X, y, sample_weight=counts)
    assert weighted.coef_ == pytest.approx(model.coef_, rel=1e-6, abs=1e-9)
    assert model.test_error_ > 0.5 * error_of(model, s, w)
    theory = ridge.from_data(X[rows], y[rows])
    assert (theory.samples, theory.copies) == (len(set(rows)), 100 - len(set(rows)))
    # where equal inputs have different targets, equal rows are to be expected and count
    coarse = np.random.default_rng(1).integers(0, 2, (400, 3)).astype(float)
    label = (np.random.default_rng(2).random(400) < 0.3 + 0.4 * coarse[:, 0]).astype(float)
    assert ridge.from_data(coarse, label).samples == 400


def caution(rows):
    """What few rows cost a prediction: a quarter of the limit that the mean of their squares leaves, 1 at least.

    The variance of five numbers is below a quarter of its mean in nine draws of a hundred.
    """
    return max(1.0, (rows - 1) / chi2.ppf(0.001, rows - 1) / 4)


@pytest.mark.filterwarnings("ignore::widelimit.theory.errors.DependenceWarning")
def test_five_rows_do_not_make_a_small_error():
    for seed in range(20):
        X, y, s, w = draw("isotropic", 5, 10, 7000 + seed)
        model, theory = ridge.AsymptoticRidge().fit(X, y), ridge.from_data(X, y, redrawn=2)
        assert theory.population.caution == pytest.approx(caution(5), rel=1e-9)
        assert model.test_error_ > 0.25 * error_of(model, s, w)
        assert model.test_error_ == pytest.approx(theory.test_error, rel=1e-9)
        curve = theory.learning_curve(penalty=theory.penalty)
        assert curve.test_error.item() == pytest.approx(theory.test_error, rel=1e-6)
        low, high = theory.test_error_interval
        assert low < theory.test_error <= high
    for rows in (11, 19, 100):
        X, y, _, _ = draw("isotropic", rows, 10, 0)
        assert ridge.from_data(X, y, redrawn=2).population.caution == pytest.approx(caution(rows), rel=1e-9)
    assert caution(11) > 1 == caution(19) == caution(100)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::widelimit.theory.errors.DependenceWarning")
@pytest.mark.parametrize(("n", "p"), [(12, 20), (15, 10), (60, 20), (60, 100), (104, 100)])
def test_intervals_hold_what_they_promise(n, p):
    inside, told = [], []
    for seed in range(200):
        X, y, s, w = draw("isotropic" if seed % 2 else "aligned", n, p, 1000 + seed)
        model = ridge.AsymptoticRidge().fit(X, y)
        error, (low, high) = error_of(model, s, w), model.test_error_interval_
        inside.append(low <= error <= high)
        told.append(model.test_error_ / caution(n) / error)
    print(n, p, np.mean(inside), np.median(told))
    assert np.mean(inside) >= 0.92  # 95 per cent, less two standard errors of 200 draws
    assert 0.9 < np.median(told) < 1.6


SHAPES, NOISES = ("isotropic", "sparse", "aligned", "power"), (0.02, 0.2, 1.0)
SPARE = {10: (5, 8, 10, 12, 13, 15, 20, 30), 30: (15, 24, 30, 32, 33, 45, 60, 90)}
SPARE |= {p: (p // 2, 4 * p // 5, p, p + 2, 11 * p // 10, 3 * p // 2, 2 * p, 3 * p) for p in (100, 300)}
TABLE = [(n, p) for p, sizes in SPARE.items() for n in sizes]


def cross_validated_all(X, Y, folds=5):
    """Errors of the best of 60 penalties for each target, as a function of its weights and mean; one SVD a fold."""
    alphas = ((X - X.mean(0)) ** 2).sum() / X.shape[1] * np.geomspace(1e-4, 1e3, 60)
    errors = np.zeros((60, Y.shape[1]))
    for held in np.array_split(np.arange(len(Y)), folds):
        rest = np.setdiff1d(np.arange(len(Y)), held)
        mean, level = X[rest].mean(0), Y[rest].mean(0)
        U, d, V = np.linalg.svd(X[rest] - mean, full_matrices=False)
        part = (X[held] - mean) @ V.T
        gains = (d[:, None] * (U.T @ (Y[rest] - level)))[:, None] / (d[:, None] ** 2 + alphas)[..., None]
        fitted = np.einsum("hk,kat->hat", part, gains)
        errors += ((Y[held][:, None] - level - fitted) ** 2).sum(0)
    return [Ridge(alpha=a).fit(X, y) for a, y in zip(alphas[errors.argmin(0)], Y.T, strict=True)]


def cell(n, p, draws, first=0):
    """Shapes x draws x noises: error over that of cross-validation, predicted over true error, true in the interval."""
    found = np.empty((len(SHAPES), draws, len(NOISES), 3))
    for i, shape in enumerate(SHAPES):
        s, w = population(shape, p)
        for seed in range(draws):
            random = np.random.default_rng([first + seed, n, p, i])
            X = random.standard_normal((n, p)) * np.sqrt(s) + 1.0
            Y = ((X - 1) @ w + 2.0)[:, None] + random.standard_normal(n)[:, None] * np.sqrt(NOISES)
            model, others = ridge.AsymptoticRidge().fit(X, Y), cross_validated_all(X, Y)
            for j, noise in enumerate(NOISES):
                miss = (model.intercept_[j] + model.coef_[j].sum() - 2.0) ** 2
                own = float(s @ (model.coef_[j] - w) ** 2 + noise + miss)
                low, high = model.test_error_interval_[j]
                found[i, seed, j] = (
                    own / error_of(others[j], s, w, noise), model.test_error_[j] / own, low <= own <= high,
                )  # fmt: skip
    return found


def row(n, p, found):
    """A line of the table in README."""
    over, told, inside = found.transpose(3, 0, 2, 1).reshape(3, -1, found.shape[1])
    below = int((told < 0.25).sum())
    middle = np.median(told, axis=1)
    return (
        f"| {p} | {n} | {np.median(over, axis=1).max():.2f} | {middle.min():.2f}-{middle.max():.2f} | "
        f"{told.min():.2f} | {below} of {told.size} | {inside.mean():.3f} |"
    )


@pytest.mark.sweep
@pytest.mark.filterwarnings("ignore::widelimit.theory.errors.DependenceWarning")
@pytest.mark.parametrize(("n", "p"), TABLE)
def test_sweep_against_cross_validation(n, p):
    """The table of README: 60 draws of four targets and three noises in each cell (20 where p = 300)."""
    draws = 20 if p == 300 else 60
    found = cell(n, p, draws)
    print(row(n, p, found))
    told, inside = found[..., 1], found[..., 2]
    over = np.median(found[..., 0], axis=1)
    assert over[:, 1:].max() < 1.1
    assert inside.mean() > 0.94  # 95 per cent, less two standard errors
    # two bars are missed where it is known: next to interpolation the penalty is one that suits more noise than 2 per
    # cent; of 20 rows for 10 features one draw in a hundred leaves so little by chance that it looks free of noise
    behind, below = over[:, 0].max(), (told < 0.25).mean()
    assert behind < (1.4 if p <= n <= 1.1 * p + 2 else 1.1)
    assert below <= (0.01 if n <= 20 else 0.0)
    if behind >= 1.1 or below > 0:
        pytest.xfail(
            f"{behind:.2f} of cross-validation at noise 0.02, {below:.2%} below a quarter of the truth"
        )
