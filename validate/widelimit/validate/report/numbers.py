"""Numbers as a reader wants them: significant digits, an error in parentheses, a true minus sign, never `nan`."""

from __future__ import annotations

import math
import re

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: float, digits: int = 5) -> str:
    """Print a number with `digits` significant digits.

    >>> number(1.06395837), number(-0.25), number(1.5e-9), number(float("inf")), number(1000)
    ('1.064', '−0.25', '1.5 × 10⁻⁹', '∞', '1000')
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if math.isnan(value):
        return "not defined"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    if isinstance(value, int) and abs(value) < 10**9:
        return str(value).replace("-", "−")
    if 1e-4 <= abs(value) < 10 ** max(digits, 6):
        return (
            f"{value:.{digits}g}".replace("-", "−")
            if abs(value) < 10**digits
            else f"{value:.0f}".replace("-", "−")
        )
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    return f"{mantissa} × {power_of_ten(int(exponent))}".replace("-", "−")


def predicted(value: float, compare: str = "equal", digits: int = 5) -> str:
    """Print what is predicted: a number, or a bound.

    >>> predicted(10.0), predicted(10.0, "at least"), predicted(0.5, "at most")
    ('10', '≥ 10', '≤ 0.5')
    """
    sign = {"at least": "≥ ", "at most": "≤ "}.get(compare, "")
    return sign + number(value, digits)


def interval(low: float, high: float) -> str:
    """Print an interval; of a one-sided one, its one end.

    >>> interval(0.5, 1.25), interval(-math.inf, 6.0), interval(9.5, math.inf)
    ('0.50 … 1.25', '≤ 6', '≥ 9.5')
    """
    if math.isinf(low) != math.isinf(high):
        return f"≥ {number(low)}" if math.isinf(high) else f"≤ {number(high)}"
    wide = high - low
    if not (math.isfinite(wide) and wide > 0):
        return f"{number(low)} … {number(high)}"
    first, second = (measured(end, wide / 3) for end in (low, high))
    return f"{_bare(first)} … {_bare(second)}"


def _bare(text: str) -> str:
    """What was measured without its error in parentheses."""
    return re.sub(r"\(\d+\)", "", text)


def signed(value: float) -> str:
    """Print a number of standard errors with its sign, one decimal; zero has no sign.

    >>> signed(-0.04), signed(2.25), signed(-172.0)
    ('0.0', '+2.2', '−172.0')
    """
    if not math.isfinite(value):
        return number(value)
    text = f"{value:+.1f}".replace("-", "−")
    return "0.0" if text in ("−0.0", "+0.0") else text


def predicted_beside(value: float, error: float, compare: str = "equal") -> str:
    """Print what is predicted with the decimals of what is measured to a standard error; or a bound.

    >>> predicted_beside(0.4216, 9.8e-4), predicted_beside(1.0, 0.0), predicted_beside(10.0, 0.3, "at least")
    ('0.42160', '1', '≥ 10')
    """
    if compare != "equal" or not (error > 0 and math.isfinite(value)) or (value == 0 and error < 1e-3):
        return predicted(value, compare, 6)
    return _bare(measured(value, error))


def power_of_ten(exponent: int) -> str:
    """Print a power of ten.

    >>> power_of_ten(-12)
    '10⁻¹²'
    """
    return "10" + str(exponent).translate(SUPERSCRIPTS)


def measured(value: float, error: float) -> str:
    """Print a value with its standard error on the last two digits, as physicists do.

    >>> measured(1.0639583, 0.0012), measured(-31.4, 2.5), measured(0.5, 0.0), measured(2.1e-9, 3.0e-11)
    ('1.0640(12)', '−31.4(25)', '0.5', '2.100(30) × 10⁻⁹')
    """
    if not (math.isfinite(value) and math.isfinite(error)) or error <= 0:
        return number(value)
    scale = 0
    if value != 0 and not 1e-3 <= abs(value) < 1e6:
        scale = math.floor(math.log10(abs(value)))
    value, error = value / 10.0**scale, error / 10.0**scale
    decimals = 1 - math.floor(math.log10(error))
    if round(error * 10**decimals) >= 100:
        decimals -= 1
    places = max(0, decimals)
    if places > 12:
        return number(value * 10.0**scale, 8)
    shown = str(round(error * 10**decimals)) if decimals >= 1 else f"{error:.0f}"
    if decimals == 1 and error >= 1:
        shown = f"{error:.1f}".replace(".", "")
    text = f"{value:.{places}f}({shown})".replace("-", "−")
    return text if scale == 0 else f"{text} × {power_of_ten(scale)}"


def percent(value: float) -> str:
    """Print a relative number in per cent, two significant digits.

    >>> percent(0.0031), percent(0.25), percent(2e-7), percent(float("inf"))
    ('0.31 %', '25 %', '2 × 10⁻⁵ %', '∞')
    """
    if not math.isfinite(value):
        return number(value)
    return f"{number(100 * value, 2)} %"


def p_value(value: float) -> str:
    """Print a p-value; what is below one in a million is only said to be so.

    >>> p_value(0.0312), p_value(4e-31), p_value(1.0), p_value(2e-4)
    ('0.031', '< 10⁻⁶', '1', '2 × 10⁻⁴')
    """
    if math.isnan(value):
        return "not defined"
    if value < 1e-6:
        return "< 10⁻⁶"
    if value < 1e-3:
        return _scientific(value)
    return number(value, 2)


def _scientific(value: float) -> str:
    mantissa, exponent = f"{value:.0e}".split("e")
    return f"{mantissa} × {power_of_ten(int(exponent))}"


def duration(seconds: float) -> str:
    """Print a time that was taken.

    >>> duration(0.24), duration(42.4), duration(192), duration(7500)
    ('0.2 s', '42 s', '3 min 12 s', '2 h 5 min')
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def count(number_of: int, thing: str, plural: str = "") -> str:
    """Print a count with its noun.

    >>> count(1, "claim"), count(3, "claim"), count(0, "point")
    ('1 claim', '3 claims', 'no points')
    """
    noun = thing if number_of == 1 else plural or f"{thing}s"
    return f"{number_of:,} {noun}".replace(",", " ") if number_of else f"no {noun}"
