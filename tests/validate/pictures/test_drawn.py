"""What is seen in pictures are the result's numbers: read off the axes and compared with closed forms."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from tests.validate.made_outcomes import claim, run

from widelimit.theory.errors import ArgumentError, PictureError
from widelimit.validate.harness.outcome import RunOutcome


@pytest.fixture
def ax():
    return Figure().add_subplot()


def curve(axes, label):
    (line,) = [one for one in axes.get_lines() if one.get_label() == label]
    return np.asarray(line.get_xdata(), float), np.asarray(line.get_ydata(), float)


def test_a_mean_field_point_shows_its_depth_scales(ax):
    from widelimit.numerics import meanfield

    p = meanfield.solve("tanh", sigma_w=1.5, sigma_b=0.1)
    assert p.plot(ax) is ax
    layers, left = curve(ax, "squared gradient")
    assert left == pytest.approx(layers * np.log10(p.chi_1), rel=1e-12)  # chi_1 per layer
    layers, left = curve(ax, "correlation c")
    assert left == pytest.approx(-layers / p.xi_c / np.log(10), rel=1e-12)
    assert "chaotic" in ax.get_title(loc="left")


def test_endless_depth_scales_are_flat_lines(ax):
    from widelimit.numerics import meanfield

    meanfield.solve("relu", sigma_w=2**0.5).plot(ax)
    assert not curve(ax, "squared gradient")[1].any()


def test_arrays_of_points_are_curves_over_what_the_reader_hands_in(ax):
    from widelimit.numerics import meanfield

    w = np.array([0.8, 1.2, 1.6])
    p = meanfield.solve("tanh", sigma_w=w, sigma_b=0.3)
    p.plot(ax, x=w, label="σ_w")
    x, y = curve(ax, "χ_1")
    assert (x == w).all() and y == pytest.approx(p.chi_1) and ax.get_xlabel() == "σ_w"


def test_a_phase_diagram_draws_regions_and_stays_a_dataset(ax):
    import xarray

    from widelimit.numerics import meanfield

    d = meanfield.phase_diagram("tanh", sigma_w=np.linspace(0.5, 2, 5), sigma_b=[0.1, 0.2, 0.3])
    assert isinstance(d, xarray.Dataset) and isinstance(d.sel(sigma_b=0.1), xarray.Dataset)
    d.plot(ax)
    assert {text.get_text() for text in ax.texts} == {"ordered", "chaotic"}
    assert ax.get_xlabel() == "σ_w" and hasattr(d.plot, "scatter")
    fresh = Figure().add_subplot()
    d.plot(fresh, what="chi_1")
    drawn = np.concatenate([line.get_ydata() for line in fresh.get_lines()])
    assert np.sort(drawn) == pytest.approx(np.sort(d.chi_1.values.ravel()))
    with pytest.raises(ArgumentError, match=r"Argument `what` must be one of q_star, .*, but is 'chi'"):
        d.plot(Figure().add_subplot(), what="chi")


@pytest.mark.parametrize("singular", [False, True])
def test_the_density_of_a_law_is_that_of_marchenko_and_pastur(ax, singular):
    from sympy import Symbol

    from widelimit.numerics import freeprob

    law = freeprob.law(S=1 / (1 + Symbol("m")))
    law.plot(ax, singular=singular)
    x, y = np.asarray(ax.get_lines()[0].get_data(), float)
    inside = (x > 0.2) & (x < 1.9)
    x, y = x[inside], y[inside]
    quarter = np.sqrt(4 - x**2) / np.pi  # of singular values: a quarter circle
    assert y == pytest.approx(quarter if singular else np.sqrt(4 / x - 1) / (2 * np.pi), rel=1e-8)


def test_atoms_are_stems_of_their_mass_and_eigenvalues_a_histogram(ax):
    from widelimit.numerics import freeprob

    law = freeprob.multiply([(0.0, 0.5), (1.0, 0.5)], [(0.0, 0.5), (1.0, 0.5)])  # half of it is at 0
    given = np.random.default_rng(0).random(500)
    law.plot(ax, eigenvalues=given)
    bars = [patch for patch in ax.patches if hasattr(patch, "get_width")]
    assert sum(bar.get_width() * bar.get_height() for bar in bars) == pytest.approx(1)
    other = next(one for one in ax.figure.axes if one is not ax)
    (dots,) = [line for line in other.get_lines() if line.get_marker() == "o"]
    assert dict(zip(*dots.get_data(), strict=True)) == pytest.approx(dict(law.atoms))
    with pytest.raises(ArgumentError, match="Argument `eigenvalues` must be finite numbers"):
        law.plot(Figure().add_subplot(), eigenvalues=[np.nan])


def test_a_law_below_zero_has_no_singular_values(ax):
    from widelimit.numerics import freeprob
    from widelimit.theory import freeprob as laws

    with pytest.raises(ArgumentError, match="Argument `singular` must be false for a law below zero"):
        freeprob.law(laws.semicircle(1.0)).plot(ax, singular=True)


def test_bars_of_a_ridge_solution_add_up(ax):
    from widelimit.numerics import ridge

    r = ridge.solve([1, 0.1], signal=[1.0, 0.5], noise=0.1, sample_ratio=0.5, penalty=0.1)
    r.plot(ax)
    widths = dict(
        zip([t.get_text() for t in ax.get_yticklabels()], [p.get_width() for p in ax.patches], strict=True)
    )
    parts = ("label noise", "bias", "variance by inputs", "variance by noise")
    assert sum(widths[name] for name in parts) == pytest.approx(widths["test error"])
    assert widths["label noise"] == pytest.approx(0.1)


def test_a_data_set_draws_its_learning_curve_at_the_best_penalty(ax):
    from widelimit.numerics import ridge

    rng = np.random.default_rng(0)
    x = rng.standard_normal((60, 8))
    found = ridge.from_data(x, x @ np.ones(8) + rng.standard_normal(60))
    found.plot(ax)
    samples, errors = curve(ax, "predicted, best penalty")
    assert (np.diff(errors) < 0).all()  # the best penalty never makes more data hurt
    assert np.interp(60, samples, errors) == pytest.approx(found.test_error, rel=0.02)


def test_a_portrait_shows_every_fixed_point(ax):
    from widelimit.numerics import gru

    two = gru.portrait({"weight_hh": [[3.0, 0.0], [0.0, 3.0]]})
    two.plot(ax)
    shown = {line.get_label(): len(line.get_xdata()) for line in ax.get_lines()}
    assert (shown["4 sinks"], shown["1 source"], shown["4 saddles"]) == (4, 1, 4)
    assert two.plot.velocity.shape == (41, 41, 2)
    one = gru.portrait({"weight_hh": [[3.0]]})
    one.plot(Figure().add_subplot())
    with pytest.raises(ArgumentError, match="must have two units to have a plane, but has 1"):
        _ = one.plot.axis


def test_verdicts_are_drawn_in_margins(ax):
    one = claim()
    one.plot(ax)
    dots = [line for line in ax.get_lines() if line.get_marker() == "o"]
    shown = [float(line.get_xdata()[0]) for line in dots]
    assert shown == pytest.approx([(row.measured - row.predicted) / row.margin for row in one.rows])
    fresh = Figure().add_subplot()
    run(one, claim("made.other", verdict="disagrees")).plot(fresh)
    assert [tick.get_text() for tick in fresh.get_yticklabels()] == ["made.up", "made.other"]
    with pytest.raises(PictureError, match="This run has no claims"):
        RunOutcome((), {}, "quick", 0.05).plot(ax)


def test_a_pair_of_kernels_is_the_ellipse_of_its_matrix(ax):
    from widelimit.numerics import kernel

    k = kernel.predict_from_numbers("relu")
    k.plot(ax)
    x, y = curve(ax, "NNGP")
    inverse = np.linalg.inv([[k.nngp_11, k.nngp_12], [k.nngp_12, k.nngp_22]])
    assert np.einsum("ik,ij,jk->k", [x, y], inverse, [x, y]) == pytest.approx(1)


def test_chaos_shows_its_autocorrelation(ax):
    from widelimit.numerics import dynamics

    found = dynamics.random_network(2.0, time="step")
    found.plot(ax)
    lags, values = np.asarray(ax.get_lines()[0].get_data(), float)
    assert values[0] == pytest.approx(found.variance) and (lags == lags.round()).all()


def test_laws_over_many_orders_of_magnitude_show_the_density_of_the_logarithm(ax):
    from widelimit.numerics import jacobian

    law = jacobian.spectrum("tanh", sigma_w=1.5, sigma_b=0.1, depth=50)
    law.plot(ax)
    assert ax.get_xscale() == "log" and ax.get_ylabel() == "density of its log10"
    x, y = np.asarray(ax.get_lines()[0].get_data(), float)
    low, high = law.cdf(x[20]), law.cdf(x[-20])
    assert np.trapezoid(y[20:-19], np.log10(x[20:-19])) == pytest.approx(high - low, rel=1e-2)


def test_a_diagram_of_one_row_is_one_row(ax):
    from widelimit.numerics import ssl

    ssl.phase_diagram(weight_decay=[0.05, 0.3], augmentation=[0.5]).plot(ax)
    assert {text.get_text() for text in ax.texts} == {"collapses", "not collapses"}
    (mesh,) = ax.collections
    assert mesh.get_array().shape == (1, 2)
