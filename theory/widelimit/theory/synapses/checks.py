"""What the names in the derivation stand for, by numbers: explicit paths, small ensembles, quadratures."""

from __future__ import annotations

from typing import Any

import mpmath

from widelimit.theory.calculus.ensembles import over_signs
from widelimit.theory.calculus.precision import Values, evaluate, numbers
from widelimit.theory.synapses import formulas as f


def _step(curvature: Any, rate: Any, momentum: Any) -> Any:
    """Displacement and velocity after a step of heavy-ball descent, as a matrix."""
    return mpmath.matrix([[1 - rate * curvature, momentum], [-rate * curvature, momentum]])


def _sums(first: Any, second: Any, starts: tuple[Any, Any], rate: Any, momentum: Any) -> Any:
    """Sum over the whole path of the outer product of two states, from M = A M B' + start."""
    one, two = _step(first, rate, momentum), _step(second, rate, momentum)
    system = mpmath.eye(4)
    for i in range(2):
        for j in range(2):
            for k in range(2):
                for m in range(2):
                    system[2 * i + j, 2 * k + m] -= one[i, k] * two[j, m]
    right = mpmath.matrix([starts[0] * starts[1], 0, 0, 0])
    return mpmath.lu_solve(system, right)


def entry(values: Values, dps: int) -> Any:
    """Return minus the sum of gradient times step, of either order of two eigenvectors, along a whole path."""
    first, second, rate, momentum = numbers(values, dps, f.FIRST, f.SECOND, f.RATE, f.MOMENTUM)
    starts = numbers(values, dps, f.START_A, f.START_B)
    found = []
    for one, two in ((first, second), (second, first)):
        sums = _sums(one, two, starts, rate, momentum)
        found.append(one * (rate * two * sums[0] - momentum * sums[1]))
    return (found[0] + found[1]) / 2


def one_dimension(values: Values, dps: int) -> Any:
    """Return the same of one parameter over the square of its displacement."""
    curvature, rate, momentum = numbers(values, dps, f.CURVATURE, f.RATE, f.MOMENTUM)
    sums = _sums(curvature, curvature, (mpmath.mpf(1), mpmath.mpf(1)), rate, momentum)
    return curvature * (rate * curvature * sums[0] - momentum * sums[1])


def taylor(values: Values, dps: int) -> Any:
    """Return the gain - g Delta of one step of two parameters."""
    first, second = numbers(values, dps, f.START_A, f.START_B)
    gradient, move = _quadratic(first, second)
    return -(gradient[0] * move[0] + gradient[1] * move[1])


def _quadratic(first: Any, second: Any) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    hessian = ((mpmath.mpf(2), mpmath.mpf("0.7")), (mpmath.mpf("0.7"), mpmath.mpf(1)))
    gradient = tuple(row[0] * first + row[1] * second for row in hessian)
    return gradient, (mpmath.mpf("-0.3"), mpmath.mpf("0.2"))


def _energy(first: Any, second: Any) -> Any:
    return first**2 + mpmath.mpf("0.7") * first * second + second**2 / 2


def drop(values: Values, dps: int) -> Any:
    """Return the loss before less that after the step, and half of Delta'H Delta."""
    first, second = numbers(values, dps, f.START_A, f.START_B)
    _, move = _quadratic(first, second)
    curved = _energy(*move)
    return _energy(first, second) - _energy(first + move[0], second + move[1]) + curved


def ratio(values: Values, dps: int) -> Any:
    """Return a share of the loss over the square of a displacement with a constant beside it."""
    path, start, damping = numbers(values, dps, f.PATH, f.START, f.DAMPING)
    return path / mpmath.fsum((start * start, damping))


def exceeds(values: Values, dps: int) -> Any:
    """Return P(r^2 / d^2 > x) of a normal displacement whose density at 0 is p_0."""
    density, root, threshold = numbers(values, dps, f.DENSITY, f.ROOT_MEAN, f.THRESHOLD)
    scale = 1 / (density * mpmath.sqrt(2 * mpmath.pi))
    return mpmath.erf(root / mpmath.sqrt(threshold) / (scale * mpmath.sqrt(2)))


def damped(values: Values, dps: int) -> Any:
    """Return the mean of q / (d^2 + xi) over a normal displacement, by quadrature around its peak."""
    density, path, width = numbers(values, dps, f.DENSITY, f.PATH, f.WIDTH)
    scale = 1 / (density * mpmath.sqrt(2 * mpmath.pi))
    ends = [-mpmath.pi / 2, 0, mpmath.pi / 2]  # d = width tan(angle)

    def weight(angle: Any) -> Any:
        d = width * mpmath.tan(angle)
        return mpmath.npdf(d, 0, scale) / width

    return path * mpmath.quad(weight, ends)


def root_of_square(values: Values, dps: int) -> Any:
    """Return E sqrt(lambda z^2) of a standard normal z."""
    (curvature,) = numbers(values, dps, f.CURVATURE)
    return mpmath.sqrt(curvature) * 2 * mpmath.quad(lambda z: z * mpmath.npdf(z), [0, 1, 4, 12])


def root_integral(values: Values, dps: int) -> Any:
    """Return the integral of the density of E sqrt|q|, C = Re (1 - 2 i lambda u^2)^(-1/2) that of lambda z^2."""
    (curvature,) = numbers(values, dps, f.CURVATURE)

    whole = evaluate(f.root_mean_density(), {f.REAL_PART: 0, f.ANGLE: 1}, dps)

    def at(u: Any) -> Any:
        return whole * (1 - mpmath.re((1 - 2j * curvature * u**2) ** mpmath.mpf("-0.5"))) / u**2

    return mpmath.quad(at, [mpmath.mpf(10) ** (-dps // 3), 1]) + mpmath.quad(
        lambda w: at(1 / w) / w**2, [0, 1]
    )


def noisy(values: Values, dps: int) -> Any:
    """Return the mean of eta g^2 over T steps from the second moments of the path, step by step."""
    curvature, start, rate, noise, steps = numbers(
        values, dps, f.CURVATURE, f.START, f.RATE, f.NOISE, f.STEPS
    )
    square, total = start**2, mpmath.mpf(0)
    for _ in range(int(steps)):
        total += rate * (curvature**2 * square + noise**2)
        square = (1 - rate * curvature) ** 2 * square + rate**2 * noise**2
    return total


def noisy_step(values: Values, dps: int) -> Any:
    """Return the same of one step in the long run: at the fixed point of the second moment."""
    curvature, rate, noise = numbers(values, dps, f.CURVATURE, f.RATE, f.NOISE)
    square = mpmath.findroot(
        lambda q: (1 - rate * curvature) ** 2 * q + rate**2 * noise**2 - q, rate * noise**2
    )
    return rate * (curvature**2 * square + noise**2)


def adam(values: Values, dps: int) -> Any:
    """Return E eta g m / s of gradients that are signs times s: m their running mean with weights beta_1."""
    rate, beta, noise = numbers(values, dps, f.RATE, f.BETA_1, f.NOISE)

    def one(signs: tuple[int, ...]) -> Any:
        mean = mpmath.mpf(0)
        for sign in signs:
            mean = beta * mean + (1 - beta) * sign * noise
        return rate * signs[-1] * noise * mean / noise

    return over_signs(one, 5)


def between(values: Values, dps: int) -> Any:
    """Return how far from theta_A slopes of a new loss of curvature mu and a penalty of curvature 1 - mu cancel."""
    share, one, two = numbers(values, dps, f.SHARE, f.OPTIMUM_A, f.OPTIMUM_B)
    return mpmath.findroot(lambda t: share * (t - two) + (1 - share) * (t - one), 0.3) - one


def energy(values: Values, dps: int) -> Any:
    """Return the integral of a slope lambda x from 0 to d."""
    curvature, start = numbers(values, dps, f.CURVATURE, f.START)
    return mpmath.quad(lambda x: curvature * x, [0, start])


def _wishart(function: Any, aspect: Any) -> Any:
    """Mean of a function over eigenvalues of a Wishart matrix of mean I, by the density of Marchenko and Pastur."""
    middle, half = 1 + aspect, 2 * mpmath.sqrt(aspect)

    def at(angle: Any) -> Any:
        h = middle + half * mpmath.cos(angle)
        return function(h) * (half * mpmath.sin(angle)) ** 2 / (2 * mpmath.pi * aspect * h)

    return mpmath.quad(at, mpmath.linspace(0, mpmath.pi, 5))


def discriminant(values: Values, dps: int) -> Any:
    """Return the squared distance of the roots of gamma f^2 - (1 + gamma + kappa) f + 1, times gamma^2."""
    aspect, penalty = numbers(values, dps, f.ASPECT, f.PENALTY)
    one, other = mpmath.polyroots([aspect, -(1 + aspect + penalty), 1], maxsteps=200, extraprec=80)
    return (aspect * (one - other)) ** 2


def mean_share(values: Values, dps: int) -> Any:
    """Return E h/(h + kappa)."""
    aspect, penalty = numbers(values, dps, f.ASPECT, f.PENALTY)
    return _wishart(lambda h: h / (h + penalty), aspect)


def old_loss(values: Values, dps: int) -> Any:
    """Return E (h/(h + kappa))^2 / 2: how far the new task pulls, against the old one's mean curvature 1."""
    aspect, penalty = numbers(values, dps, f.ASPECT, f.PENALTY)
    return _wishart(lambda h: (h / (h + penalty)) ** 2, aspect) / 2


def new_loss(values: Values, dps: int) -> Any:
    """Return E h (kappa/(h + kappa))^2 / 2."""
    aspect, penalty = numbers(values, dps, f.ASPECT, f.PENALTY)
    return _wishart(lambda h: h * (penalty / (h + penalty)) ** 2, aspect) / 2


def joint_loss(values: Values, dps: int) -> Any:
    """Return E u (1 - u) over Wachter's law of H_A (H_A + H_B)^-1, times a half of the mean 2 of h_A + h_B."""
    (aspect,) = numbers(values, dps, f.ASPECT)
    share = aspect / 2
    ends = [(mpmath.sqrt((1 - share) / 2) + sign * mpmath.sqrt(share / 2)) ** 2 for sign in (-1, 1)]
    middle, half = (ends[0] + ends[1]) / 2, (ends[1] - ends[0]) / 2

    def at(angle: Any) -> Any:  # u (1 - u) cancels against the density's denominator
        return (half * mpmath.sin(angle)) ** 2 / (2 * mpmath.pi * share)

    assert 0 < middle < 1
    return mpmath.quad(at, [0, mpmath.pi])
