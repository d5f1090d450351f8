"""The derivation of the topic: kernels on spheres, smoothness, sampling, cross-validation, penalty, robustness."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sympy import (
    Eq,
    Expr,
    Rational,
    Symbol,
    binomial,
    diff,
    factorial,
    gamma,
    log,
    oo,
    residue,
    simplify,
    solve,
)

from widelimit.theory.calculus.derivation import Derivation, Step
from widelimit.theory.representation import codes, evidence, kernels
from widelimit.theory.representation import crossvalidation as cv

_BACH, _BIETTI = "bach2017breaking, appendix D", "bietti2021deep"
_STRINGER, _NASSAR = "stringer2019high", "nassar2020power"
_LEDOIT = "ledoit2011eigenvectors"
_ASSUMPTIONS = (
    "kernels: inputs uniform on the sphere S^(d-1), one hidden layer without biases",
    "cross-validation: Gaussian signal, Gaussian noise that is fresh in each repeat; units and stimuli grow together",
)
_MODES = {kernels.INPUTS: (3, 6), kernels.DEGREE: (1, 6), kernels.POWER: (0, 2)}
_U = Symbol("u", positive=True)


def derive() -> Derivation:
    """What exponents mean, how kernels come by theirs, and what cross-validated PCA makes of them.

    >>> derive().result.rhs
    k**2*lambda_k
    """
    steps = (*_kernels(), *_smoothness(), *_sampling(), *_cross_validation(), *_spike(), *_uses())
    return Derivation("Spectra of representations", steps, _ASSUMPTIONS)


def _named(
    name: str, formula: Expr, because: str, left: Any, domain: Mapping[Symbol, Any], **more: Any
) -> Step:
    """A step whose left side is a name that `left` evaluates."""
    symbol = Symbol(more.pop("symbol", name), real=True)
    return Step(name, Eq(symbol, formula, evaluate=False), because, left=left, domain=domain, **more)


def _kernels() -> tuple[Step, ...]:
    d, k, s, D = kernels.INPUTS, kernels.DEGREE, kernels.POWER, kernels.DIMENSION
    counted = {d: (3, 7), k: (1, 9)}
    below = binomial(k + d - 1, d - 1) + binomial(k + d - 2, d - 1)  # harmonics up to degree k
    weight = kernels.kernel_eigenvalue() * k ** (2 * s + d)
    return (
        _named("multiplicity", kernels.multiplicity(), "homogeneous polynomials less r^2 times those of degree k - 2",
               evidence.harmonics, counted, symbol="N", source=_BACH),
        _named("multiplicity-ratio", kernels.multiplicity_ratio(), "the quotient of two of them",
               evidence.next_harmonics, counted, symbol="N_(k+1)/N_k"),
        _named("funk-hecke", kernels.coefficient(), "Rodrigues' formula moves k derivatives onto t^s, a Beta integral "
               "is left", evidence.unit_coefficient, _MODES, symbol="l_k", source=_BACH),
        Step("coefficient-ratio",
             Eq(kernels.coefficient().subs(k, k + 2) / kernels.coefficient(), kernels.coefficient_ratio(),
                evaluate=False),
             "Gamma(x + 1) = x Gamma(x)", domain={d: (3, 6), k: (2, 8), s: (2, 2)}, written=_with_even_degree),
        _named("kernel-scale", kernels.kernel_scale(), "length and direction of Gaussian weights are independent",
               evidence.gaussian_scale, {d: (2, 6), s: (0, 2)}, symbol="c"),
        _named("kernel", kernels.kernel_eigenvalue(), "the kernel is a mean over directions of products of units",
               evidence.kernel_mode, _MODES, symbol="mu_k", source=_BACH),
        _named("tangent", kernels.tangent_eigenvalue(), "u P_k = [(k + d - 2) P_(k+1) + k P_(k-1)]/(2k + d - 2)",
               evidence.tangent_mode, {d: (3, 5), k: (1, 4), s: (1, 2), kernels.KERNEL: (0.1, 1.0),
                                       kernels.BELOW: (0.1, 1.0), kernels.ABOVE: (0.1, 1.0)},
               symbol="theta_k", source=_BIETTI),
        Step("ranks", Eq(below, 2 * k ** (d - 1) / factorial(d - 1), evaluate=False),
             "all harmonics up to degree k", domain={k: (1, 2), d: (3, 4)}, kind="limit", limit=(k, oo)),
        Step("kernel-tail", Eq(weight, _tail(), evaluate=False), "Stirling's formula and Gamma's reflection; degrees "
             "of the parity of s + 1 are empty", domain={k: (1, 2), d: (3, 4), s: (1, 1)}, kind="limit", limit=(k, oo),
             source=_BACH),
        Step("kernel-exponent", Eq(Symbol("alpha", positive=True), kernels.kernel_exponent(), evaluate=False),
             "eigenvalues by degree, k^-(2s + d), at rank n ~ 2k^D/D!", domain={D: (1.5, 6.0), s: (0, 3)},
             kind="derived", by=_by_rank),
        Step("tangent-exponent", Eq(Symbol("alpha", positive=True), kernels.tangent_exponent(), evaluate=False),
             "the kernel of the slope, one power of the unit lower, outweighs the other", kind="derived",
             domain={D: (1.5, 6.0), s: (1, 3)}, by=_one_power_lower, source=_BIETTI),
    )  # fmt: skip


def _tail() -> Expr:
    """Limit of mu_k k^(2s + d) at degrees that are not empty."""
    d, s = kernels.INPUTS, kernels.POWER
    first = gamma(d / 2) * gamma(s + 1) / (2 ** (s + 1) * gamma(Rational(1, 2)) ** 2)
    return kernels.kernel_scale() * first**2 * 4 ** (s + Rational(1, 1)) * 2 ** (d - 2)


def _with_even_degree(expression: Expr) -> Expr:
    """Degrees and powers of other parity, where no Gamma function has a pole."""
    return expression.subs(kernels.DEGREE, 2 * kernels.DEGREE + 1)


def _by_rank(earlier: Mapping[str, Eq]) -> Eq:
    """Minus d log mu/d log n by the powers of k on both sides."""
    k, d, D, _s = kernels.DEGREE, kernels.INPUTS, kernels.DIMENSION, kernels.POWER
    ranks = earlier["ranks"].rhs
    power = simplify(diff(log(ranks), k) * k)
    falls = next(p.exp for p in earlier["kernel-tail"].lhs.atoms(type(k**d)) if p.base == k)
    return Eq(Symbol("alpha", positive=True), (falls / power).subs(d, D + 1), evaluate=False)


def _one_power_lower(earlier: Mapping[str, Eq]) -> Eq:
    s = kernels.POWER
    return Eq(Symbol("alpha", positive=True), earlier["kernel-exponent"].rhs.subs(s, s - 1), evaluate=False)


def _smoothness() -> tuple[Step, ...]:
    D, alpha = codes.DIMENSION, codes.EXPONENT
    return (
        Step("gradient-growth", Eq(Symbol("g", real=True), codes.gradient_growth(), evaluate=False),
             "modes up to wave number k number k^D, and their squared gradients are k^2 = n^(2/D) times their variance",
             source=_STRINGER, domain={D: (1.0, 6.0), alpha: (0.5, 1.0), codes.RANK: (1, 2)}, kind="limit",
             limit=(codes.RANK, oo), left=evidence.doubled),
        Step("smoothness-bound", Eq(alpha, codes.smoothness_bound(), evaluate=False),
             "where the growth stops", source=_STRINGER, domain={D: (1.0, 6.0)}, kind="derived", by=_stops),
    )  # fmt: skip


def _stops(earlier: Mapping[str, Eq]) -> Eq:
    (found,) = solve(earlier["gradient-growth"].rhs, codes.EXPONENT)
    return Eq(codes.EXPONENT, found, evaluate=False)


def _sampling() -> tuple[Step, ...]:
    two = {codes.OWN: (1.0, 2.0), codes.OTHER: (0.1, 0.8), codes.STIMULI: (2, 4)}
    Symbol("T", integer=True, positive=True)
    return (
        _named("sampling-shift", codes.sampling_shift(), "second-order perturbation theory: E z_n^2 z_m^2 = 1 for each "
               "stimulus", evidence.second_order, {**two, codes.STIMULI: (3, 3)}, symbol="b_nm"),
        _named("sampling-bias", codes.sampling_bias(), "the sum over the others becomes the principal value of the "
               "integral of 1/(x^alpha - 1), x = m/n", evidence.principal_value,
               {codes.RANK: (5, 50), codes.STIMULI: (100, 500), codes.EXPONENT: (1.2, 3.0)}, symbol="b_n"),
    )  # fmt: skip


_CURVE = {
    **dict(zip(evidence.SCALES, ((1.5, 2.0), (0.8, 1.0), (0.3, 0.5)), strict=True)),
    **dict.fromkeys(evidence.SHARES, (0.2, 0.9)),
    **dict.fromkeys(evidence.COUNTS, (0.5, 3.0)),
    cv.PLACE: (0.2, 1.9),
    cv.HEIGHT: (0.2, 0.8),
}


def _curve(name: str, symbol: str, formula: Expr, because: str, left: Any, **more: Any) -> Step:
    """A step about the curve, checked on three scales."""
    return _named(name, formula, because, left, _CURVE, symbol=symbol, written=evidence.on_the_curve, **more)


def _cross_validation() -> tuple[Step, ...]:
    s, m, T, w = evidence.SCALES, evidence.COUNTS, codes.STIMULI, evidence.SHARES
    plain = {key: value for key, value in _CURVE.items() if key not in (cv.PLACE, cv.HEIGHT)}
    sums = cv.SUMS
    product = sum(a * b * a * c for a, b, c in zip(s, m, w, strict=True))
    total = sum(a * b for a, b in zip(s, m, strict=True)) * sum(
        a * b * c for a, b, c in zip(s, m, w, strict=True)
    )
    return (
        _named("map", _U + sum(b * a * _U / (_U - a) for a, b in zip(s, m, strict=True)) / T,
               "the effective ridge of ridge regression, at a penalty below zero: kappa = -u, lambda = -z",
               evidence.ridge_map, {**plain, _U: (3.0, 5.0), T: (2.0, 9.0)}, symbol="z",
               source="marchenko1967distribution; mel2021anisotropic"),
        _curve("curve", "T", sums["squares"], "z is real where Im z/v = 1 - squares/T vanishes", evidence.imaginary),
        _curve("sample", "x", cv.sample_eigenvalue(), "the real part, once the imaginary part is gone",
               evidence.real_part),
        _curve("speed", "dx/da", cv.sample_slope(), "|z'|^2/Re z', as z stays real", evidence.speed),
        _curve("density", "rho", cv.density(), "1/(z - sample covariance) is (u/z)/(u - Sigma) on average",
               evidence.resolvent, source=_LEDOIT),
        _curve("rank", "-dn/da", cv.density() * cv.sample_slope(), "n(x), the imaginary part of log det(z - sample "
               "covariance), falls by the density", evidence.thinning),
        _named("conditioning", cv.SIGNAL / (cv.SIGNAL + cv.NOISE), "given the first repeat, the signal is regressed on "
               "it: E[S|X_1] = X_1 Lambda/Sigma", evidence.regressed, {cv.SIGNAL: (0.1, 1.0), cv.NOISE: (0.1, 1.0)},
               symbol="S/X"),
        _curve("cross-validated", "cv", cv.cross_validated(), "x u_n'(Lambda/Sigma) u_n, averaged over the directions "
               "of the sample eigenvalue x", evidence.published_limit, source=_LEDOIT),
        _named("second-moment", product + total / T, "over all ranks, the mean of x cv(x) is tr S^2 Lambda/Sigma of "
               "the sample covariance S: two pairings", evidence.around, {**plain, T: (3.0, 9.0)}, symbol="M_2"),
    )  # fmt: skip


def _spike() -> tuple[Step, ...]:
    spike, noise, aspect = cv.SPIKE, cv.NOISE, cv.ASPECT
    domain = {spike: (2.0, 4.0), noise: (0.5, 1.0), aspect: (0.5, 2.0)}
    return (
        Step("spike-sample", Eq(Symbol("x", positive=True), cv.spike_sample(), evaluate=False),
             "an eigenvalue outside of the bulk stands at u = l + sigma^2", source=_LEDOIT, domain=domain,
             kind="derived", by=_outside),
        Step("spike-cross-validated", Eq(Symbol("cv", real=True), cv.spike_cross_validated(), evaluate=False),
             "the residue of u (l/(l + sigma^2))/(u - l - sigma^2) dz there", domain=domain, kind="derived", by=_pole),
        Step("spike-threshold", Eq(Symbol("l_c", positive=True), cv.spike_threshold(), evaluate=False),
             "where the eigenvalue meets the bulk, dx/dl = 0", domain=domain, kind="derived", by=_meets),
        Step("spike-inverse",
             Eq(cv.spike_cross_validated().subs(spike, cv.spike_inverse()), cv.READ, evaluate=False),
             "the positive root of l^2 - e l = beta sigma^4", domain={cv.READ: (0.5, 3.0), **domain}),
    )  # fmt: skip


def _white(earlier: Mapping[str, Eq]) -> Expr:
    """z(u) of white noise alone: all scales at sigma^2, beta T of them."""
    z = earlier["map"].rhs
    places = dict.fromkeys(evidence.SCALES, cv.NOISE)
    counts = dict.fromkeys(evidence.COUNTS, cv.ASPECT * codes.STIMULI / evidence.ATOMS)
    return simplify(z.subs({**places, **counts}))


def _outside(earlier: Mapping[str, Eq]) -> Eq:
    found = _white(earlier).subs(_U, cv.SPIKE + cv.NOISE)
    return Eq(Symbol("x", positive=True), simplify(found), evaluate=False)


def _pole(earlier: Mapping[str, Eq]) -> Eq:
    at, share = cv.SPIKE + cv.NOISE, earlier["conditioning"].rhs.subs(cv.SIGNAL, cv.SPIKE)
    place = Symbol("u_1")
    integrand = share * _U / (_U - at) * diff(_white(earlier), _U)
    found = residue(integrand.subs(_U, place), place, at)
    return Eq(Symbol("cv", real=True), simplify(found), evaluate=False)


def _meets(earlier: Mapping[str, Eq]) -> Eq:
    (found,) = (
        one for one in solve(diff(earlier["spike-sample"].rhs, cv.SPIKE), cv.SPIKE) if one.is_positive
    )
    return Eq(Symbol("l_c", positive=True), found, evaluate=False)


def _uses() -> tuple[Step, ...]:
    between = {
        codes.RANK: (12, 50),
        codes.ANCHOR: (5, 12),
        codes.ANCHORED: (0.1, 1.0),
        codes.EXPONENT: (0.5, 2.0),
    }
    attack = {codes.MARGIN: (0.5, 2.0), codes.ATTACK: (0.0, 0.5), codes.DUAL: (0.5, 2.0), codes.SPREAD: (0.5, 2.0),
              codes.LENGTH: (0.5, 2.0)}  # fmt: skip
    return (
        _named("penalty-target", codes.penalty_target(), "a power law through the anchor", evidence.through_anchor,
               between, symbol="gamma_n", source=_NASSAR),
        _named("penalty", codes.penalty_term(), "the force on an eigenvalue: proportional to its excess, and one more "
               "where it is too large", evidence.force, {codes.EXCESS: (0.2, 3.0)}, symbol="R", source=_NASSAR),
        _named("robust-accuracy", codes.robust_accuracy(), "the worst attack moves the readout by epsilon times the "
               "dual norm of its weights", evidence.attacked, attack, symbol="P"),
        _named("circle-slope", codes.circle_slope(), "E |f'|^2 is minus the second derivative of the covariance",
               evidence.circle_bend, {codes.FREQUENCY: (1, 6), codes.POWER_THERE: (0.1, 1.0)}, symbol="E_f'^2",
               source=_STRINGER),
    )  # fmt: skip
