"""The inner loops of ridge regression: sums over a spectrum, the root in kappa, the spectral edge.

The root is found by osculation: at the present kappa, df1 is replaced by ``C + A t/(t + kappa)``, a flat part and one
eigenvalue t, which agree with it in value, slope and curvature; what is left is the isotropic problem, solved in closed
form. It converges cubically, in one step for an isotropic spectrum, and is kept inside a bracket on which lambda(kappa)
increases; a step that leaves the bracket is replaced by bisection. Every root comes with a certificate (`CERTIFIED`):
its residual is at the level of rounding. Machine code follows this file, the compiled terms and the theory that they
are compiled from (`compile.cache.njit`).
"""

from __future__ import annotations

import math

from widelimit.numerics.compile.cache import njit
from widelimit.numerics.ridge import terms
from widelimit.numerics.ridge.status import BELOW_EDGE, CERTIFIED, UNFINISHED

step_terms = terms.STEP.njit
edge_terms = terms.EDGE.njit
sum_terms = terms.SUM.njit
gradient_terms = terms.GRADIENT_SUMS.njit
error_slope_terms = terms.ERROR_SLOPE_SUMS.njit
ratio_forms = terms.RATIO_FORMS.njit
slope_forms = terms.SLOPE_FORMS.njit
isotropic = terms.ISOTROPIC.njit
observed = terms.OBSERVED.njit
error_slope_and_bend = terms.ERROR_SLOPE.njit
by_samples_and_penalty = terms.SENSITIVITY.njit
along = terms.ALONG.njit
transform = terms.TRANSFORM.njit
angle_term = terms.ANGLE_TERM.njit
log_determinant = terms.LOG_DETERMINANT.njit
edge_move = terms.EDGE_MOVE.njit

EPS = 2.0**-52
MOST = 200  # steps; bisection alone would need about 70
FEW_SAMPLES = 0.5  # below this ratio 1 - df1/N is accurate as it stands, above it in the complementary form

_SUMMING = {"reassoc", "contract", "nsz"}  # sums may be reordered into vector lanes


@njit(nogil=True, error_model="numpy", fastmath=_SUMMING)
def step_sums(s, p, kappa):
    """Sums of f = df1/P, 1 - f, -f' and f''/2."""
    f = rest = slope = bend = 0.0
    for i in range(s.size):
        a, b, c, d = step_terms(s[i], p[i], 0.0, kappa, 1.0 / (s[i] + kappa))
        f += a
        rest += b
        slope += c
        bend += d
    return f, rest, slope, bend


@njit(nogil=True, error_model="numpy", fastmath=_SUMMING)
def edge_sums(s, p, kappa):
    """Sums of g = df2/P, 1 - g and -g'/2."""
    g = rest = slope = 0.0
    for i in range(s.size):
        a, b, c = edge_terms(s[i], p[i], 0.0, kappa, 1.0 / (s[i] + kappa))
        g += a
        rest += b
        slope += c
    return g, rest, slope


@njit(nogil=True, error_model="numpy", fastmath=_SUMMING)
def observable_sums(s, p, u, kappa):
    """Sums of df1/P, its complement, df2/P, its complement, and the squared bias."""
    f = f_rest = g = g_rest = missed = 0.0
    for i in range(s.size):
        a, b, c, d, e = sum_terms(s[i], p[i], u[i], kappa, 1.0 / (s[i] + kappa))
        f += a
        f_rest += b
        g += c
        g_rest += d
        missed += e
    return f, f_rest, g, g_rest, missed


@njit(nogil=True, error_model="numpy", fastmath=_SUMMING)
def error_slope_sums(s, p, u, kappa):
    """Sums behind the slope of the test error in kappa, in the order of `terms.ERROR_SLOPE_SUMS`."""
    f = g = rest = between = missed = missed_slope = slope = missed_bend = bend = 0.0
    for i in range(s.size):
        a, b, c, d, e, h, k, m, n = error_slope_terms(s[i], p[i], u[i], kappa, 1.0 / (s[i] + kappa))
        f += a
        g += b
        rest += c
        between += d
        missed += e
        missed_slope += h
        slope += k
        missed_bend += m
        bend += n
    return f, g, rest, between, missed, missed_slope, slope, missed_bend, bend


@njit(nogil=True, error_model="numpy", fastmath=_SUMMING)
def gradient_sums(s, p, u, kappa):
    """Sums behind derivatives, in the order of `terms.GRADIENT_NAMES`."""
    f = f_rest = g = g_rest = missed = missed_slope = slope = falling = missed_bend = bend = 0.0
    for i in range(s.size):
        a, b, c, d, e, h, k, m, n, o = gradient_terms(s[i], p[i], u[i], kappa, 1.0 / (s[i] + kappa))
        f += a
        f_rest += b
        g += c
        g_rest += d
        missed += e
        missed_slope += h
        slope += k
        falling += m
        missed_bend += n
        bend += o
    return f, f_rest, g, g_rest, missed, missed_slope, slope, falling, missed_bend, bend


@njit(nogil=True, error_model="numpy")
def ridge_ratio(alpha, f, rest):
    """1 - df1/N and the size of the numbers that it is a difference of."""
    few, many = ratio_forms(alpha, 1.0 - 1.0 / alpha, f, rest)
    if alpha < FEW_SAMPLES:
        return few, 1.0 + f / alpha
    return many, abs(1.0 - 1.0 / alpha) + abs(rest) / alpha


@njit(nogil=True, error_model="numpy")
def ridge_slope(alpha, g, rest):
    """1 - rho = 1 - df2/N."""
    few, many = slope_forms(alpha, 1.0 - 1.0 / alpha, g, rest)
    return few if alpha < FEW_SAMPLES else many


@njit(nogil=True, error_model="numpy")
def isotropic_root(t, margin, penalty):
    """Effective ridge of one eigenvalue t at margin = 1 - 1/alpha, in the form that does not cancel, or NaN."""
    direct, reciprocal = isotropic(t, margin, penalty)
    return reciprocal if t * margin > penalty else direct


@njit(nogil=True, error_model="numpy")
def root(s, p, alpha, penalty, low, high):
    """Return kappa in [low, high] with lambda(kappa) = penalty, the steps taken and whether it is certified."""
    kappa = high
    trust = (4.0 + math.sqrt(s.size)) * EPS
    for step in range(1, MOST + 1):
        f, rest, slope, bend = step_sums(s, p, kappa)
        gap, size = ridge_ratio(alpha, f, rest)
        residual = gap * kappa - penalty
        rounding = size * abs(kappa) + abs(penalty)
        if abs(residual) <= EPS * rounding or (high - low) <= 2.0 * EPS * abs(kappa):
            return kappa, step, CERTIFIED if abs(residual) <= trust * rounding else UNFINISHED
        if residual > 0.0:
            high = kappa
        else:
            low = kappa
        t = slope / bend - kappa
        varying = slope * slope / bend  # A t/(t + kappa)
        share = gap + varying / alpha  # 1 - C/alpha
        margin = gap - varying * kappa / (t * alpha)  # 1 - C/alpha - A/alpha
        guess = isotropic_root(t, margin / share, penalty / share) if share > 0.0 else low
        if not low < guess < high:
            if abs(residual) <= trust * rounding:
                return kappa, step, CERTIFIED
            guess = math.sqrt(low * high) if low > 0.0 else 0.5 * (low + high)
        if abs(guess - kappa) <= EPS * abs(kappa) and abs(residual) <= trust * rounding:
            return guess, step, CERTIFIED
        kappa = guess
    return kappa, MOST, UNFINISHED


@njit(nogil=True, error_model="numpy")
def edge(s, p, alpha):
    """Return kappa_c where rho = 1 above all poles, and the penalty lambda_c there (minus the lowest edge)."""
    if alpha == 1.0:
        return 0.0, 0.0
    smallest, second, heaviest = s[0], 0.0, 0.0
    for i in range(s.size):
        smallest = min(smallest, s[i])
        second += p[i] * s[i] * s[i]
    for i in range(s.size):
        if s[i] == smallest:
            heaviest += p[i]
    low = smallest * (math.sqrt(heaviest / alpha) - 1.0)  # the lowest eigenvalue alone
    high = math.sqrt(second / alpha)
    kappa = max(low, -smallest * (1.0 - EPS))
    for _ in range(MOST):
        g, rest, slope = edge_sums(s, p, kappa)
        gap = ridge_slope(alpha, g, rest)
        if gap >= 0.0:
            high = kappa
        else:
            low = kappa
        # Newton on g^-1/2, which is concave, and linear for a single eigenvalue
        guess = kappa - g * gap / ((1.0 + math.sqrt(g / alpha)) * slope)
        if not low < guess < high:
            guess = 0.5 * (low + high)
        small = 2.0 * EPS * (abs(kappa) + smallest)
        if abs(guess - kappa) <= small or high - low <= small:
            break
        kappa = guess
    f, rest, _, _ = step_sums(s, p, kappa)
    return kappa, kappa * ridge_ratio(alpha, f, rest)[0]


@njit(nogil=True, error_model="numpy")
def solve(s, p, alpha, penalty):
    """Return kappa, the steps taken and the status for one sample ratio and penalty; eigenvalues positive."""
    if penalty == 0.0 and alpha >= 1.0:
        return 0.0, 0, CERTIFIED
    mean, smallest = 0.0, s[0]
    for i in range(s.size):
        mean += p[i] * s[i]
        smallest = min(smallest, s[i])
    margin = 1.0 - 1.0 / alpha
    if (
        penalty >= 0.0
    ):  # f increases with s and is concave in it: kappa lies between these two isotropic problems
        low = isotropic_root(smallest, margin, penalty) * (1.0 - 8.0 * EPS)
        high = isotropic_root(mean, margin, penalty) * (1.0 + 8.0 * EPS)
    else:
        low, lowest = edge(s, p, alpha)
        if penalty <= lowest:
            return low, 0, BELOW_EDGE
        high = max(0.0, isotropic_root(mean, margin, 0.0) * (1.0 + 8.0 * EPS))
    return root(s, p, alpha, penalty, low, high)


@njit(nogil=True, error_model="numpy")
def solve_all(s, p, u, alpha, penalty, noise, out, status):
    """Fill out[:, i]: kappa, test and training error, bias, variances of inputs and noise, df1/P, rho, steps."""
    for i in range(alpha.size):
        kappa, steps, status[i] = solve(s, p, alpha[i], penalty[i])
        f, f_rest, g, g_rest, missed = observable_sums(s, p, u, kappa)
        # lambda/kappa is exact to rounding once kappa is known, also where 1 - df1/N cancels
        ratio = penalty[i] / kappa if kappa != 0.0 else ridge_ratio(alpha[i], f, f_rest)[0]
        free = ridge_slope(alpha[i], g, g_rest)
        test, train, missed, inputs, noisy = observed(missed, noise[i], ratio, free, g / alpha[i])
        if free == 0.0:  # the peak itself, alpha = 1 at penalty 0: limits from above
            test = noisy = math.inf if noise[i] > 0.0 else 0.0
            train = inputs = 0.0
        if math.isnan(
            test + train + inputs + noisy
        ):  # powers of an eigenvalue that floating point does not hold
            status[i] = UNFINISHED
        out[0, i], out[1, i], out[2, i], out[3, i] = kappa, test, train, missed
        out[4, i], out[5, i], out[6, i], out[7, i], out[8, i] = inputs, noisy, f, g / alpha[i], steps


@njit(nogil=True, error_model="numpy")
def edges(s, p, alpha, out):
    """Fill out[:, i] with kappa_c and lambda_c."""
    for i in range(alpha.size):
        out[0, i], out[1, i] = edge(s, p, alpha[i])


@njit(nogil=True, error_model="numpy")
def error_slope(s, p, u, alpha, noise, kappa):
    """Half of (1 - rho) d log E/d log kappa at fixed sample ratio, and its derivative in log kappa."""
    sums = error_slope_sums(s, p, u, kappa)
    return error_slope_and_bend(kappa, alpha, noise, ridge_slope(alpha, sums[1], sums[2]), *sums)


@njit(nogil=True, error_model="numpy")
def sensitivity(s, p, u, alpha, penalty, noise, kappa):
    """d log E/d log N at fixed penalty and dE/d lambda at fixed samples; the excess is kappa df1/N."""
    sums = error_slope_sums(s, p, u, kappa)
    excess = kappa * sums[0] / alpha
    slope = ridge_slope(alpha, sums[1], sums[2])
    return by_samples_and_penalty(kappa, alpha, excess, penalty, noise, slope, *sums)


@njit(nogil=True, error_model="numpy")
def gradient(s, p, u, alpha, penalty, kappa, out):
    """Fill out[:, i] with lambda/kappa, 1 - rho and `gradient_sums` at each effective ridge."""
    for i in range(kappa.size):
        sums = gradient_sums(s, p, u, kappa[i])
        # lambda/kappa is exact to rounding, also where 1 - df1/N cancels
        out[0, i] = penalty[i] / kappa[i] if kappa[i] != 0.0 else ridge_ratio(alpha[i], sums[0], sums[1])[0]
        out[1, i] = ridge_slope(alpha[i], sums[2], sums[3])
        for k, value in enumerate(sums):
            out[2 + k, i] = value


@njit(nogil=True, error_model="numpy")
def error_slope_root(s, p, u, alpha, noise, low, high, rising):
    """Zero of the slope of the error between `low` and `high`, where it changes sign once: Newton, else bisection."""
    kappa = math.sqrt(low * high)
    for _ in range(MOST):
        value, slope = error_slope(s, p, u, alpha, noise, kappa)
        if (value > 0.0) == rising:
            high = kappa
        else:
            low = kappa
        guess = kappa * math.exp(min(1.0, max(-1.0, -value / slope))) if slope != 0.0 else low
        if not low < guess < high:
            guess = math.sqrt(low * high)
        if abs(guess - kappa) <= 2.0 * EPS * kappa or high - low <= 2.0 * EPS * kappa:
            break
        kappa = guess
    return kappa


@njit(nogil=True, error_model="numpy")
def turning(s, p, u, alpha, noise, low, high):
    """Kappa between `low` and `high` where the slope of the error stops changing: its slope goes through zero there."""
    falling = error_slope(s, p, u, alpha, noise, low)[1] < 0.0
    while high - low > 1e-12 * high:
        middle = math.sqrt(low * high)
        if not low < middle < high:
            break
        if (error_slope(s, p, u, alpha, noise, middle)[1] < 0.0) == falling:
            low = middle
        else:
            high = middle
    return math.sqrt(low * high)


@njit(nogil=True, error_model="numpy")
def extrema(s, p, u, alpha, noise, nodes, found):
    """Fill `found` with every kappa in nodes where the slope of E changes sign (minima at even places); return how
    many.

    Between two nodes of equal sign whose slopes both lead towards zero, the turning point is looked at too, so that a
    minimum and a maximum closer than the nodes are not missed.
    """
    count = 0
    value, slope = error_slope(s, p, u, alpha, noise, nodes[0])
    for i in range(1, nodes.size):
        after, after_slope = error_slope(s, p, u, alpha, noise, nodes[i])
        if count + 2 > found.size:
            break
        if (after > 0.0) != (value > 0.0):
            found[count] = error_slope_root(s, p, u, alpha, noise, nodes[i - 1], nodes[i], after > 0.0)
            count += 1
        elif value * slope < 0.0 and after * after_slope > 0.0:
            middle = turning(s, p, u, alpha, noise, nodes[i - 1], nodes[i])
            if (error_slope(s, p, u, alpha, noise, middle)[0] > 0.0) != (value > 0.0):
                found[count] = error_slope_root(s, p, u, alpha, noise, nodes[i - 1], middle, value < 0.0)
                found[count + 1] = error_slope_root(s, p, u, alpha, noise, middle, nodes[i], value > 0.0)
                count += 2
        value, slope = after, after_slope
    return count


@njit(nogil=True, error_model="numpy")
def at_kappa(s, p, u, alpha, noise, kappa):
    """Penalty and test error of an effective ridge."""
    f, f_rest, g, g_rest, missed = observable_sums(s, p, u, kappa)
    ratio = ridge_ratio(alpha, f, f_rest)[0]
    return kappa * ratio, observed(missed, noise, ratio, ridge_slope(alpha, g, g_rest), g / alpha)[0]


@njit(nogil=True, error_model="numpy")
def along_curve(s, p, u, penalty, noise, excess, out):
    """Fill out[:, i] with sample ratio, test error and slope of the learning curve at kappa = penalty + excess[i]."""
    for i in range(excess.size):
        kappa = penalty + excess[i]
        sums = error_slope_sums(s, p, u, kappa)
        ratio, free, slope = along(kappa, excess[i], penalty, noise, *sums)
        out[0, i], out[1, i], out[2, i] = ratio, (sums[4] + noise) / free, slope


@njit(nogil=True, error_model="numpy")
def convex_minimum(s, p, low, high):
    """Kappa between two neighbouring poles where df2 is least; its slope rises from minus to plus infinity there."""
    kappa = 0.5 * (low + high)
    while True:
        slope = edge_sums(s, p, kappa)[2]  # minus half of it
        if slope > 0.0:
            low = kappa
        else:
            high = kappa
        kappa = 0.5 * (low + high)
        if not low < kappa < high:
            return kappa


@njit(nogil=True, error_model="numpy")
def gap_minima(s, p, which, found):
    """Fill found[d] with the least df2/P between the poles of scales d and d + 1, for each d in which."""
    for d in which:
        found[d] = edge_sums(s, p, convex_minimum(s, p, -s[d], -s[d + 1]))[0]


@njit(nogil=True, error_model="numpy")
def crossing(s, p, alpha, inside, outside):
    """Edge -lambda(kappa) where df2/P = alpha, below alpha at `inside` and above at `outside`, and its kappa."""
    while True:
        kappa = 0.5 * (inside + outside)
        if not min(inside, outside) < kappa < max(inside, outside):
            break
        if edge_sums(s, p, kappa)[0] < alpha:
            inside = kappa
        else:
            outside = kappa
    f, rest, _, _ = step_sums(s, p, inside)
    return -inside * ridge_ratio(alpha, f, rest)[0], inside


@njit(nogil=True, error_model="numpy")
def gap_edges(s, p, alpha, which, out):
    """Fill out[:, i] with the edges of the open gap below scale which[i] and their kappa.

    End of the upper bulk, its kappa, start of the lower bulk, its kappa.
    """
    for i in range(which.size):
        high, low = -s[which[i] + 1], -s[which[i]]
        middle = convex_minimum(s, p, low, high)
        out[0, i], out[1, i] = crossing(s, p, alpha, middle, low)
        out[2, i], out[3, i] = crossing(s, p, alpha, middle, high)


@njit(nogil=True, error_model="numpy")
def top_edge(s, p, alpha):
    """The largest edge of the sample covariance and its kappa, below all poles."""
    reach = 0.0
    for i in range(s.size):
        reach += p[i] * s[i] * s[i]
    return crossing(s, p, alpha, -s[0] - math.sqrt(reach / alpha) * 1.000001, -s[0])


@njit(nogil=True, error_model="numpy")
def complex_sums(s, p, kappa):
    """df1/P and df2/P at complex kappa."""
    f = g = 0j
    for i in range(s.size):
        a, b = transform(s[i] + 0j, p[i] + 0j, kappa, 1.0 / (s[i] + kappa))
        f += a
        g += b
    return f, g


@njit(nogil=True, error_model="numpy")
def descend(s, p, alpha, x, floor):
    """Kappa at lambda = -x - i floor, by Newton's method along a path from far below the real axis."""
    scale = x
    for i in range(s.size):
        scale += p[i] * s[i] * (1.0 + 1.0 / alpha)
    height = 100.0 * scale
    kappa = complex(-x, -height)
    while True:
        target = complex(-x, -height)
        for _ in range(60):
            f, g = complex_sums(s, p, kappa)
            move = (kappa * (1.0 - f / alpha) - target) / (1.0 - g / alpha)
            kappa -= move
            if abs(move) <= 4.0 * EPS * abs(kappa):
                break
        if height <= floor:
            return kappa
        height = max(floor, height / 2.0) if height > 1e-13 * x else floor


@njit(nogil=True, error_model="numpy")
def density(s, p, alpha, x, out):
    """Fill out with alpha Im(1/kappa)/pi at lambda = -x - i0."""
    for k in range(x.size):
        out[k] = max(0.0, alpha * (1.0 / descend(s, p, alpha, x[k], 0.0)).imag / math.pi)


@njit(nogil=True, error_model="numpy")
def share_above(s, p, alpha, samples, x, out):
    """Fill out with the share of eigenvalues above x in the mean over N samples, at lambda = -x - i0."""
    for k in range(x.size):
        kappa = descend(s, p, alpha, x[k], 0.0)
        angle = 0j
        for i in range(s.size):
            angle += angle_term(s[i] + 0j, p[i] + 0j, kappa)[0]
        ratio, slope = -x[k] / kappa, 1.0 - complex_sums(s, p, kappa)[1] / alpha
        out[k] = log_determinant(angle, ratio, slope, alpha + 0j, samples + 0j)[0].imag / math.pi


@njit(nogil=True, error_model="numpy")
def edge_moves(s, p, u, alpha, samples, kappa, side, out):
    """Fill out with how far the outermost eigenvalues of bulks are from the edges at each kappa, in the mean."""
    for k in range(kappa.size):
        sums = gradient_sums(s, p, u, kappa[k])
        out[k] = edge_move(kappa[k], alpha, samples, side[k], sums[6], sums[9])
