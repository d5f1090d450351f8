"""Special functions for nopython code.

SciPy's scalar functions (`scipy.special.cython_special`) are C functions: their addresses are entered in LLVM's
symbol table under names of our own, and numba calls the names. Code that calls them can be cached on disk,
because the name is looked up anew in every process that imports this module. What SciPy does not export
(Lambert's W) or does not have (the bivariate normal distribution function) is written here.
"""

from __future__ import annotations

import cmath
import ctypes
import math
import re
from typing import Any

import llvmlite.binding
import numpy as np
import scipy.special.cython_special as cython_special
from numba import types

from widelimit.numerics.compile.cache.linking import njit

SCIPY: dict[str, int] = {  # name in cython_special: number of real arguments
    **dict.fromkeys(
        ("erfcx", "erfi", "erfinv", "erfcinv", "ndtr", "log_ndtr", "ndtri", "dawsn", "psi", "gammaln"), 1
    ),
    **dict.fromkeys(
        ("ellipk", "ellipkm1", "ellipe", "expi", "exp1", "j0", "j1", "i0", "i1", "k0", "k1", "spence"), 1
    ),
    **dict.fromkeys(("owens_t", "jv", "yv", "iv", "kv", "gammainc", "gammaincc", "beta", "betaln"), 2),
    **dict.fromkeys(("betainc", "hyp1f1"), 3),
    "hyp2f1": 4,
}


def _capsule(name: str, arguments: int) -> tuple[int, int]:
    """Return the address of SciPy's all-double variant of `name` and its number of trailing dummy integers."""
    get_name, get_pointer = ctypes.pythonapi.PyCapsule_GetName, ctypes.pythonapi.PyCapsule_GetPointer
    get_name.restype, get_name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    get_pointer.restype, get_pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    for key, capsule in cython_special.__pyx_capi__.items():
        if re.fullmatch(rf"(__pyx_fuse_[0-9]+(_[0-9]+)*)?{name}", key):
            signature = get_name(capsule)
            takes = re.fullmatch(r"double \((.*)\)", signature.decode())
            parts = [] if takes is None else [part.split()[0] for part in takes[1].split(",")]
            if parts[:arguments] == ["double"] * arguments and set(parts[arguments:]) <= {"int"}:
                return get_pointer(capsule, signature), len(parts) - arguments
    raise ImportError(f"this SciPy has no scalar `{name}` of {arguments} doubles")


def _external(name: str, arguments: int) -> Any:
    address, dummies = _capsule(name, arguments)
    llvmlite.binding.add_symbol(f"widelimit_{name}", address)
    signature = types.float64(*([types.float64] * arguments + [types.int32] * dummies))
    call = types.ExternalFunction(f"widelimit_{name}", signature)
    letters = ", ".join("abcd"[:arguments])
    source = f"def {name}({letters}):\n    return call({', '.join([letters] + ['0'] * dummies)})\n"
    scope: dict[str, Any] = {"call": call}
    exec(source, scope)  # text made of the two table entries above only
    return njit(scope[name])


for _name, _arguments in SCIPY.items():
    globals()[_name] = _external(_name, _arguments)
owens_t = globals()["owens_t"]


@njit
def expit(x):
    """Logistic function 1/(1 + exp(-x)); both tails keep their digits and nothing overflows."""
    if x >= 0:
        return 1.0 / (1.0 + math.exp(-x))
    return math.exp(x) / (1.0 + math.exp(x))


@njit
def log1pexp(x):
    """Softplus log(1 + exp(x)) without overflow."""
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


@njit
def heaviside(x, at_zero):
    """Unit step."""
    return 0.0 if x < 0 else (1.0 if x > 0 else at_zero)


@njit
def sign(x):
    """Sign of x, 0 at 0."""
    return 0.0 if x == 0 else math.copysign(1.0, x)


@njit
def normal_cdf(x):
    """Distribution function of the standard Gaussian."""
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


@njit
def bvn(h, k, one_minus, one_plus):
    """Bivariate normal distribution function P(X <= h, Y <= k) at correlation rho.

    rho enters as 1 - rho and 1 + rho, so that a correlation next to 1 or -1 keeps all digits of the distance.
    Owen (1956), with s = sqrt((1 - rho)(1 + rho)):
    ``Phi2 = (Phi(h) + Phi(k))/2 - T(h, (k - rho h)/(h s)) - T(k, (h - rho k)/(k s)) - [h k < 0 or h k = 0 > h + k]/2``.
    Absolute error about 1e-16.
    """
    if math.isnan(h + k + one_minus + one_plus) or one_minus < 0 or one_plus < 0:
        return math.nan if not (math.isinf(h) and math.isinf(k)) else _bvn_at_infinity(h, k)
    if math.isinf(h) or math.isinf(k):
        return _bvn_at_infinity(h, k)
    if one_minus == 0.0:
        return normal_cdf(min(h, k))
    if one_plus == 0.0:
        return max(0.0, normal_cdf(h) - normal_cdf(-k))
    root = math.sqrt(one_minus * one_plus)
    if h == 0.0 and k == 0.0:
        return 0.5 * (0.5 + math.atan2(0.5 * (one_plus - one_minus), root) / math.pi)
    # k - rho h, from whichever end loses nothing
    if one_minus < one_plus:
        above_h, above_k = (k - h) + one_minus * h, (h - k) + one_minus * k
    else:
        above_h, above_k = (k + h) - one_plus * h, (h + k) - one_plus * k
    value = 0.5 * (normal_cdf(h) + normal_cdf(k)) - _owen(h, above_h, root) - _owen(k, above_k, root)
    if h * k < 0.0 or (h * k == 0.0 and h + k < 0.0):
        value -= 0.5
    return min(max(value, 0.0), 1.0)


@njit
def _owen(h, above, root):
    """Owen's T(h, above/(h root)) with its limit at h = 0."""
    if h == 0.0:
        return 0.25 if above > 0 else (-0.25 if above < 0 else 0.0)
    return owens_t(h, above / (h * root))


@njit
def _bvn_at_infinity(h, k):
    if h == -math.inf or k == -math.inf:
        return 0.0
    return normal_cdf(k) if h == math.inf else normal_cdf(h)


@njit
def lambertw(x, branch):
    """Lambert's W on the real line: branch 0 for x >= -1/e, branch -1 for -1/e <= x < 0; NaN elsewhere."""
    if math.isnan(x) or (branch != 0 and branch != -1):
        return math.nan
    if x == 0.0:
        return 0.0 if branch == 0 else -math.inf
    if x == math.inf:
        return math.inf if branch == 0 else math.nan
    gap = math.e * ((x + 0.36787944117144233) - 1.2428753672788363e-17)  # 1 + e x with 1/e in two doubles
    if gap < 0.0:
        return -1.0 if gap > -1e-15 else math.nan
    if branch == -1 and x > 0:
        return math.nan
    p = math.sqrt(2.0 * gap) * (1.0 if branch == 0 else -1.0)
    if abs(p) < 0.02:  # series at the branch point (Corless et al. 1996, eq. 4.22)
        series = 769.0 / 17280.0 - p * (221.0 / 8505.0 - p * 680863.0 / 43545600.0)
        return -1.0 + p * (1.0 - p * (1.0 / 3.0 - p * (11.0 / 72.0 - p * (43.0 / 540.0 - p * series))))
    if branch == 0:
        w = (
            -1.0 + p * (1.0 - p / 3.0)
            if gap < 1.0
            else (math.log1p(x) if x < 10 else math.log(x) - math.log(math.log(x)))
        )
    elif gap < 0.4:
        w = -1.0 + p * (1.0 - p / 3.0)
    else:
        w = math.log(-x)
        w -= math.log(-w)
    for _ in range(30):  # Halley; divided by exp(w), so that nothing overflows
        f = w - x * math.exp(-w)
        step = f / (w + 1.0 - (w + 2.0) * f / (2.0 * w + 2.0))
        w -= step
        if abs(step) <= 4e-16 * abs(w):
            break
    return w


@njit
def lambertw_complex(z, branch):
    """Lambert's W on the complex plane, any branch; the cuts are those of Corless et al. (1996)."""
    if z == 0:
        return 0j if branch == 0 else complex(-math.inf, 0.0)
    gap = math.e * ((z + 0.36787944117144233) - 1.2428753672788363e-17)  # 1 + e z with 1/e in two doubles
    other = (branch == -1 and z.imag >= 0) or (branch == 1 and z.imag < 0)
    near = (branch == 0 and abs(gap) < 1.0) or (other and abs(gap) < 0.3)
    if near:
        p = cmath.sqrt(2.0 * gap) * (1.0 if branch == 0 else -1.0)
        w = -1.0 + p * (1.0 - p * (1.0 / 3.0 - p * (11.0 / 72.0 - p * 43.0 / 540.0)))
        if abs(p) < 1e-3:
            return w
    elif branch == 0 and abs(z) < 1.0:
        w = z * (1.0 + 2.0 * z) / (1.0 + 3.0 * z) if abs(1.0 + 3.0 * z) > 0.3 else z
    else:
        log = cmath.log(z) + 2j * math.pi * branch
        w = log - cmath.log(log) if abs(log) > 0.1 else log
    for _ in range(60):
        f = w - z * cmath.exp(-w)
        step = f / (w + 1.0 - (w + 2.0) * f / (2.0 * w + 2.0))
        w -= step
        if abs(step) <= 4e-16 * abs(w):
            break
    return w


def _weideman(terms: int) -> tuple[float, tuple[float, ...]]:
    """Coefficients of Weideman's rational expansion of the Faddeeva function (SIAM J. Numer. Anal. 31, 1994)."""
    count = 2 * terms
    scale = math.sqrt(terms / math.sqrt(2.0))
    t = scale * np.tan(np.arange(-count + 1, count) * math.pi / (2 * count))
    values = np.concatenate(([0.0], np.exp(-t * t) * (scale * scale + t * t)))
    coefficients = np.flipud(np.fft.fft(np.fft.fftshift(values)).real[1 : terms + 1] / (2 * count))
    return scale, tuple(map(float, coefficients))  # a tuple, since numba caches no global arrays


_FADDEEVA_SCALE, _FADDEEVA = _weideman(48)


@njit
def erf_complex(z):
    """Error function on the complex plane: its series near 0, 1 - exp(-z^2) w(iz) elsewhere (error 1e-15)."""
    if abs(z) < 1.0:
        return _erf_series(z)
    sign = 1.0 if z.real >= 0 else -1.0
    return sign * (1.0 - _erfc_right(sign * z))


@njit
def ndtr_complex(z):
    """Normal distribution function on the complex plane, with relative accuracy where it is small."""
    y = -z / math.sqrt(2.0)
    if abs(y) < 1.0:
        return 0.5 - 0.5 * _erf_series(y)
    return 0.5 * _erfc_right(y) if y.real >= 0 else 1.0 - 0.5 * _erfc_right(-y)


@njit
def _erf_series(z):
    term, total = z, z
    for n in range(1, 40):
        term *= -z * z / n
        total += term / (2 * n + 1)
    return 2.0 / math.sqrt(math.pi) * total


@njit
def _erfc_right(y):
    """exp(-y^2) w(iy), for Re y >= 0."""
    below = _FADDEEVA_SCALE + y  # scale - i (i y)
    ratio = (_FADDEEVA_SCALE - y) / below
    series = 0j
    for coefficient in _FADDEEVA:
        series = series * ratio + coefficient
    return cmath.exp(-y * y) * (2.0 * series / (below * below) + (1.0 / math.sqrt(math.pi)) / below)
