"""Gaussian expectations inside nopython code: the source of scalar functions that integrate by adaptive panels.

`Compiled.njit` of an expression with expectations is such a function. It follows `quadrature.panels` (same edges,
same Gauss-Kronrod rule, same stopping rule) for one row at a time; pairs are conditioned on what they share, as in
`pair.conditioned`. What does not exist comes back as inf.
"""

from __future__ import annotations

import math
import re

import numpy as np

from widelimit.numerics.compile.cache import njit
from widelimit.numerics.compile.expected import Kernel, Plan, Single
from widelimit.numerics.compile.features import Features
from widelimit.numerics.compile.printing import body
from widelimit.numerics.compile.quadrature import GAUSS, KRONROD, NODE, REACH

NODES, WHOLE, HALF = NODE, KRONROD, GAUSS  # constants of generated code
REACHES = REACH


@njit(cache=True)
def edges(mean, root, kinks, centres, scales, reach):
    """Panel edges in z: even steps, kinks, steps that grow by four around each centre."""
    steps = 2 * math.ceil(reach / 1.5)
    found = np.empty(steps + 1 + kinks.size + 81 * centres.size)
    count = 0
    for k in range(steps + 1):
        found[count] = -reach + 2 * reach * k / steps
        count += 1
    for kink in kinks:
        found[count] = (kink - mean) / root
        count += 1
    for i in range(centres.size):
        found[count] = (centres[i] - mean) / root
        count += 1
        size = scales[i]
        for _ in range(40):
            if size > reach * root + abs(mean) + abs(centres[i]):
                break
            found[count] = (centres[i] - size - mean) / root
            found[count + 1] = (centres[i] + size - mean) / root
            count += 2
            size *= 4.0
    return np.sort(np.minimum(np.maximum(found[:count], -reach), reach))


@njit(cache=True)
def common_spots(kinks, centres, scales, unit, blur, common):
    """Features of a smoothed function of the shared variable t: kinks blurred, scales no finer than the blur."""
    places, widths = np.empty(kinks.size + centres.size), np.empty(kinks.size + centres.size)
    count = 0
    for i in range(places.size):
        if unit == 0.0 or common == 0.0:
            break
        place = (kinks[i] if i < kinks.size else centres[i - kinks.size]) / unit
        width = max(blur / common, 1e-12)
        if i >= kinks.size:
            width = max(width, scales[i - kinks.size] / abs(unit))
        if abs(place) < 50.0 and width < 50.0:
            places[count], widths[count] = place, width
            count += 1
    return places[:count], widths[:count]


_EXPECTATION = """

@njit(cache=True, nogil=True, error_model="numpy")
def {name}(_mean, _q, _kinks, _centres, _scales{extra}):
    _root = math.sqrt(max(_q, 1e-290))
    _total, _size, _tail = numpy.zeros({count}), numpy.zeros({count}), numpy.zeros({count})
    _whole, _half, _magnitude = numpy.zeros({count}), numpy.zeros({count}), numpy.zeros({count})
    for _attempt in range(len(scalar.REACHES)):
        _reach = scalar.REACHES[_attempt]
        _edges = scalar.edges(_mean, _root, _kinks, _centres, _scales, _reach)
        for _k in range({count}):
            _size[_k] = _tail[_k] = 0.0
        _low, _high, _depth = numpy.empty(4096), numpy.empty(4096), numpy.empty(4096, numpy.int64)
        for _pass in range(2):
            for _k in range({count}):
                _total[_k] = 0.0
            for _e in range(_edges.size - 1):
                if _edges[_e + 1] <= _edges[_e]:
                    continue
                _top = 0
                _low[0], _high[0], _depth[0] = _edges[_e], _edges[_e + 1], 0
                while _top >= 0:
                    _a, _b, _d = _low[_top], _high[_top], _depth[_top]
                    _top -= 1
                    for _k in range({count}):
                        _whole[_k] = _half[_k] = _magnitude[_k] = 0.0
                    for _n in range(21):
                        _z = 0.5 * (_a + _b) + 0.5 * (_b - _a) * scalar.NODES[_n]
                        _w = math.exp(-0.5 * _z * _z) * 0.3989422804014327 * 0.5 * (_b - _a)
                        _f = {integrand}(_mean + _root * _z{extra})
                        for _k in range({count}):
                            _v = _f[_k] * _w
                            _whole[_k] += scalar.WHOLE[_n] * _v
                            _half[_k] += scalar.HALF[_n] * _v
                            _magnitude[_k] += scalar.WHOLE[_n] * abs(_v)
                    if _pass == 0:
                        for _k in range({count}):
                            _size[_k] += _magnitude[_k]
                            if max(abs(_a), abs(_b)) >= _reach - 1e-12:
                                _tail[_k] += _magnitude[_k]
                        continue
                    _fine = True
                    for _k in range({count}):
                        _raw = abs(_whole[_k] - _half[_k])
                        _spread = _magnitude[_k]
                        _rough = _spread * min(1.0, (200.0 * _raw / _spread) ** 1.5) if _spread > 0.0 else 0.0
                        _enough = max(1e-15 * _spread, 1e-16 * _size[_k] * 2.0 ** min(_d, 20))
                        _fine = _fine and _rough <= _enough
                    if _fine or _d >= 40 or _top + 3 >= 4096:
                        for _k in range({count}):
                            _total[_k] += _whole[_k]
                    else:
                        _middle = 0.5 * (_a + _b)
                        _low[_top + 1], _high[_top + 1], _depth[_top + 1] = _a, _middle, _d + 1
                        _low[_top + 2], _high[_top + 2], _depth[_top + 2] = _middle, _b, _d + 1
                        _top += 2
            if _pass == 0:
                _open = False
                for _k in range({count}):
                    _allowed = 2e-18 if _attempt + 1 < len(scalar.REACHES) else 1e-8
                    _open = _open or not (_size[_k] < math.inf) or _tail[_k] > _allowed * _size[_k]
                if _open:
                    break
        if not _open:
            return _total
    for _k in range({count}):
        _total[_k] = math.inf
    return _total
"""

_INTEGRAND = """

@njit(cache=True, nogil=True, error_model="numpy")
def {name}(_x{extra}):
{body}
    return ({results},)
"""

_PRODUCT = """

@njit(cache=True, nogil=True, error_model="numpy")
def {name}_shared(_t, _q1, _q2, _c, _distance{extra}):
    _common = math.sqrt(max(0.0, 1.0 - _distance))
    _m1 = math.sqrt(_q1) * _common * _t
    _m2 = math.copysign(1.0, _c) * math.sqrt(_q2) * _common * _t
    if _distance < 1e-22:
        return ({first_integrand}(_m1{extra1})[0] * {second_integrand}(_m2{extra2})[0],)
    _f = {first}(_m1, _q1 * _distance, {first_shape}{extra1})[0]
    return (_f * {second}(_m2, _q2 * _distance, {second_shape}{extra2})[0],)

{outer}

@njit(cache=True, nogil=True, error_model="numpy")
def {name}(_q1, _q2, _c, _distance{extra}):
    _blur, _common = math.sqrt(_distance), math.sqrt(max(0.0, 1.0 - _distance))
    _p1, _w1 = scalar.common_spots({first_shape}, math.sqrt(_q1) * _common, _blur, _common)
    _p2, _w2 = scalar.common_spots(
        {second_shape}, math.copysign(1.0, _c) * math.sqrt(_q2) * _common, _blur, _common
    )
    _places, _widths = numpy.concatenate((_p1, _p2)), numpy.concatenate((_w1, _w2))
    return {name}_outer(0.0, 1.0, _places, _places, _widths, _q1, _q2, _c, _distance{extra})
"""


def functions(plan: Plan) -> tuple[str, list[str]]:
    """Return the source of the functions that a plan needs, and the lines that assign its expectations."""
    arguments = tuple(str(symbol) for symbol in plan.request.arguments)
    text, lines = "", []
    for index, group in enumerate(plan.groups):
        if isinstance(group, Single):
            name = f"expectation{index}"
            text += _one(name, group.kernel, arguments)
            assigned, (q,) = body(group.variance.expressions)
            call = f"{name}(0.0, _q, {name}_kinks, {name}_centres, {name}_scales{_extra(group.kernel, arguments)})"
            lines += [*_renamed(assigned, index), f"_q = {_prefixed(q, index)}", f"_got{index} = {call}"]
            lines += [f"{symbol} = _got{index}[{k}]" for k, symbol in enumerate(group.symbols)]
            continue
        name = f"pair{index}"
        same = group.kernels[0] is group.kernels[1]
        names = [f"{name}_first", f"{name}_first" if same else f"{name}_second"]
        text += "".join(
            _one(n, k, arguments) for n, k in dict(zip(names, group.kernels, strict=True)).items()
        )
        everything = "".join(f", {argument}" for argument in arguments)
        outer = _EXPECTATION.format(
            name=f"{name}_outer",
            count=1,
            integrand=f"{name}_shared",
            extra=", _q1, _q2, _c, _distance" + everything,
        )
        shapes = [f"{n}_kinks, {n}_centres, {n}_scales" for n in names]
        text += _PRODUCT.format(
            name=name, extra=everything, outer=outer, first=names[0], second=names[1],
            first_integrand=f"{names[0]}_integrand", second_integrand=f"{names[1]}_integrand",
            first_shape=shapes[0], second_shape=shapes[1],
            extra1=_extra(group.kernels[0], arguments), extra2=_extra(group.kernels[1], arguments),
        )  # fmt: skip
        assigned, results = body(group.covariance.expressions)
        q1, q2, c, below, above = (_prefixed(result, index) for result in results)
        distance = f"min(max(min({below}, {above}), 0.0), 1.0)"
        call = f"{name}({q1}, {q2}, {c}, {distance}{everything})[0]"
        lines += [*_renamed(assigned, index), f"{group.symbols[0]} = {call}"]
    return text, lines


def _one(name: str, kernel: Kernel, arguments: tuple[str, ...]) -> str:
    assigned, results = body(kernel.compiled.expressions)
    extra = _extra(kernel, arguments)
    lines = "\n".join(f"    {line}" for line in assigned) or "    pass"
    values = ", ".join(f"float({result})" for result in results)
    integrand = _INTEGRAND.format(name=f"{name}_integrand", extra=extra, body=lines, results=values)
    expectation = _EXPECTATION.format(
        name=name, count=len(results), integrand=f"{name}_integrand", extra=extra
    )
    return _constants(name, kernel.features) + integrand + expectation


def _constants(name: str, shape: Features) -> str:
    rows = {
        "kinks": list(shape.kinks),
        "centres": [float(centre) for centre, _ in shape.spots],
        "scales": [float(scale) for _, scale in shape.spots],
    }
    return "\n" + "".join(
        f"\n{name}_{key} = numpy.array({values!r}, numpy.float64)" for key, values in rows.items()
    )


def _extra(kernel: Kernel, arguments: tuple[str, ...]) -> str:
    return "".join(f", {arguments[index]}" for index in kernel.parameters)


def _renamed(lines: list[str], index: int) -> list[str]:
    return [_prefixed(line, index) for line in lines]


def _prefixed(text: str, index: int) -> str:
    """Keep the common subexpressions of several groups apart."""
    return re.sub(r"\b_t(\d+)\b", rf"_s{index}_t\1", text)
