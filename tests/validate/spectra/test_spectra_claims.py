"""Claims on sample covariance spectra: predictions by closed forms, simulations, and the command line."""

import json
import math

import numpy as np
import pytest

from widelimit.validate import claims
from widelimit.validate.cli import main
from widelimit.validate.harness.backend import Backend
from widelimit.validate.simulate import spectra as simulate


def claim(name):
    return claims.find(f"spectra.{name}")


def test_predictions_are_closed_forms():
    assert claim("edge").predict({"ratio": 0.5}) == pytest.approx(
        [2 / 3, -1.2065335746 / math.sqrt(1.6077810346)], rel=1e-6
    )
    assert claim("bbp").predict({"ratio": 0.5, "spike": 4.0}) == pytest.approx(
        [4 * (1 + 0.5 / 3), (1 - 0.5 / 9) / (1 + 0.5 / 3)], rel=1e-12
    )
    c = 0.5
    assert claim("linear-statistics").predict({"ratio": c}) == pytest.approx(
        [2 * c, 8 * c * (1 + c) ** 2 + 4 * c**2], rel=1e-12
    )
    a, b = 1.0, 0.5 * 4.0  # eigenvalues 1 and 3: variance 1, mean 2
    assert claim("shrinkage").predict({"ratio": 0.5, "spread": 3.0}) == pytest.approx(
        [b / (a + b), a * b / (a + b)], rel=1e-12
    )


def test_bidiagonal_matrices_have_the_largest_eigenvalue_of_wishart():
    random = np.random.default_rng(0)
    ours = np.array([simulate.largest(6, 10, random) for _ in range(3000)])
    x = random.standard_normal((3000, 10, 6))
    theirs = np.linalg.eigvalsh(np.einsum("kij,kil->kjl", x, x) / 10)[:, -1]
    assert ours.mean() == pytest.approx(theirs.mean(), rel=0.02)
    assert ours.std() == pytest.approx(theirs.std(), rel=0.06)


def test_a_spike_at_the_limit_is_found_half_of_the_time():
    inputs = {"ratio": 0.5}
    from widelimit.validate.claims.spectra import _detection

    share = [simulate.found(inputs, 60, seed, Backend(), **_detection(inputs)) for seed in range(6)]
    assert np.mean(share) == pytest.approx(0.5, abs=0.12)


def test_the_command_line_fits_a_file(tmp_path, capsys):
    x = np.random.default_rng(0).standard_normal((200, 40))
    x[:, 0] *= 3
    np.savetxt(tmp_path / "matrix.csv", x, delimiter=",")
    assert main(["predict", "spectra", "--data", str(tmp_path / "matrix.csv"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["components"] == 1
    assert found["noise"] == pytest.approx(1.0, abs=0.05)
    assert main(["predict", "spectra", "--spike", "3", "--ratio", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["eigenvalue"] == 4.5
    assert main(["predict", "spectra"]) == 2
    assert "`data`" in capsys.readouterr().err


def test_the_gallery_draws():
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    from widelimit.validate.claims.spectra import GALLERY

    (figure,) = GALLERY
    arrays = figure.compute("quick")
    assert arrays["outliers"].size == 3
    axes = pyplot.figure().gca()
    figure.draw(arrays, axes)
    pyplot.close("all")
