r"""A spectral law as an object: transforms, free operations, moments, atoms, all symbolic.

Conventions: :math:`G(z)=E(z-\lambda)^{-1}`, :math:`M=zG-1=\sum_{k\ge1}m_kz^{-k}`,
:math:`S(m)=\frac{1+m}{m\,M^{-1}(m)}`, :math:`R(g)=G^{-1}(g)-1/g=\sum_n\kappa_ng^{n-1}` (Voiculescu, Dykema and Nica
1992; Nica and Speicher 2006). The symbols are `m`, `z` and `g` of this module.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from sympy import (
    Eq,
    Expr,
    Integer,
    cancel,
    together,
)

from widelimit.theory.calculus import exact
from widelimit.theory.errors import ArgumentError, DomainError
from widelimit.theory.freeprob import algebraic, conversion, series
from widelimit.theory.freeprob.atoms import (
    Atom,
    atoms_of_inverse,
    atoms_of_product,
    atoms_of_sum,
    positive,
    stretched,
)
from widelimit.theory.freeprob.conversion import (
    close,
    rational,
    sequence_from_m,
    sequence_from_r,
    sequence_from_s,
    tidy,
)

m = algebraic.m
z = algebraic.z
g = conversion.g


Made = tuple[Literal["sum", "product", "power", "corner"], "Law", "Law | Expr"]


Recipe = tuple[str, tuple[Any, ...], tuple[Any, ...]]  # an operation, its arguments, those with names


def _recorded(method: Callable[..., Law]) -> Callable[..., Law]:
    """Let a law remember the operation that made it, which is what it is compared, copied and pickled by."""

    @functools.wraps(method)
    def wrapped(*args: Any, **named: Any) -> Law:
        found = method(*args, **named)
        if not isinstance(found, Law):
            return found
        recipe = method.__name__, _frozen(args), tuple((k, _frozen(v)) for k, v in sorted(named.items()))
        return replace(found, recipe=recipe)

    return wrapped


def _frozen(value: Any) -> Any:
    """An argument as something that can be hashed: sequences, those of other libraries too, as tuples.

    What is no sequence was read by the operation before and is a number, an expression, a law or a name.
    """
    if isinstance(value, str) or not isinstance(value, Iterable):
        return value
    return tuple(_frozen(part) for part in value)


def _rebuilt(recipe: Recipe) -> Law:
    """The law of a recipe, whose operations are those of this file and no others."""
    operation, args, named = recipe
    if operation not in OPERATIONS:
        raise ArgumentError("recipe", "must name an operation on laws", operation)
    found: Law = getattr(Law, operation)(*args, **dict(named))
    return found


@dataclass(frozen=True, eq=False)
class Law:
    """A law given by whichever transforms have a closed form; the others are None, the moments always exact.

    Build one with `Law.of` (any transform), with a function of `known`, or from other laws:
    ``a + b`` and ``a * b`` are free sums and products, ``a ** t`` the free multiplicative power, ``2 * a`` scales,
    `shift`, `compress`, `transpose` and `free_power` do what they say. A law without transforms in closed form can
    still be computed in numbers: it knows what it was `made` of.

    >>> marchenko_pastur = Law.of(S=1 / (1 + m))
    >>> marchenko_pastur.R, (marchenko_pastur ** 2).moments(4)
    (-1/(g - 1), (1, 3, 12, 55))
    >>> (marchenko_pastur * marchenko_pastur).polynomial
    m**3 + 3*m**2 - m*z + 3*m + 1
    """

    name: str
    S: Expr | None
    R: Expr | None
    M: Expr | None
    sequence: Callable[[int], Sequence[Expr]]
    atoms: tuple[Atom, ...] | None = None
    support: tuple[tuple[Expr, Expr], ...] | None = None

    @staticmethod
    @_recorded
    def of(
        *,
        S: Expr | None = None,
        R: Expr | None = None,
        M: Expr | None = None,
        G: Expr | None = None,
        name: str = "law",
        atoms: Sequence[tuple[Expr, Expr]] | None = None,
        support: Sequence[tuple[Expr, Expr]] | None = None,
    ) -> Law:
        """A law from one of its transforms; the others are derived where a closed form exists.

        `S` is an expression in `m`, `R` in `g`, `M` and `G` in `z`. Raises ArgumentError unless exactly one is given,
        DomainError where it cannot belong to a law (S(0) not positive).
        """
        given = [t for t in (S, R, M, G) if t is not None]
        if len(given) != 1:
            raise ArgumentError(
                "S, R, M, G",
                "must be given exactly once",
                f"{len(given)} of them",
                but=f"{len(given)} are given",
            )
        sequence: Callable[[int], Sequence[Expr]]
        told = None if atoms is None else _atoms(atoms)
        where = None if support is None else exact.pairs("support", support, _ENDS, infinite=True)
        if S is not None:
            S = exact.expression("S", S, [m])
            sequence = sequence_from_s(S)
        elif R is not None:
            R = exact.expression("R", R, [g])
            sequence = sequence_from_r(R)
        else:
            M = exact.expression("M", M, [z]) if G is None else cancel(z * exact.expression("G", G, [z]) - 1)
            sequence = sequence_from_m(M)
        S, R, M = close(S, R, M, sequence)
        return Law(
            name,
            S,
            R,
            M,
            sequence,
            told,
            None if where is None else tuple(where),
        )

    # transforms -----------------------------------------------------------------------------------------------------

    @property
    def G(self) -> Expr | None:
        """Cauchy transform G(z), or None without a closed form."""
        return None if self.M is None else together((1 + self.M) / z)

    @property
    def inverse(self) -> Expr | None:
        """z as a function of m, the inverse of M: (1 + m)/(m S(m))."""
        return None if self.S is None else together((1 + m) / (m * self.S))

    @property
    def polynomial(self) -> Expr | None:
        """P(m, z), irreducible and zero on the curve m = M(z), or None where the law is not algebraic."""
        check = list(self.moments(6))
        if self.M is not None:
            return algebraic.of_equation(m - self.M, check)
        if self.S is not None:
            return algebraic.of_equation(z * m * self.S - (1 + m), check)
        if self.R is not None:
            cauchy = (1 + m) / z
            return algebraic.of_equation(z - self.R.subs(g, cauchy) - 1 / cauchy, check)
        return self._eliminated() if self._eliminated is not None else None

    _eliminated: Callable[[], Expr | None] | None = None
    made: Made | None = (
        None  # the operation and what it was done to, for laws that have no transform in closed form
    )
    recipe: Recipe | None = None

    def __eq__(self, other: object) -> bool:
        """Whether both were made by the same operations from the same transforms."""
        if not isinstance(other, Law):
            return NotImplemented
        return self is other or (self.recipe is not None and self.recipe == other.recipe)

    def __hash__(self) -> int:
        return id(self) if self.recipe is None else hash(self.recipe)

    def __reduce__(self) -> tuple[Any, ...]:
        if self.recipe is None:
            raise TypeError(
                f"The law {self.name} was not made by an operation on laws, so it cannot be pickled."
            )
        return _rebuilt, (self.recipe,)

    def __copy__(self) -> Law:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Law:
        return self

    @property
    def equation(self) -> Eq:
        """An equation between m = M(z) and z that defines the law, explicit where that is possible.

        >>> Law.of(S=1 / (1 + m) ** 3).equation
        Eq(z, (m + 1)**4/m)
        """
        if self.M is not None:
            return Eq(m, self.M, evaluate=False)
        if self.inverse is not None:
            return Eq(z, self.inverse, evaluate=False)
        if self.R is not None:
            cauchy = (1 + m) / z
            return Eq(z, self.R.subs(g, cauchy) + 1 / cauchy, evaluate=False)
        polynomial = self.polynomial
        if polynomial is None:
            raise DomainError(f"The law {self.name} has neither a closed transform nor a polynomial.")
        return Eq(polynomial, Integer(0), evaluate=False)

    # numbers that characterise the law ------------------------------------------------------------------------------

    def moments(self, order: int) -> tuple[Expr, ...]:
        """The first `order` moments, exact."""
        return tuple(self.sequence(exact.whole("order", order, 0)))

    def cumulants(self, order: int) -> tuple[Expr, ...]:
        """The first `order` free cumulants, exact."""
        return tuple(series.cumulants_from_moments(self.moments(order), order))

    @property
    def mean(self) -> Expr:
        """First moment."""
        return self.moments(1)[0]

    @property
    def variance(self) -> Expr:
        """Second free cumulant."""
        return self.cumulants(2)[1]

    def edges(self) -> list[tuple[Expr, Expr]]:
        """Critical points (m, z) of z(m), in increasing z: among them are all edges of the support."""
        if self.inverse is None or not rational(self.inverse, m):
            raise DomainError(
                f"The law {self.name} has no rational z(m), whose critical points could be listed."
            )
        return algebraic.edges(self.inverse)

    def find_atoms(self) -> tuple[Atom, ...]:
        """Atoms: those known from the construction, else read off S at infinity and where z vanishes."""
        if self.atoms is not None:
            return self.atoms
        if self.inverse is None:
            raise DomainError(
                f"The atoms of {self.name} are not known: it has no S-transform in closed form."
            )
        return atoms_of_inverse(self.inverse)

    # free operations ------------------------------------------------------------------------------------------------

    @_recorded
    def __add__(self, other: Law) -> Law:
        """Law of a + b for free self-adjoint a, b: R-transforms and free cumulants add."""
        if not isinstance(other, Law):
            raise ArgumentError("other", "must be a law", other, "A number is added by `shift`.")

        def sequence(n: int) -> Sequence[Expr]:
            both = [a + b for a, b in zip(self.cumulants(n), other.cumulants(n), strict=True)]
            return series.moments_from_cumulants(both, n)

        R = None if self.R is None or other.R is None else cancel(self.R + other.R)
        atoms = atoms_of_sum(self.atoms, other.atoms)
        total = _combined(
            f"({self.name} + {other.name})", None, R, sequence, atoms, self, other, algebraic.total
        )
        return replace(total, made=("sum", self, other))

    __radd__ = __add__

    @_recorded
    def __mul__(self, other: Law | Expr | float) -> Law:
        """Free product with a law (law of a^(1/2) b a^(1/2)), or scaling by a number."""
        if not isinstance(other, Law):
            return self.scale(other)

        def sequence(n: int) -> Sequence[Expr]:
            first, second = (series.s_from_moments(law.moments(n), n) for law in (self, other))
            return series.moments_from_s(series.multiply(first, second, n), n)

        S = None if self.S is None or other.S is None else tidy(self.S * other.S)
        atoms = atoms_of_product(self.atoms, other.atoms)
        product = _combined(
            f"({self.name} * {other.name})", S, None, sequence, atoms, self, other, algebraic.product
        )
        return replace(product, made=("product", self, other))

    __rmul__ = __mul__

    @_recorded
    def __pow__(self, exponent: Expr | float) -> Law:
        """Free multiplicative power: S to the exponent (a law for every real exponent >= 1)."""
        exponent = exact.at_least(
            "exponent", exponent, 1, "Smaller free powers need not be laws.", symbols=True
        )

        def sequence(n: int) -> Sequence[Expr]:
            return series.moments_from_s(
                series.power(series.s_from_moments(self.moments(n), n), exponent, n), n
            )

        S = None if self.S is None else tidy(self.S**exponent)
        atoms = None
        if self.atoms is not None:
            atoms = tuple(
                Atom(x**exponent, positive(a if x.is_zero else 1 - exponent * (1 - a))) for x, a in self.atoms
            )
        name = f"{self.name}**{exponent}"
        rough = len(self.atoms or ()) > 1  # whose transform has roots: in numbers the factors tell more
        if (S is None or rough) and exponent.is_Integer:
            law = self
            for _ in range(int(exponent) - 1):
                law = law * self
            return law
        return _combined(name, S, None, sequence, atoms)

    @_recorded
    def free_power(self, t: Expr | float) -> Law:
        """Free additive convolution power: R and all free cumulants times t (a law for every t >= 1)."""
        t = exact.at_least("t", t, 1, "Smaller free powers need not be laws.", symbols=True)

        def sequence(n: int) -> Sequence[Expr]:
            return series.moments_from_cumulants([t * c for c in self.cumulants(n)], n)

        atoms = None
        if self.atoms is not None:  # Belinschi and Bercovici 2004
            atoms = tuple(Atom(t * x, positive(t * a - (t - 1))) for x, a in self.atoms)
        R = None if self.R is None else t * self.R
        return replace(_combined(f"{self.name}^(+{t})", None, R, sequence, atoms), made=("power", self, t))

    @_recorded
    def scale(self, factor: Expr | float) -> Law:
        """Law of factor * a."""
        c = exact.number("factor", factor, symbols=True)
        if c.is_zero:
            raise ArgumentError("factor", "must not be zero", factor)
        return Law(
            f"{c}*{self.name}",
            None if self.S is None else tidy(self.S / c),
            None if self.R is None else cancel(c * self.R.subs(g, c * g)),
            None if self.M is None else self.M.subs(z, z / c),
            lambda n: [c ** (k + 1) * mk for k, mk in enumerate(self.moments(n))],
            None if self.atoms is None else tuple(Atom(c * x, a) for x, a in self.atoms),
            None if self.support is None else stretched(self.support, c),
            None if self._eliminated is None else lambda: algebraic.substituted(self.polynomial, z / c),
            _scaled(self.made, c),
        )

    @_recorded
    def shift(self, amount: Expr | float) -> Law:
        """Law of a + amount."""
        b = exact.number("amount", amount, symbols=True)

        def sequence(n: int) -> Sequence[Expr]:
            cumulants = list(self.cumulants(n))
            return series.moments_from_cumulants([cumulants[0] + b, *cumulants[1:]], n)

        M = None
        if self.M is not None:  # G(z) of a + b is G(z - b)
            M = together(z * ((1 + self.M) / z).subs(z, z - b) - 1)
        R = None if self.R is None else cancel(self.R + b)
        S, R, M = close(None, R, M, sequence)
        return Law(
            f"({self.name} + {b})",
            S,
            R,
            M,
            sequence,
            None if self.atoms is None else tuple(Atom(x + b, a) for x, a in self.atoms),
            None if self.support is None else tuple((x + b, y + b) for x, y in self.support),
            made=_moved(self, b),
        )

    @_recorded
    def compress(self, fraction_kept: Expr | float) -> Law:
        """Law of the corner p a p inside p, for a free projection p of trace `fraction_kept` in (0, 1].

        Free cumulants kappa_n become t**(n-1) kappa_n, that is R(t g) and S(t m).
        """
        t = exact.fraction("fraction_kept", fraction_kept, symbols=True)

        def sequence(n: int) -> Sequence[Expr]:
            return series.moments_from_cumulants([t**k * c for k, c in enumerate(self.cumulants(n))], n)

        atoms = None
        if self.atoms is not None:
            atoms = tuple(Atom(x, positive((a - (1 - t)) / t)) for x, a in self.atoms)
        S = None if self.S is None else tidy(self.S.subs(m, t * m))
        R = None if self.R is None else cancel(self.R.subs(g, t * g))
        return replace(_combined(f"{self.name}|{t}", S, R, sequence, atoms), made=("corner", self, t))

    @_recorded
    def transpose(self, ratio: Expr | float) -> Law:
        """From A A^T to A^T A, `ratio` = (rows of A)/(columns of A): moments times ratio, zeros added or removed."""
        c = exact.positive("ratio", ratio, symbols=True)
        S = None if self.S is None else tidy((1 + m) * self.S.subs(m, m / c) / (c + m))
        atoms = None
        if self.atoms is not None:
            zero = sum((a for x, a in self.atoms if x.is_zero), Integer(0))
            rest = [Atom(x, c * a) for x, a in self.atoms if not x.is_zero]
            left = 1 - c * (1 - zero)
            if left.is_number and left < 0:
                raise ArgumentError(
                    "ratio", "must leave room for the rank", ratio, f"At most {1 / (1 - zero)}."
                )
            atoms = (Atom(Integer(0), left), *rest) if not left.is_zero else tuple(rest)
        return Law(
            f"{self.name}^T",
            S,
            None,
            None if self.M is None else cancel(c * self.M),
            lambda n: [c * mk for mk in self.moments(n)],
            atoms,
            None,
            None if self._eliminated is None else lambda: algebraic.substituted(self.polynomial, z, m / c),
        ).closed()

    def closed(self) -> Law:
        """The same law with every transform that has a closed form."""
        S, R, M = close(self.S, self.R, self.M, self.sequence)
        return replace(self, S=S, R=R, M=M)


_ENDS = "must be pairs of ends (low, high)"


def _atoms(given: Sequence[tuple[Expr, Expr]]) -> tuple[Atom, ...]:
    """Atoms as told by a caller: masses are not negative and sum to one at most."""
    told = tuple(Atom(*pair) for pair in exact.pairs("atoms", given, "must be pairs (location, mass)"))
    known = [exact.size(mass) for _, mass in told if not mass.free_symbols]
    if any(mass < 0 for mass in known) or sum(known) > 1 + 1e-9:
        raise ArgumentError("atoms", "must have masses that are not negative and sum to one at most", given)
    return told


OPERATIONS = frozenset(
    {"of", "__add__", "__mul__", "__pow__", "free_power", "scale", "shift", "compress", "transpose"}
)


# combining laws ----------------------------------------------------------------------------------------------------


def _combined(
    name: str,
    S: Expr | None,
    R: Expr | None,
    sequence: Callable[[int], Sequence[Expr]],
    atoms: tuple[Atom, ...] | None,
    first: Law | None = None,
    second: Law | None = None,
    rule: Callable[[Expr, Expr, Sequence[Expr]], Expr | None] | None = None,
) -> Law:
    S, R, M = close(S, R, None, sequence)
    if atoms is not None:
        atoms = tuple(atom for atom in atoms if not atom.mass.is_zero)

    def eliminated() -> Expr | None:
        if first is None or second is None or rule is None:
            return None
        left, right = first.polynomial, second.polynomial
        return None if left is None or right is None else rule(left, right, list(sequence(6)))

    return Law(name, S, R, M, sequence, atoms, None, eliminated)


def _moved(law: Law, amount: Expr) -> Made | None:
    """How law + amount is made: of a sum the first part is moved, to all else that is made a point mass is added."""
    if law.made is None:
        return None
    if law.made[0] == "sum":
        return "sum", law.made[1].shift(amount), law.made[2]
    return "sum", law, Law.of(R=amount, name=str(amount), atoms=[(amount, Integer(1))])


def _scaled(made: Made | None, factor: Expr) -> Made | None:
    if made is None:
        return None
    operation, first, second = made
    if operation == "sum" and isinstance(second, Law):
        second = second.scale(factor)
    return operation, first.scale(factor), second
