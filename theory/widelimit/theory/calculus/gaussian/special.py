"""Special functions that closed forms of Gaussian expectations need and SymPy does not have.

Both are ordinary SymPy functions: they differentiate, evaluate at any precision and print.
"""

from __future__ import annotations

from typing import Any

import mpmath
from sympy import Expr, Function, Rational, S, asin, erf, erfc, exp, oo, pi, sqrt
from sympy.core.function import ArgumentIndexError

from widelimit.theory.calculus.gaussian.quadrature import integral


def normal_cdf(h: Expr) -> Expr:
    """Return P(z <= h) of a standard Gaussian as `erfc(-h/sqrt(2))/2`, exact in the lower tail.

    >>> normal_cdf(S.Zero)
    1/2
    """
    return erfc(-h / sqrt(2)) / 2


def normal_density(x: Expr, variance: Expr = S.One) -> Expr:
    """Return the density of N(0, variance) at x."""
    return exp(-(x**2) / (2 * variance)) / sqrt(2 * pi * variance)


class erfcx(Function):  # type: ignore[misc]  # SymPy is untyped
    """Scaled complementary error function `exp(z**2)*erfc(z)`, finite where its factors are not.

    >>> erfcx(S(0)), erfcx(S(30)).evalf(10)
    (1, 0.01879588886)
    """

    nargs = 1

    @classmethod
    def eval(cls, z: Expr) -> Expr | None:
        """Return the values at 0 and infinity."""
        if z.is_zero:
            return S.One
        return S.Zero if z is oo else None

    def fdiff(self, argindex: int = 1) -> Expr:
        """Return the derivative, 2 z erfcx(z) - 2/sqrt(pi)."""
        if argindex != 1:
            raise ArgumentIndexError(self, argindex)
        return 2 * self.args[0] * self - 2 / sqrt(pi)

    def _eval_rewrite_as_erfc(self, z: Expr, **_: object) -> Expr:
        return exp(z**2) * erfc(z)

    def _eval_is_positive(self) -> bool | None:
        return True if self.args[0].is_real else None

    def _eval_evalf(self, prec: int) -> Expr | None:
        z = self.args[0].evalf(mpmath.libmp.prec_to_dps(prec) + 10)
        if not z.is_number:
            return None
        with mpmath.workprec(prec + 30):
            point = mpmath.mpmathify(z._to_mpmath(prec + 30))
            # erfc keeps its relative accuracy; exp(z^2) loses as many digits as z^2 has before the point.
            with mpmath.extraprec(10 + 2 * max(0, mpmath.mag(point) if point else 0)):
                value = mpmath.exp(point**2) * mpmath.erfc(point)
        return Expr._from_mpmath(value, prec)

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        text = rf"\operatorname{{erfcx}}\left({printer._print(self.args[0])}\right)"
        return text if exp is None else f"{text}^{{{exp}}}"


class BivariateNormalCDF(Function):  # type: ignore[misc]
    """P(X <= h, Y <= k) for standard Gaussians X, Y with correlation rho.

    Plackett's identity, d/d rho = density, gives the values here:
    ``Phi(h) Phi(k) + 1/(2 pi) int_0^{asin rho} exp(-(h^2 + k^2 - 2 h k sin t)/(2 cos^2 t)) dt``.

    >>> from sympy import Symbol
    >>> BivariateNormalCDF(0, 0, Symbol("rho", real=True))
    asin(rho)/(2*pi) + 1/4
    >>> BivariateNormalCDF(1, Rational(1, 2), Rational(1, 3)).evalf(20)
    0.61263834525048432459
    """

    nargs = 3

    @classmethod
    def eval(cls, h: Expr, k: Expr, rho: Expr) -> Expr | None:
        """Return the cases that are elementary."""
        if h is -oo or k is -oo:
            return S.Zero
        if h is oo:
            return normal_cdf(k)
        if k is oo:
            return normal_cdf(h)
        if rho.is_zero:
            return normal_cdf(h) * normal_cdf(k)
        if h.is_zero and k.is_zero:
            return Rational(1, 4) + asin(rho) / (2 * pi)
        if rho is S.One and (h - k).is_nonnegative:
            return normal_cdf(k)
        if rho is S.One and (h - k).is_nonpositive:
            return normal_cdf(h)
        if rho is S.NegativeOne and (h + k).is_nonpositive:
            return S.Zero
        if rho is S.NegativeOne and (h + k).is_nonnegative:
            return erf(h / sqrt(2)) / 2 + erf(k / sqrt(2)) / 2
        if h.is_number and k.is_number and h.is_comparable and k.is_comparable and h.compare(k) > 0:
            return cls(k, h, rho)  # symmetric: one spelling
        return None

    def fdiff(self, argindex: int = 1) -> Expr:
        """Return the density times a conditional distribution; for rho the bivariate density."""
        h, k, rho = self.args
        root = sqrt(1 - rho**2)
        if argindex == 1:
            return normal_density(h) * normal_cdf((k - rho * h) / root)
        if argindex == 2:
            return normal_density(k) * normal_cdf((h - rho * k) / root)
        if argindex == 3:
            return exp(-(h**2 - 2 * rho * h * k + k**2) / (2 * (1 - rho**2))) / (2 * pi * root)
        raise ArgumentIndexError(self, argindex)

    def _eval_is_positive(self) -> bool | None:
        h, k, rho = self.args
        return True if h.is_finite and k.is_finite and (1 + rho).is_positive else None

    def _eval_is_real(self) -> bool | None:
        return True if all(arg.is_extended_real for arg in self.args) else None

    def _eval_evalf(self, prec: int) -> Expr | None:
        digits = mpmath.libmp.prec_to_dps(prec) + 15
        numbers = [arg.evalf(digits * wide) for arg, wide in zip(self.args, (1, 1, 2), strict=True)]
        if not all(number.is_number and number.is_extended_real for number in numbers):
            return None
        with mpmath.workprec(prec + 40):
            h, k, rho = (number._to_mpmath(2 * prec + 80) for number in numbers)
            value = _bivariate(h, k, rho, prec)
        return Expr._from_mpmath(value, prec)

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        text = rf"\Phi_2\left({', '.join(printer._print(arg) for arg in self.args)}\right)"
        return text if exp is None else f"{text}^{{{exp}}}"

    def _mathml_presentation(self, printer: Any) -> Any:
        dom = printer.dom
        row, name, fence = (dom.createElement(tag) for tag in ("mrow", "msub", "mrow"))
        for tag, text in (("mi", "Φ"), ("mn", "2")):
            part = dom.createElement(tag)
            part.appendChild(dom.createTextNode(text))
            name.appendChild(part)
        pieces = ["(", *[item for arg in self.args for item in (arg, ",")][:-1], ")"]
        for piece in pieces:
            if isinstance(piece, str):
                part = dom.createElement("mo")
                part.appendChild(dom.createTextNode(piece))
            else:
                part = printer._print(piece)
            fence.appendChild(part)
        row.appendChild(name)
        row.appendChild(fence)
        return row


def _bivariate(h: Any, k: Any, rho: Any, prec: int) -> Any:
    """Integrate the density over the correlation from 0 (rho > 0) or -1 (rho < 0): every term is positive.

    Starting at -1 keeps the relative accuracy of a tiny probability, which the difference from 0 would lose.
    """
    if abs(rho) > 1:
        return mpmath.mpf("nan")
    if rho == 1:
        return mpmath.ncdf(min(h, k))
    # mpmath.ncdf(h) - mpmath.ncdf(-k) is P(-k < X <= h), the joint probability at rho = -1.
    opposite = mpmath.ncdf(h) - mpmath.ncdf(-k) if h + k > 0 else mpmath.mpf(0)
    if rho == -1:
        return opposite

    side = mpmath.sign(rho)
    distance = abs(h - side * k)

    def density(gap: Any) -> Any:  # over the angle of the correlation, measured from the nearer right angle
        # (h^2 + k^2 - 2 h k sin(angle))/(2 cos(angle)^2), without its cancellation at small gaps
        half = mpmath.cos(gap / 2)
        return mpmath.exp(-(distance**2) / (2 * mpmath.sin(gap) ** 2) - side * h * k / (2 * half * half))

    with mpmath.workprec(2 * mpmath.mp.prec):
        end = 2 * mpmath.asin(mpmath.sqrt((1 - abs(rho)) / 2))  # the gap of rho itself
    low, high = (end, mpmath.pi / 2) if rho > 0 else (mpmath.mpf(0), end)
    known = mpmath.ncdf(h) * mpmath.ncdf(k) if rho > 0 else opposite
    top = max(density(low) if low else 0, density(high))
    worst = prec - mpmath.log(top, 2) if top else prec
    if distance:  # the exponent grows like (distance/gap)^2/2 as the gap closes
        low = min(max(low, distance / mpmath.sqrt(2 * worst * mpmath.log(2))), high)
    cuts = [high]
    while cuts[-1] / 2 > max(low, mpmath.ldexp(1, -prec)):
        cuts.append(cuts[-1] / 2)
    if not low < high:
        return known
    with mpmath.extraprec(2 * max(0, mpmath.mag(worst))):  # a large exponent costs its digits
        area = integral(density, [low, *reversed(cuts)], mpmath.libmp.prec_to_dps(prec) + 3)
    return known + area / (2 * mpmath.pi)
