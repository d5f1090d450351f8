"""An implementation of the mean-field maps that shares nothing with widelimit: mpmath quadrature, 25 digits."""

from mpmath import mp, mpf, npdf, quad, sqrt, workdps

PHI = {
    "tanh": (mp.tanh, lambda x: mp.sech(x) ** 2, ()),
    "relu": (lambda x: max(x, mpf(0)), lambda x: mpf(x > 0), (0,)),
    "hard_tanh": (lambda x: max(mpf(-1), min(mpf(1), x)), lambda x: mpf(-1 < x < 1), (-1, 1)),
    "x*tanh(x)": (lambda x: x * mp.tanh(x), lambda x: mp.tanh(x) + x * mp.sech(x) ** 2, ()),
    "swish": (lambda x: x / (1 + mp.exp(-x)), lambda x: mp.diff(lambda t: t / (1 + mp.exp(-t)), x), ()),
    "sin": (mp.sin, mp.cos, ()),
}


def average(f, q, kinks=()):
    """E f(x), x ~ N(0, q), cut at kinks and at the scale of f."""
    root = sqrt(mpf(q))
    cuts = {mpf(k) / root for k in (*kinks, 0)} | {mpf(s) * 3**k / root for s in (-1, 1) for k in range(12)}
    cuts = sorted(z for z in cuts | {mpf(z) for z in range(-12, 13, 3)} if abs(z) <= 12)
    return quad(lambda z: f(root * z) * npdf(z), cuts)


def moments(name, q):
    """Return V and P."""
    phi, slope, kinks = PHI[name]
    with workdps(25):
        return average(lambda x: phi(x) ** 2, q, kinks), average(lambda x: slope(x) ** 2, q, kinks)


def pair(f, q, c):
    """E f(u1) f(u2) for smooth f by the trapezoid rule in the rotated plane, step 1/8."""
    with workdps(20):
        a, b, h = sqrt(q * (1 + mpf(c)) / 2), sqrt(q * (1 - mpf(c)) / 2), mpf(1) / 8
        nodes = [h * k for k in range(-72, 73)]
        weight = [npdf(z) * h for z in nodes]
        return sum(
            ws * wt * f(a * s + b * t) * f(a * s - b * t)
            for s, ws in zip(nodes, weight, strict=True)
            for t, wt in zip(nodes, weight, strict=True)
        )
