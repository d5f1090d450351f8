r"""Moments of the Jacobian at finite width, Gaussian weights and equal widths N: means to order 1/N, and their scatter.

Given the layers below, the rows of a layer are independent: row a has the pre-activation h ~ N(0, K) and the row g of
W J, jointly Gaussian with it, and the next :math:`G'=J'^TJ'=\sum_a\phi'(h_a)^2g_ag_a^T`. So
:math:`t_k=\mathrm{tr}\,G^k/N` and K are a Markov chain. In one step

* the layer's own means :math:`M_j` of :math:`\phi'^{2j}` and S of :math:`\phi^2` scatter by 1/N, and the limit
  :math:`t_k'=F_k(M,t)` follows them to second order;
* Wick's theorem adds to tr G'^k what its pairings with one twist say (`wick`);
* g is correlated with h along :math:`u=\sqrt{s/(NK)}J^Tx`, s = sigma_w^2, x the layer's input:
  :math:`g=\sqrt{s/N}(u\hat h+(G-uu^T)^{1/2}z)`. Moments of slopes tilted by h^2/K - 1 enter with the overlaps
  :math:`\beta_k=u^TG^{k-1}u`, of which limits are needed alone.
"""

from __future__ import annotations

from sympy import Expr, Integer, Matrix, Symbol, expand, log

from widelimit.theory.calculus import exact
from widelimit.theory.jacobian.laws import sigma_w
from widelimit.theory.meanfield.formulas import sigma_b

f, slope, z = (Symbol(name, real=True) for name in ("phi", "phi_1", "z"))  # of one unit, h = sqrt(K) z
length = Symbol("K", positive=True)
t = tuple(Symbol(f"t_{k}", positive=True) for k in (1, 2, 3))
M = tuple(Symbol(f"M_{k}", positive=True) for k in (1, 2, 3))  # of a layer, in the limit mu_k
square = Symbol("S", positive=True)  # of a layer, in the limit V = E phi^2
square_tilt, square_quartic = Symbol("omega_0", real=True), Symbol("chi_0", real=True)  # E phi^2 He_k(z)
tilt = tuple(Symbol(f"omega_{k}", real=True) for k in (1, 2, 3))  # E phi'^2k (z^2 - 1)
quartic = tuple(Symbol(f"chi_{k}", real=True) for k in (1, 2, 3))  # E phi'^2k (z^4 - 6 z^2 + 3)
share = Symbol("r", nonnegative=True)  # of K that the weights make, 1 - sigma_b^2/K
overlap = tuple(Symbol(f"beta_{k}", real=True) for k in (1, 2, 3))
along = tuple(Symbol(f"pi_{k}", real=True) for k in (0, 1, 2))
energy = tuple(Symbol(f"eta_{k}", positive=True) for k in (0, 1, 2))
traces = tuple(Symbol(f"T_{k}", positive=True) for k in (1, 2, 3))  # of G, not normalised
sums = tuple(Symbol(f"D_{k}", positive=True) for k in (1, 2, 3))  # of phi'^2 over a layer, not normalised
mean_square, fourth = Symbol("V", positive=True), Symbol("phi_4", positive=True)  # E phi^2, E phi^4
mu = tuple(Symbol(f"mu_{k}", positive=True) for k in range(1, 7))  # E phi'^2k
OWN = (square, *M)
STATE = (length, *t)
ORDERS = (1, 2, 3)


@exact.takes(order=exact.order(1, 3))
def wick(order: int) -> Expr:
    """Return the mean of tr (Z' D Z G)^k over standard Gaussian Z, exactly, in traces of powers of D and G.

    >>> wick(2)
    D_1**2*T_2 + D_2*T_1**2 + D_2*T_2
    """
    (d1, d2, d3), (t1, t2, t3) = sums, traces
    if order == 1:
        return d1 * t1
    if order == 2:
        return d1**2 * t2 + d2 * t1**2 + d2 * t2
    planar = d1**3 * t3 + 3 * d1 * d2 * t1 * t2 + d3 * t1**3
    return planar + 3 * d1 * d2 * t3 + 3 * d3 * t1 * t2 + 4 * d3 * t3


@exact.takes(order=exact.order(1, 3))
def planar(order: int) -> Expr:
    """Return F_k, the limit of t_k' given the layer's own M and the t below: what of `wick` grows fastest.

    >>> planar(2)
    sigma_w**4*(M_1**2*t_2 + M_2*t_1**2)
    """
    return sigma_w ** (2 * order) * _falling(order, 0)


@exact.takes(order=exact.order(1, 3))
def twisted(order: int) -> Expr:
    """Return N times the next order of `wick`, over N.

    >>> twisted(2)
    M_2*sigma_w**4*t_2
    """
    return sigma_w ** (2 * order) * _falling(order, 1)


def _falling(order: int, power: int) -> Expr:
    """Return what falls like N^-power in `wick` over N^(k + 1), its traces N times the means M and t."""
    width = Symbol("N")
    means = {one: width * mean for one, mean in zip((*sums, *traces), (*M, *t), strict=True)}
    return expand(wick(order).subs(means)).coeff(width, order + 1 - power)


@exact.takes(order=exact.order(1, 3))
def coupled(order: int) -> Expr:
    """Return N times what the correlation of slopes and weights adds to t_k'.

    >>> coupled(1)
    beta_1*omega_1*sigma_w**2
    """
    (m1, m2, _), (t1, t2, _), (w1, w2, w3), (b1, b2, b3) = M, t, tilt, overlap
    found = {
        1: w1 * b1,
        2: 2 * m1 * w1 * b2 + w1**2 * b1**2 + 2 * w2 * t1 * b1,
        3: 3 * m1**2 * w1 * b3
        + 3 * m1 * w1**2 * b1 * b2
        + w1**3 * b1**3
        + 3 * m2 * w1 * t1 * b2
        + 3 * w2 * b1 * m1 * t2
        + 3 * w2 * t1 * (m1 * b2 + w1 * b1**2)
        + 3 * w3 * t1**2 * b1,
    }
    return sigma_w ** (2 * order) * found[order]


def layer_map() -> tuple[Expr, ...]:
    """Return K' and the three t' of a layer whose own means are S and M, in the limit.

    >>> layer_map()[:2]
    (S*sigma_w**2 + sigma_b**2, M_1*sigma_w**2*t_1)
    """
    return (sigma_w**2 * square + sigma_b**2, *(planar(k) for k in ORDERS))


def excess() -> tuple[Expr, ...]:
    """Return N times what the means of K' and of the three t' exceed those of `layer_map` by, given S and M."""
    return (Integer(0), *(twisted(k) + coupled(k) for k in ORDERS))


def overlap_map() -> tuple[Expr, ...]:
    r"""Return :math:`\beta_1',\beta_2',\beta_3'` of the next layer, in the limit; K' stands for the length there.

    A sum over the non-crossing partitions of the rows of :math:`\sum p_ap_b(g_a\cdot g_c)\cdots(g_e\cdot g_b)`, with
    p = phi phi'; `along` are E p phi'^2k z, `energy` E p^2 phi'^2k.

    >>> overlap_map()[0]
    sigma_w**4*(beta_1*pi_0**2 + eta_0*t_1)/(S*sigma_w**2 + sigma_b**2)
    """
    (m1, m2, _), (t1, t2, t3), (w1, w2, _), (b1, b2, b3) = M, t, tilt, overlap
    (p0, p1, p2), (e0, e1, e2) = along, energy
    through = m1 * b2 + w1 * b1**2  # u Q u, Q the mean of phi'^2 g g'
    first = p0**2 * b1 + e0 * t1
    second = p0**2 * through + e0 * m1 * t2 + 2 * p0 * p1 * t1 * b1 + e1 * t1**2
    third = (
        p0**2 * (m1**2 * b3 + 2 * m1 * w1 * b1 * b2 + w1**2 * b1**3)
        + e0 * m1**2 * t3
        + 2 * p0 * p1 * t1 * through
        + p0**2 * t1 * (m2 * b2 + w2 * b1**2)
        + 2 * p0 * p1 * m1 * t2 * b1
        + p1**2 * t1**2 * b1
        + e0 * m2 * t1 * t2
        + 2 * p0 * p2 * t1**2 * b1
        + 2 * e1 * m1 * t1 * t2
        + e2 * t1**3
    )
    after = layer_map()[0]
    return tuple(
        sigma_w ** (2 * k + 2) * one / after for k, one in zip(ORDERS, (first, second, third), strict=True)
    )


def statistics() -> tuple[Expr, ...]:
    """Return log m_1, m_2/m_1^2 and m_3/m_1^3 of one network.

    >>> statistics()[1]
    t_2/t_1**2
    """
    return (log(t[0]), t[1] / t[0] ** 2, t[2] / t[0] ** 3)


def integrands() -> tuple[Expr, ...]:
    """Return what has to be averaged over one unit's z, in phi, phi' and z; `averages` names them.

    Even Hermite polynomials give the derivatives by the length: d/dK = E (z^2 - 1)/(2 K), twice it
    E (z^4 - 6 z^2 + 3)/(4 K^2).
    """
    d, hermite = slope**2, (Integer(1), z**2 - 1, z**4 - 6 * z**2 + 3)
    smooth = [one * weight for one in (f**2, d, d**2, d**3) for weight in hermite]
    more = [f**4, *(f**2 * d**k for k in ORDERS), *(d**k for k in (4, 5, 6))]
    return (*smooth, *more, *(f * slope * d**k * z for k in (0, 1, 2)))


def averages() -> tuple[Symbol, ...]:
    """Return the names of `integrands`, in their order, under which formulas know them."""
    smooth = ((square, square_tilt, square_quartic), *zip(M, tilt, quartic, strict=True))
    return (*(name for three in smooth for name in three), fourth, *energy, *mu[3:], *along)


def own_covariance() -> Matrix:
    """Return N times the covariance of a layer's own S, M_1, M_2, M_3, by moments of a unit.

    >>> own_covariance()[0, 0]
    -V**2 + phi_4
    """
    means = (mean_square, *mu[:3])
    joint = {(0, 0): fourth} | {(0, k): energy[k - 1] for k in ORDERS}
    joint |= {(j, k): mu[j + k - 1] for j in ORDERS for k in ORDERS if j <= k}
    return Matrix(4, 4, lambda i, j: joint[min(i, j), max(i, j)] - means[i] * means[j])
