"""How finite width spreads the levels, as steps of `derive`."""

from __future__ import annotations

from functools import partial

from sympy import Eq, Symbol, sqrt

from widelimit.theory.calculus.derivation import Step
from widelimit.theory.fisher import spread as f
from widelimit.theory.fisher import spread_checks as checks

_LAYER = {f.STRENGTH: (0.5, 2.0), f.FIXED: (0.5, 2.0), f.ASPECT: (0.05, 0.9)}
_GIVEN = {
    f.FIRST_GIVEN: (0.3, 0.6),
    f.SECOND_GIVEN: (0.5, 0.8),
    f.THIRD_GIVEN: (0.5, 0.8),
    f.FOURTH_GIVEN: (0.6, 1.0),
}


def steps() -> tuple[Step, ...]:
    """The deterministic equivalent of one layer, stacks that can be solved, and the diagonal."""
    return (*_one_layer(), *_stacks(), *_diagonal(), *_outputs())


def _one_layer() -> tuple[Step, ...]:
    population = {
        f.VARIANCE: (1.0, 2.0), f.PAIR: (0.2, 0.8), f.CARRIED: (0.1, 0.5), f.VARIANCE_BELOW: (1.0, 2.0),
        f.PAIR_BELOW: (0.2, 0.8),
    }  # fmt: skip
    resolvent = {**_LAYER, f.CARRIED: (0.1, 1.0), f.TRACE: (-0.4, -0.1), f.BELOW: (-0.4, -0.1)}
    levels = {
        f.STRENGTH: (0.5, 2.0),
        f.SHRINKAGE: (1.0, 2.0),
        f.FIXED: (0.5, 2.0),
        f.COMMON: (0.1, 1.0),
        f.SAMPLES: (3, 8),
    }
    below = {
        f.OWN: (0.1, 1.0),
        f.STRENGTH: (0.5, 2.0),
        f.SHRINKAGE: (1.0, 2.0),
        f.CARRIED: (0.1, 1.0),
        f.FIXED: (0.5, 2.0),
    }
    return (
        Step(
            "population-fixed",
            Eq(f.FIXED, f.fixed(), evaluate=False),
            "E phi(u) phi(v) to first order in the covariance of u and v; what is left on the diagonal alone",
            source="fan2020spectra",
            domain=population,
            left=partial(checks.population, "fixed"),
        ),
        Step(
            "population-common",
            Eq(f.COMMON, f.common(), evaluate=False),
            "what all pairs of samples have in common",
            source="fan2020spectra",
            domain=population,
            left=partial(checks.population, "common"),
        ),
        Step(
            "shrinkage",
            Eq(f.SHRINKAGE, f.shrinkage(), evaluate=False),
            "a unit's samples x see the resolvent without themselves: x' Q x shrinks by its own rank one",
            source="fan2020spectra",
            domain=resolvent,
            left=checks.shrinkage,
        ),
        Step(
            "trace",
            Eq(Symbol("t_l", real=True), f.trace(), evaluate=False),
            "the trace of K_l times the resolvent is the mean of x' Q x over units",
            source="fan2020spectra",
            domain=resolvent,
            left=checks.trace,
        ),
        Step(
            "strength-below",
            Eq(Symbol("beta_(l-1)", nonnegative=True), f.strength_below(), evaluate=False),
            "K_l gives way to s_l (p_l + p'_l K_(l-1))",
            source="fan2020spectra",
            domain=below,
            left=checks.strength_below,
        ),
        Step(
            "across",
            Eq(Symbol("delta_l", nonnegative=True), f.across(), evaluate=False),
            "on the samples' differences the common part of the population is nothing",
            domain=levels,
            left=partial(checks.population_levels, "across"),
        ),
        Step(
            "along",
            Eq(Symbol("mu_l", real=True), f.along(), evaluate=False),
            "along the mean over samples it counts T times",
            domain=levels,
            left=partial(checks.population_levels, "along"),
        ),
    )  # fmt: skip


def _stacks() -> tuple[Step, ...]:
    """Where the equations can be solved: one layer, its edge and its outlier."""
    alone = {f.BELOW: 0, f.CARRIED: 0}
    flat = {f.REST: 0, f.NOISE: 0, f.SKEW: 0}
    level = f.location().subs({f.LEVELS: f.across().subs(f.SHRINKAGE, f.shrinkage().subs(alone)), **flat})
    at_edge = level.subs(f.TRACE, -1 / (f.STRENGTH * f.FIXED * sqrt(f.ASPECT) * (1 + sqrt(f.ASPECT))))
    spike = Symbol("ell", positive=True)
    clear = level.subs(f.TRACE, -1 / (f.STRENGTH * f.FIXED * (spike - 1 + f.ASPECT)))
    cumulants = {
        f.REST: (0.1, 0.3),
        f.LEVELS: (0.2, 1.0),
        f.NOISE: (0.05, 0.2),
        f.SKEW: (0.01, 0.05),
        f.TRACE: (-0.2, -0.05),
    }
    return (
        Step(
            "location",
            Eq(Symbol("z", positive=True), f.location(), evaluate=False),
            "independent of the rest, what the diagonal adds has free cumulants of its own",
            source="nica2006lectures",
            domain=cumulants,
            left=checks.location,
        ),
        Step(
            "spread",
            Eq(at_edge, f.STRENGTH * f.FIXED * (1 + sqrt(f.ASPECT)) ** 2, evaluate=False),
            "T samples of M units are no multiple of the identity: one layer alone has the law of Marchenko and "
            "Pastur, whose edge is where z(m) is stationary",
            source="fan2020spectra",
            domain=_LAYER,
        ),
        Step(
            "stands-clear",
            Eq(clear, f.STRENGTH * f.FIXED * spike * (1 + f.ASPECT / (spike - 1)), evaluate=False),
            "the mean over samples, ell times the level of their differences, is found at the place of a spike",
            source="baik2005phase",
            domain={**_LAYER, spike: (3.0, 9.0)},
        ),
    )  # fmt: skip


def _diagonal() -> tuple[Step, ...]:
    """Lengths of the samples' gradients."""
    slopes = {
        f.SECOND: (0.5, 0.9),
        f.FOURTH: (1.1, 1.5),
        f.FOURTH_PAIR: (0.85, 1.05),
        f.CORRELATION: (-0.9, 0.9),
        f.UNITS: (1, 9),
    }
    factor = {f.LENGTH: (0.5, 2.0), f.VARIED: (0.1, 0.5), f.SKEWED: (0.1, 0.5), f.FACTOR: (0.1, 0.6)}
    variance, third = f.multiplied()
    return (
        Step(
            "sample-variance",
            Eq(f.FACTOR, f.sample_variance(), evaluate=False),
            "|delta|^2 of a sample below a layer of M units is a sum of phi'^2 g^2 over them, g Gaussian; what two "
            "samples share moves no level",
            domain=slopes,
            left=checks.sample_variance,
        ),
        Step(
            "multiplied-variance",
            Eq(Symbol("w_l", nonnegative=True), variance, evaluate=False),
            "a layer multiplies what the layers below add",
            domain=factor,
            left=partial(checks.multiplied, 2),
        ),
        Step(
            "multiplied-third",
            Eq(Symbol("t_l", nonnegative=True), third, evaluate=False),
            "the same for the third cumulant, the factor log-normal",
            domain=factor,
            left=partial(checks.multiplied, 3),
        ),
    )  # fmt: skip


def _outputs() -> tuple[Step, ...]:
    """How unequal the units are that several outputs share."""
    fourth, second = f.kurtosis_along()
    square, single = f.kurtosis_across()
    domain = {**_GIVEN, f.SAMPLES: (2, 4)}
    shown = (
        ("along-fourth", "m_4", fourth, 1, 4),
        ("along-second", "m_2", second, 1, 2),
        ("across-second", "n_2", square, 2, 2),
        ("across-first", "n_1", single, 2, 1),
    )
    return tuple(
        Step(
            name,
            Eq(Symbol(symbol, real=True), formula, evaluate=False),
            "moments of a sum over samples that are independent given what they share"
            + (", of phi'^2" if power == 2 else ", of phi'"),
            domain=domain,
            left=partial(checks.of_sum, power, order),
        )
        for name, symbol, formula, power, order in shown
    )
