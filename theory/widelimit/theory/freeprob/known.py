"""The laws that have names. Each is a `Law` with its transforms, atoms and support.

Parameters are real numbers of any kind or SymPy expressions in symbols; each raises `ArgumentError` for text, NaN,
infinity and what belongs to no law.
"""

from __future__ import annotations

from collections.abc import Sequence

from sympy import Expr, Integer, Max, Mul, exp, sqrt

from widelimit.theory.calculus import exact
from widelimit.theory.errors import ArgumentError
from widelimit.theory.freeprob.atoms import stretched
from widelimit.theory.freeprob.law import Law, g, m, z

MOST = 100  # factors of a product


def point_mass(location: Expr | float = 1) -> Law:
    """All mass at one point.

    >>> point_mass(3).moments(3), point_mass(3).S
    ((3, 9, 27), 1/3)
    """
    x = exact.number("location", location, symbols=True)
    if x.is_zero:
        return Law.of(R=Integer(0), name="point_mass(0)", atoms=[(0, 1)])
    return Law.of(M=x / (z - x), name=f"point_mass({x})", atoms=[(x, 1)], support=[])


def mixture(atoms: Sequence[tuple[Expr | float, Expr | float]]) -> Law:
    """Finitely many atoms, given as (location, mass); the masses sum to one.

    >>> from sympy import Rational
    >>> mixture([(0, Rational(1, 2)), (1, Rational(1, 2))]).M
    1/(2*(z - 1))
    """
    pairs = exact.pairs("atoms", atoms, "must be pairs (location, mass)")
    masses: dict[Expr, Expr] = {}
    for x, a in pairs:
        if a.is_negative if a.free_symbols else exact.size(a) < 0:
            raise ArgumentError("atoms", "must have masses that are not negative", but=f"has mass {a} at {x}")
        if not a.free_symbols and not a.is_zero and exact.size(a) < 1 / exact.SPAN:
            raise ArgumentError("atoms", "must have masses of 1e-30 or more", but=f"has mass {a} at {x}")
        masses[x] = masses.get(x, Integer(0)) + a
    total = sum(masses.values(), Integer(0))
    if not total.free_symbols and abs(exact.size(total) - 1) > 1e-12:
        raise ArgumentError("atoms", "must have masses that sum to one", but=f"they sum to {total}")
    kept = [(x, a) for x, a in masses.items() if not a.is_zero]
    return Law.of(
        M=sum((a * x / (z - x) for x, a in kept), Integer(0)).factor(),
        name="mixture",
        atoms=kept,
        support=[],
    )


def bernoulli(p: Expr | float) -> Law:
    """A projection of trace p: mass p at 1, 1 - p at 0.

    >>> from sympy.abc import p
    >>> bernoulli(p).S
    (m + 1)/(m + p)
    """
    p = exact.fraction("p", p, symbols=True)
    atoms = [(Integer(0), 1 - p), (Integer(1), p)]
    return Law.of(S=(1 + m) / (m + p), name=f"bernoulli({p})", atoms=atoms, support=[])


def semicircle(variance: Expr | float = 1) -> Law:
    """Wigner's law on [-2 s, 2 s], s^2 the variance: R = variance g.

    >>> semicircle().moments(6)
    (0, 1, 0, 2, 0, 5)
    """
    v = exact.scaled("variance", variance, symbols=True)
    return Law.of(R=v * g, name=f"semicircle({v})", atoms=[], support=[(-2 * sqrt(v), 2 * sqrt(v))])


def marchenko_pastur(ratio: Expr | float = 1, scale: Expr | float = 1) -> Law:
    """Law of X X^T / n for X of p x n entries of variance `scale`, ratio = p/n: S = 1/(scale (1 + ratio m)).

    >>> marchenko_pastur(2).find_atoms()
    (Atom(location=0, mass=1/2),)
    """
    c, v = exact.scaled("ratio", ratio, symbols=True), exact.scaled("scale", scale, symbols=True)
    zero = Max(0, 1 - 1 / c)
    return Law.of(
        S=1 / (v * (1 + c * m)),
        name=f"marchenko_pastur({c})",
        atoms=[] if zero == 0 else [(0, zero)],
        support=[(v * (1 - sqrt(c)) ** 2, v * (1 + sqrt(c)) ** 2)],
    )


def free_poisson(rate: Expr | float, jump: Expr | float = 1) -> Law:
    """Free Poisson law: all free cumulants are rate * jump**n.

    >>> free_poisson(2, 3).cumulants(3)
    (6, 18, 54)
    """
    r, j = exact.scaled("rate", rate, symbols=True), exact.number("jump", jump, symbols=True)
    if j.is_zero:
        raise ArgumentError("jump", "must not be zero", jump)
    if not j.free_symbols:
        exact.between("jump", j, jump)
    zero = Max(0, 1 - r)
    return Law.of(
        R=r * j / (1 - j * g),
        name=f"free_poisson({r}, {j})",
        atoms=[] if zero == 0 else [(0, zero)],
        support=stretched([((1 - sqrt(r)) ** 2, (1 + sqrt(r)) ** 2)], j),
    )


def arcsine(radius: Expr | float = 2) -> Law:
    """Arcsine law on [-radius, radius]; radius 2 is u + u^* for a Haar unitary u.

    >>> arcsine().moments(6)
    (0, 2, 0, 6, 0, 20)
    """
    r = exact.scaled("radius", radius, symbols=True)
    return Law.of(G=1 / (sqrt(z - r) * sqrt(z + r)), name=f"arcsine({r})", atoms=[], support=[(-r, r)])


def haar_orthogonal(sigma: Expr | float = 1) -> Law:
    """W W^T for W = sigma O, O Haar orthogonal: all mass at sigma^2."""
    return point_mass(exact.scaled("sigma", sigma, symbols=True) ** 2)


def fuss_catalan(factors: Expr | int) -> Law:
    """Squared singular values of a product of square Gaussian matrices of entry variance 1/N: S = (1 + m)**-factors.

    >>> fuss_catalan(2).moments(4)
    (1, 3, 12, 55)
    """
    n = exact.at_least("factors", factors, 1, symbols=True)
    if not n.free_symbols and n > MOST:
        raise ArgumentError("factors", f"must be at most {MOST}", factors, "The law's degree grows with it.")
    top = (n + 1) ** (n + 1) / n**n
    return Law.of(S=(1 + m) ** (-n), name=f"fuss_catalan({n})", atoms=[], support=[(Integer(0), top)])


def wishart_product(ratios: Sequence[Expr | float]) -> Law:
    """J^T J of a product J of Gaussian layers, normalised by the input width N_0; ratios N_0/N_l, fan-out
    variance 1/N_l.

    >>> wishart_product([1, 1]).moments(3)
    (1, 3, 12)
    """
    lam = [exact.scaled("ratios", r, symbols=True) for r in exact.numbers("ratios", ratios, symbols=True)]
    if not lam:
        raise ArgumentError("ratios", "must be positive and at least one", ratios)
    zero = Max(0, *(1 - 1 / r for r in lam))
    return Law.of(
        S=1 / Mul(*(1 + r * m for r in lam)), name="wishart_product", atoms=[] if zero == 0 else [(0, zero)]
    )


def multiplicative_brownian(t: Expr | float) -> Law:
    """Free multiplicative Brownian motion, the law of b_t b_t^*, normalised to mean one: S = exp(-t m).

    Its support is [x_-, x_+], x_pm = (1 + m)/m exp(t m) at m = (-1 pm sqrt(1 + 4/t))/2.

    >>> from sympy.abc import t
    >>> multiplicative_brownian(t).moments(3)[:2]
    (1, t + 1)
    """
    t = exact.scaled("t", t, symbols=True)
    y = 2 / (t * (1 + sqrt(1 + 4 / t)))  # the upper m; the lower one is -1 - y
    edges = [y / (1 + y) * exp(-t * (1 + y)), (1 + y) / y * exp(t * y)]
    return Law.of(
        S=exp(-t * m), name=f"multiplicative_brownian({t})", atoms=[], support=[(edges[0], edges[1])]
    )
