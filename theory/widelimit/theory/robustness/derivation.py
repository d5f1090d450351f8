"""`derive`: flips of linear units and random networks, kurtosis and protection, saturation, input geometry."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from sympy import Eq, Expr, Integer, S, Symbol, erf, gammasimp, powsimp, simplify, sqrt

from widelimit.theory.calculus.derivation import Derivation, Step
from widelimit.theory.meanfield import sigma_b, sigma_w
from widelimit.theory.robustness import checks
from widelimit.theory.robustness import formulas as f

NAYEBI, BRENDEL, MEANFIELD = "nayebi2017biologically", "brendel2017comment", "schoenholz2017deep"
_UNIT = {f.RADIUS: (0.1, 0.4), f.DUAL: (1.0, 3.0), f.STD: (0.5, 2.0), f.LENGTH: (0.5, 1.5)}
_EDGES = {f.LOW: f.offset() - f.reach(), f.HIGH: f.offset() + f.reach()}
_NEAR = {f.LOW: f.OFFSET - f.REACH, f.HIGH: f.OFFSET + f.REACH}
_ASSUMPTIONS = (
    "inputs are N(0, s^2 I), or N(mu, s^2 I) and N(-mu, s^2 I) for two classes",
    "networks are wide, with independent weights, and attacks so small that first order in epsilon holds",
)


def derive() -> Derivation:
    """Flips under attack, which laws of weights protect, and what saturation does to gradients.

    >>> derive()["least-ratio"].equation
    Eq(rho_min, 1/sqrt(k))
    """
    steps = (*_units(), *_moments(), *_kurtosis(), *_networks(), *_saturation(), *_geometry())
    return Derivation("Adversarial perturbations, kurtosis and saturation", steps, _ASSUMPTIONS)


def _units() -> tuple[Step, ...]:
    return (
        Step(
            "dual",
            Eq(Symbol("q"), f.dual_power(), evaluate=False),
            "Hoelder: the largest w . delta of an l_p ball is |w|_q",
            domain={f.POWER: (1.3, 4.0)},
            left=checks.dual,
        ),
        Step(
            "flip",
            Eq(Symbol("flip"), f.between().subs(_EDGES), evaluate=False),
            "y ~ N(c, s^2 |w|^2) is flipped where it lies within epsilon |w|_q of zero",
            source=f"{NAYEBI}, section 2",
            domain={**_UNIT, f.BIAS: (0.1, 1.0)},
            left=checks.flips,
        ),
        Step(
            "tails",
            Eq(f.between(), f.between_tails(), evaluate=False),
            "erfc = 1 - erf: what keeps its digits far out",
            domain={f.LOW: (0.5, 1.0), f.HIGH: (1.2, 3.0)},
        ),
        Step(
            "near",
            Eq(f.between().subs(_NEAR), f.between_near(), evaluate=False),
            "derivatives of the normal density are Hermite polynomials times it",
            domain={f.OFFSET: (0.3, 2.5)},
            kind="limit",
            limit=(f.REACH, 0, 12),
        ),
        Step(
            "accuracy",
            Eq(Symbol("acc"), f.accuracy().subs(f.DEFICIT, f.deficit()), evaluate=False),
            "a class mean w . mu, moved by epsilon |w|_q against it",
            domain={**_UNIT, f.OVERLAP: (0.1, 1.0)},
            left=checks.right,
        ),
        Step(
            "best-weights",
            Eq(Symbol("w"), f.soft_threshold(), evaluate=False),
            "least |w|_2 at w . mu - epsilon |w|_1 = 1: each weight solves w = mu - epsilon sign(w), or is zero",
            domain={f.MEAN: (-0.9, -0.5), f.RADIUS: (0.1, 0.4)},
            left=checks.best_weight,
        ),
    )


def _moments() -> tuple[Step, ...]:
    shapes = {"generalized_gaussian": (0.9, 2.5), "student": (5.0, 9.0), "sparse": (0.1, 0.9)}
    return tuple(
        Step(
            f"moment-{law.replace('_', '-')}",
            Eq(Symbol("E_w_r"), f.absolute_moment(law), evaluate=False),
            "the mean of |w|^r over the law's density",
            domain={f.ORDER: (1.0, 3.0)} | ({f.SHAPE: shapes[law]} if law in shapes else {}),
            left=partial(checks.moment, law=law),
        )
        for law in f.LAWS
    )


def _kurtosis() -> tuple[Step, ...]:
    nu = f.SHAPE
    return (
        Step(
            "ratio",
            Eq(Symbol("rho"), f.size_ratio(), evaluate=False),
            "|w|_1 / (sqrt(N) |w|_2) of weights whose sizes have these moments",
            source=f"{NAYEBI}, section 2",
            domain={f.M_1: (0.7, 0.9), f.M_2: (1.0, 1.5)},
            left=checks.ratio_of_two,
        ),
        Step(
            "kurtosis",
            Eq(f.KURTOSIS, f.kurtosis(), evaluate=False),
            "N |w|_4^4 / |w|_2^4 of the same",
            domain={f.M_2: (0.7, 0.9), f.M_4: (1.0, 1.5)},
            left=checks.kurtosis_of_two,
        ),
        Step(
            "student-kurtosis",
            Eq(f.KURTOSIS, 3 + 6 / (nu - 4), evaluate=False),
            "the moments of Student's law with nu = beta degrees of freedom, which exist for nu > 4",
            domain={nu: (5.0, 9.0)},
            kind="derived",
            by=_student,
        ),
        Step(
            "generalized-kurtosis",
            Eq(f.KURTOSIS, _generalized(), evaluate=False),
            "the moments of exp(-|w|^beta)",
            domain={nu: (0.5, 3.0)},
            kind="derived",
            by=_of_generalized,
        ),
        Step(
            "finite-ratio",
            Eq(Symbol("E_ratio"), f.finite_ratio(), evaluate=False),
            "second order in the fluctuations of both norms; the check sums over all draws of weights of two sizes",
            domain={f.SHAPE: (2.0, 4.0)},
            kind="limit",
            limit=(f.SIZE, S.Infinity, 2),
            left=checks.ratio_of_many,
            right=checks.expanded_ratio,
        ),
        Step(
            "least-ratio",
            Eq(Symbol("rho_min"), f.least_ratio(), evaluate=False),
            "Hoelder: (E w^2)^3 <= (E |w|)^2 E w^4, with equality for signs of density 1/k",
            domain={f.KURTOSIS: (1.5, 20.0)},
            left=checks.sparse_signs,
        ),
        Step(
            "largest-ratio",
            Eq(Symbol("rho"), Integer(1), evaluate=False),
            "a share 1/N of huge weights makes any kurtosis and does not change rho: kurtosis bounds protection, and "
            "does not give it",
            domain={f.KURTOSIS: (3.0, 20.0)},
            kind="limit",
            limit=(f.SIZE, S.Infinity, 0.5),
            left=checks.with_outliers,
        ),
    )


def _of_law(law: str) -> dict[Symbol, Expr]:
    return {one: f.absolute_moment(law, k) for k, one in enumerate((f.M_1, f.M_2, f.M_3, f.M_4), 1)}


def _student(earlier: Mapping[str, Eq]) -> Eq:
    found = earlier["kurtosis"].rhs.subs(_of_law("student"))
    return Eq(f.KURTOSIS, simplify(gammasimp(powsimp(found))), evaluate=False)


def _generalized() -> Expr:
    from sympy import gamma

    return gamma(5 / f.SHAPE) * gamma(1 / f.SHAPE) / gamma(3 / f.SHAPE) ** 2


def _of_generalized(earlier: Mapping[str, Eq]) -> Eq:
    found = earlier["kurtosis"].rhs.subs(_of_law("generalized_gaussian"))
    return Eq(f.KURTOSIS, found, evaluate=False)


def _networks() -> tuple[Step, ...]:
    domain = {
        f.RADIUS: (0.001, 0.02), f.INPUTS: (20, 900), f.LOG_GAIN: (-1.0, 3.0), sigma_w: (0.5, 3.0),
    }  # fmt: skip
    return (
        Step(
            "network-reach",
            Eq(f.REACH, f.network_reach(), evaluate=False),
            "gradients with respect to inputs are Gaussian with variance (sigma_w^2/n) prod chi; their l_1 norm is "
            "what an l_inf attack wins",
            source=f"{MEANFIELD}, eq. (14)",
            domain=domain,
            left=checks.output_reach,
        ),
        Step(
            "network-flip",
            Eq(Symbol("flip_net"), erf(f.network_reach() / sqrt(2)), evaluate=False),
            "the output is Gaussian: the law of a linear unit, without bias",
            domain=domain,
            kind="derived",
            by=_network,
        ),
    )


def _network(earlier: Mapping[str, Eq]) -> Eq:
    moved = earlier["network-reach"].rhs
    return Eq(Symbol("flip_net"), earlier["tails"].lhs.subs({f.LOW: -moved, f.HIGH: moved}), evaluate=False)


def _saturation() -> tuple[Step, ...]:
    each = [
        step
        for name in f.SATURATING
        for step in (
            Step(
                f"slope-{name}",
                Eq(f.SLOPE, f.saturated_slope(name), evaluate=False),
                "slopes are even and fall with the size of the pre-activation",
                source=f"{NAYEBI}, section 3",
                domain={f.MARGIN: (0.5, 4.0)},
                left=partial(checks.slope_at, activation=name),
            ),
            Step(
                f"slopes-{name}",
                Eq(f.SQUARED_SLOPES, f.slope_integral(name), evaluate=False),
                "the integral of phi'^2",
                left=partial(checks.squared_slopes, activation=name),
            ),
            Step(
                f"ends-{name}",
                Eq(f.ENDS, f.end_square(name), evaluate=False),
                "both ends are equally likely",
                left=partial(checks.ends, activation=name),
            ),
        )
    ]
    return (
        *each,
        Step(
            "bound",
            Eq(Symbol("dy_dx"), f.saturation_bound(), evaluate=False),
            "the norm of a product is at most the product of norms; units in a row reach it",
            source=f"{NAYEBI}, section 3",
            domain={f.LOG_NORM: (-1.0, 2.0), f.SLOPE: (0.01, 0.9), f.DEPTH: (2, 2)},
            left=checks.chain,
        ),
        Step(
            "random-saturation",
            Eq(
                Symbol("chi_1"),
                f.saturated_gain().subs(
                    {f.SQUARED_SLOPES: f.slope_integral("tanh"), f.ENDS: f.end_square("tanh")}
                ),
                evaluate=False,
            ),
            "few of the units of a random saturated layer are near zero, and these have slopes of order one",
            domain={sigma_b: (0.1, 1.0)},
            kind="limit",
            limit=(sigma_w, S.Infinity, 1),
            left=checks.tanh_gain,
        ),
    )


def _geometry() -> tuple[Step, ...]:
    return (
        Step(
            "divergence",
            Eq(Symbol("KL"), f.divergence(), evaluate=False),
            "the log of the mean of exp(shift) is its cumulant function; here of three classes",
            source=f"{BRENDEL}, section 2",
            kind="limit",
            limit=(f.REACH, 0, 1),
            left=checks.exact_divergence,
            right=checks.half_variance,
        ),
    )
