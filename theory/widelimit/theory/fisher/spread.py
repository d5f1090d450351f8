"""How finite width spreads the levels of the Fisher matrix: samples T and width M to infinity together, T/M fixed.

The Gram matrix of the gradients of one output is, off its diagonal, sum_l a_l K_l: K_l = X_l X_l' / M_l, T x T, of the
M_l units of layer l (l = 0 the inputs), and a_l the backward statistics of the layer above over T. Given the layer
below, K_l is a sample covariance of M_l independent units whose population is, on the samples' differences,
p_l + p'_l K_(l-1): the expectation of phi(u) phi(v) to first order in the covariance of u and v about its mean over
pairs. Replacing K_l by its deterministic equivalent s_l (p_l + p'_l K_(l-1)), from the last layer down to the inputs,
leaves a few numbers that fix each other:

    beta_(l-1) = a_(l-1) + beta_l s_l p'_l        the strength of K_(l-1) once all layers above are averaged
    t_l = s_l (p_l m + p'_l t_(l-1))              the trace of K_l times the resolvent, m that of the resolvent
    s_l = 1 / (1 + beta_l (T/M_l) (p_l m + p'_l t_(l-1)))
    z(m) = rest + sum_l beta_l s_l p_l - v m + k m^2 - 1/m

`rest` stands on the diagonal alone, v and k are the variance and the third cumulant there: gradients of single samples
differ in length, layer by layer, by what `sample_variance` says. Each layer multiplies, so that lengths are skewed, as
products are: in deep chaotic networks, whose samples have little else in common, a long one alone is the largest
eigenvalue. Independent of the rest, its law adds freely: -v m + k m^2 are the first terms of its R-transform at -m.

The bulk's upper edge is the smallest z(m) over m < 0 (fan2020spectra). The mean over samples sees T tau_l more in each
population; its eigenvalue stands clear where -1/m = sum_l beta_l s_l T tau_l has a root above the edge (baik2005phase).
With p_l = (1, 0, 0, ...) and p'_l = (0, 1, 1, ...) the same equations give the spread of the C x C matrices
J_l J_l' of the outputs' derivatives, from the readout down.
"""

from __future__ import annotations

from sympy import Expr, Symbol

SAMPLES = Symbol("T", integer=True, positive=True)
TRACE = Symbol("m", negative=True)  # of the resolvent, over the samples
BELOW = Symbol("t_(l-1)", real=True)  # trace of K_(l-1) times the resolvent
OWN = Symbol("a_(l-1)", nonnegative=True)
STRENGTH = Symbol("beta_l", nonnegative=True)
FIXED = Symbol("p_l", nonnegative=True)
CARRIED = Symbol("p'_l", nonnegative=True)
COMMON = Symbol("tau_l", real=True)
ASPECT = Symbol("gamma_l", nonnegative=True)  # samples per unit of the layer
SHRINKAGE = Symbol("s_l", positive=True)
LEVELS = Symbol("Sigma", nonnegative=True)
NOISE = Symbol("v", nonnegative=True)
REST = Symbol("r", nonnegative=True)
SKEW = Symbol("k", nonnegative=True)  # third cumulant on the diagonal
LENGTH = Symbol(
    "mu", positive=True
)  # mean, variance and third cumulant of what the layers below add on the diagonal
VARIED, SKEWED, FACTOR = (Symbol(n, nonnegative=True) for n in ("w", "t", "epsilon"))

SECOND, FOURTH, FOURTH_PAIR = (Symbol(n, positive=True) for n in ("mu_1", "mu_2", "nu"))
CORRELATION, UNITS = Symbol("rho", real=True), Symbol("M", integer=True, positive=True)
FIRST_GIVEN, SECOND_GIVEN, THIRD_GIVEN, FOURTH_GIVEN = (Symbol(f"g_{k}", real=True) for k in (1, 2, 3, 4))
VARIANCE, PAIR = Symbol("v_l", positive=True), Symbol("c_l", real=True)  # E phi^2 and E phi phi of layer l
VARIANCE_BELOW, PAIR_BELOW = Symbol("v_(l-1)", positive=True), Symbol("c_(l-1)", real=True)


def fixed() -> Expr:
    """v_l - c_l - p'_l (v_(l-1) - c_(l-1)): the part of a layer's population that does not depend on the pair."""
    return VARIANCE - PAIR - CARRIED * (VARIANCE_BELOW - PAIR_BELOW)


def common() -> Expr:
    """c_l - p'_l c_(l-1): what all pairs of samples gain in common in one layer."""
    return PAIR - CARRIED * PAIR_BELOW


def shrinkage() -> Expr:
    """1 / (1 + beta_l gamma_l (p_l m + p'_l t_(l-1))), gamma_l = T / M_l: s_l of one layer."""
    return 1 / (1 + STRENGTH * ASPECT * (FIXED * TRACE + CARRIED * BELOW))


def trace() -> Expr:
    """s_l (p_l m + p'_l t_(l-1)): the trace of K_l times the resolvent."""
    return shrinkage() * (FIXED * TRACE + CARRIED * BELOW)


def strength_below() -> Expr:
    """a_(l-1) + beta_l s_l p'_l: the strength of the layer below."""
    return OWN + STRENGTH * SHRINKAGE * CARRIED


def across() -> Expr:
    """beta_l s_l p_l: what one layer adds to a level of the samples' differences."""
    return STRENGTH * SHRINKAGE * FIXED


def along() -> Expr:
    """T beta_l s_l tau_l: what one layer adds to that along the mean over samples, besides."""
    return SAMPLES * STRENGTH * SHRINKAGE * COMMON


def location() -> Expr:
    """r + sum_l beta_l s_l p_l - v m + k m^2 - 1/m: where the resolvent has the trace m."""
    return REST + LEVELS - NOISE * TRACE + SKEW * TRACE**2 - 1 / TRACE


def sample_variance() -> Expr:
    """(3 E phi'^4 - (1 + 2 rho^2) E phi'(u)^2 phi'(v)^2) / (M (E phi'^2)^2), rho the correlation of gradients above.

    The relative variance that one hidden layer adds to |delta|^2 of a sample, beyond what two samples share:
    delta' = phi' (W' delta), where W' delta is Gaussian, of correlation rho for two samples.
    """
    return (3 * FOURTH - (1 + 2 * CORRELATION**2) * FOURTH_PAIR) / (UNITS * SECOND**2)


def multiplied() -> tuple[Expr, Expr]:
    """w (1 + e) + mu^2 e and (t + 3 w mu + mu^3)(1 + e)^3 - 3 mu (w + mu^2)(1 + e) + 2 mu^3.

    Variance and third cumulant of a quantity (mean mu, w, t) times a factor of mean 1 and variance e, to second order
    in e a log-normal one.
    """
    grown = 1 + FACTOR
    third = (SKEWED + 3 * VARIED * LENGTH + LENGTH**3) * grown**3
    return VARIED * grown + LENGTH**2 * FACTOR, third - 3 * LENGTH * (
        VARIED + LENGTH**2
    ) * grown + 2 * LENGTH**3


def kurtosis_along() -> tuple[Expr, Expr]:
    """(fourth, second): moments of phi'_1 + ... + phi'_T over T samples, given what the samples share.

    The samples are independent given that; g_k = E phi'^k. Their ratio, fourth over second squared after both are
    averaged over what is shared, says how unequal the units are that the mean over samples sees.
    """
    n = SAMPLES
    fourth = FOURTH_GIVEN + (n - 1) * (4 * THIRD_GIVEN * FIRST_GIVEN + 3 * SECOND_GIVEN**2)
    fourth += (n - 1) * (n - 2) * (6 * SECOND_GIVEN * FIRST_GIVEN**2 + (n - 3) * FIRST_GIVEN**4)
    return n * fourth, n * (SECOND_GIVEN + (n - 1) * FIRST_GIVEN**2)


def kurtosis_across() -> tuple[Expr, Expr]:
    """(second, first): moments of phi'_1^2 + ... + phi'_T^2 over T samples, given what the samples share."""
    n = SAMPLES
    return n * (FOURTH_GIVEN + (n - 1) * SECOND_GIVEN**2), n * SECOND_GIVEN
