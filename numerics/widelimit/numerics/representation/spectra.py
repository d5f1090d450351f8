"""Spectra in closed form: kernels on spheres, the bound of smoothness, the bias of few stimuli, robust readouts."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from widelimit.numerics import arguments, costs
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.compile.cache import njit
from widelimit.numerics.results import by_value
from widelimit.theory.errors import ArgumentError, DomainError
from widelimit.theory.representation import codes, kernels

Array = np.ndarray
_LARGEST = 10**15  # degrees and dimensions are floats in the formulas


@by_value
@dataclass(frozen=True)
class KernelSpectrum:
    """A kernel on the sphere S^(d-1), by degree.

    `eigenvalues` of the integral operator with the uniform measure of mass one, each with its `multiplicities`;
    `exponent` alpha of the eigenvalues by rank, n^-alpha; `bound` = 1 + 2/D, D = d - 1, above which a code is smooth.
    `error`: a bound on the absolute error of eigenvalues that come from quadrature, 0 for closed forms.
    """

    eigenvalues: Array
    multiplicities: Array
    exponent: float
    bound: float
    error: float = 0.0

    @property
    def smooth(self) -> bool:
        """Whether the code that the kernel's features are is differentiable in mean square."""
        return self.exponent > self.bound


_k, _d, _s = kernels.DEGREE, kernels.INPUTS, kernels.POWER
_next_coefficient = compile(kernels.coefficient_ratio(), (_k, _d, _s), name="funk_hecke_ratio").njit
_next_multiplicity = compile(kernels.multiplicity_ratio(), (_k, _d), name="harmonics_ratio").njit
_tangent = compile(
    kernels.tangent_eigenvalue(),
    (_k, _d, _s, kernels.KERNEL, kernels.BELOW, kernels.ABOVE),
    name="tangent_mode",
).njit


@functools.cache
def _starts() -> Compiled:
    """Eigenvalues of degrees 0 and 1, in logarithms of Gamma functions."""
    from sympy import Symbol, expand_log, gamma, log, loggamma

    def logarithm(expr: Any) -> Any:
        return expand_log(log(expr), force=True).replace(
            lambda e: isinstance(e, log) and isinstance(e.args[0], gamma),
            lambda e: loggamma(e.args[0].args[0]),
        )

    # no symbols of whole numbers: SymPy writes log Gamma(n/2) of a whole n by Gamma(n), which overflows at n = 171
    d, power = Symbol("d", positive=True), Symbol("s", positive=True)
    whole = kernels.kernel_eigenvalue().xreplace({_d: d, _s: power})
    return compile([logarithm(whole.subs(_k, degree)) for degree in (0, 1)], (d, power), name="kernel_starts")


@functools.cache
def _first_multiplicity() -> Compiled:
    return compile(kernels.multiplicity().subs(_k, 1), (_d,), name="harmonics_first")


@functools.cache
def _exponents() -> Compiled:
    formulas = (kernels.kernel_exponent(), kernels.tangent_exponent())
    return compile(formulas, (kernels.DIMENSION, _s), name="kernel_exponents")


@njit(nogil=True, error_model="numpy")
def _squares(most, d, s, first, second, out):
    """Eigenvalues of degrees 0 to `most`, which go like squares of the coefficients, from those of degrees 0 and 1."""
    out[0] = first
    out[1] = second
    for k in range(most - 1):
        out[k + 2] = out[k] * _next_coefficient(k, d, s) ** 2


@njit(nogil=True, error_model="numpy")
def _harmonics(most, d, first, out):
    """Multiplicities of degrees 0 to `most`, from that of degree 1."""
    out[0], out[1] = 1.0, first
    for k in range(1, most):
        out[k + 1] = out[k] * _next_multiplicity(k, d)
        if out[k + 1] < 4503599627370496.0:
            out[k + 1] = np.rint(out[k + 1])


@njit(nogil=True, error_model="numpy")
def _tangents(d, s, own, below, out):
    """The tangent kernel's eigenvalues from those of the kernel and of its slope, which has one degree more."""
    for k in range(out.size):
        before = below[k - 1] if k else 0.0
        # u P_0 = P_1 in every dimension, where d = 2 divides zero by zero
        out[k] = _tangent(k, d if k else 3.0, s, own[k], before, below[k + 1])


def _modes(most: int, d: int, power: int) -> Array:
    """Eigenvalues of the kernel of max(0, w.x)^power of degrees 0 to `most`."""
    out = np.empty(max(most, 1) + 1)
    first, second = _starts()(float(d), float(power))
    _squares(max(most, 1), float(d), float(power), np.exp(first), np.exp(second), out)
    return out


def kernel_spectrum(degrees: Any, *, dimension: int, kernel: str = "nngp", power: int = 1) -> KernelSpectrum:
    """Return eigenvalues of a one-hidden-layer kernel on the sphere in so many dimensions, by degree of the harmonics.

    The units are max(0, w.x)^s, weights of gain two, inputs of length one, no biases: the kernel is one at equal
    inputs. `kernel="nngp"`: the readout alone learns; "ntk": all weights do. Half of the degrees are empty.

    Args:
        degrees: whole numbers from 0, in any order.
        dimension: d of the inputs, which lie on S^(d-1); their manifold has D = d - 1 dimensions.
        kernel: nngp or ntk.
        power: s of the units; 0 a step, 1 ReLU.

    Raises `ArgumentError` for degrees that are no whole numbers and dimensions below 2; `DomainError` for the tangent
    kernel of steps, whose slope is zero.

    >>> found = kernel_spectrum([0, 1, 2, 4], dimension=3)
    >>> found.eigenvalues.round(12).tolist(), found.multiplicities.tolist()
    ([0.375, 0.166666666667, 0.0234375, 0.000651041667], [1.0, 3.0, 5.0, 9.0])
    >>> found.exponent, found.bound, kernel_spectrum(2, dimension=3, kernel="ntk").exponent
    (2.5, 2.0, 1.5)
    >>> kernel_spectrum([1, 200], dimension=3, kernel="ntk").multiplicities.tolist()
    [3.0, 401.0]
    """
    which = arguments.choice("kernel", kernel, ("nngp", "ntk"))
    s, d = (
        arguments.count("power", power, 0),
        arguments.count("dimension", dimension, 2, "Inputs lie on S^(d-1)."),
    )
    if which == "ntk" and s == 0:
        raise DomainError(
            "Steps have no slope, so that their tangent kernel is that of the readout: use kernel='nngp'."
        )
    asked = whole("degrees", degrees)
    for name, value, most in (("power", s, 10**4), ("dimension", d, 10**6)):
        if value > most:
            raise ArgumentError(name, f"must be at most {most}", value)
    most = costs.affordable("degrees", int(asked.max()) + 1, memory=64.0, seconds=1e-7, each="degree")
    values = _modes(most, d, s)
    if which == "ntk":
        slopes, tangent = _modes(most + 1, d, s - 1), np.empty(most + 1)
        _tangents(float(d), float(s), values[: most + 1], slopes, tangent)
        values = tangent
    counts = harmonics(most, d)
    return KernelSpectrum(
        values[asked],
        counts[asked],
        float(exponents(d - 1, s)[which == "ntk"]),
        float(smoothness_bound(d - 1)),
    )


def harmonics(most: int, d: int) -> Array:
    """Multiplicities of degrees 0 to `most`."""
    counts = np.empty(max(most, 1) + 1)
    with np.errstate(over="ignore"):
        _harmonics(max(most, 1), float(d), _first_multiplicity()(float(d)), counts)
    if not np.isfinite(counts).all():
        raise DomainError(
            "At these degrees and this dimension there are more harmonics than a float can count."
        )
    return counts


def exponents(manifold: int, power: int) -> tuple[float, float]:
    """Exponents by rank of the kernel and of the tangent kernel of units that are kinked like max(0, t)^power."""
    found: tuple[float, float] = _exponents()(float(manifold), float(power))
    return found


def whole(name: str, value: Any) -> Array:
    """Return `value` as an array of whole numbers from 0: degrees."""
    array = arguments.non_negative(name, value)
    if array.size == 0:
        raise ArgumentError(name, "must not be empty", value)
    odd = (array != np.round(array)) | (array > _LARGEST)
    if odd.any():
        raise ArgumentError(
            name, "must be whole numbers", float(array[odd].flat[0]), "Harmonics have whole degrees."
        )
    return array.astype(np.int64)


@functools.cache
def _smooth() -> Compiled:
    return compile(
        (codes.smoothness_bound(), codes.gradient_growth()),
        (codes.DIMENSION, codes.EXPONENT),
        name="smoothness",
    )


def smoothness_bound(dimension: Any) -> Any:
    """Return 1 + 2/D: a code of a D-dimensional manifold of stimuli is smooth if its exponent is above.

    Raises `ArgumentError` for dimensions below one.

    >>> smoothness_bound(2)
    2.0
    """
    D = _dimension(dimension)
    return arguments.scalar(np.asarray(_smooth()(D, np.ones(D.shape))[0]))


def gradient_growth(exponent: Any, *, dimension: Any) -> Any:
    """Return the power 1 + 2/D - alpha of the number of units with which the mean square gradient of a code grows.

    Where it is below zero the gradient stays finite: the code is smooth.

    >>> gradient_growth(1.5, dimension=2)
    0.5
    """
    alpha, D = arguments.broadcast(
        exponent=arguments.positive("exponent", exponent), dimension=_dimension(dimension)
    )
    return arguments.scalar(np.asarray(_smooth()(D, alpha)[1]))


def _dimension(value: Any) -> Array:
    found = arguments.real("dimension", value)
    if (found < 1).any():
        help = "D is the dimension of the manifold that the stimuli lie on."
        raise ArgumentError("dimension", "must be at least 1", float(found[found < 1].flat[0]), help)
    return found


@functools.cache
def _bias() -> Compiled:
    return compile(codes.sampling_bias(), (codes.RANK, codes.STIMULI, codes.EXPONENT), name="sampling_bias")


@functools.cache
def _shift() -> Compiled:
    return compile(codes.sampling_shift(), (codes.OWN, codes.OTHER, codes.STIMULI), name="sampling_shift")


def sampling_bias(rank: Any, *, exponent: Any, stimuli: Any) -> Any:
    """Return the relative bias of a sample eigenvalue of a power law, without noise: -(n/T)(pi/alpha) cot(pi/alpha).

    Of many units and n much below T. None at alpha = 2, positive below: the spectrum looks too flat.

    >>> round(sampling_bias(40, exponent=1.5, stimuli=400), 4), round(sampling_bias(40, exponent=3.0, stimuli=400), 4)
    (0.1209, -0.0605)
    """
    alpha = arguments.real("exponent", exponent)
    if (alpha <= 1).any():
        help = "The sum over the other eigenvalues has no limit: use sampling_bias_of."
        raise ArgumentError("exponent", "must be above 1", float(alpha[alpha <= 1].flat[0]), help)
    given = arguments.broadcast(
        rank=arguments.positive("rank", rank), stimuli=arguments.positive("stimuli", stimuli), exponent=alpha
    )
    with np.errstate(over="ignore"):
        found = np.asarray(_bias()(*given))
    if not np.isfinite(found).all():
        raise ArgumentError("rank", "must be moderate beside `stimuli`", float(given[0].flat[0]))
    return arguments.scalar(found)


def sampling_bias_of(eigenvalues: Any, *, stimuli: Any) -> Array:
    """Return the relative biases of sample eigenvalues, without noise, for any eigenvalues that all differ.

    The sum of lambda_m/(T (lambda_n - lambda_m)) over the others, of first order in 1/T; for ranks whose neighbours are
    further apart than they scatter, n much below sqrt(T), or summed over ranks.

    >>> sampling_bias_of([3.0, 1.0], stimuli=10).tolist()
    [0.05, -0.15]
    """
    values = arguments.vector("eigenvalues", arguments.positive("eigenvalues", eigenvalues))
    count = arguments.positive_number("stimuli", stimuli)
    costs.affordable("eigenvalues", values.size, memory=80.0, power=2, each="eigenvalue")
    if np.unique(values).size < values.size:
        raise ArgumentError("eigenvalues", "must all differ", but="has equal ones")
    own, other = np.broadcast_arrays(values[:, None], values[None, :])
    apart = ~np.eye(values.size, dtype=bool)
    found = np.zeros(own.shape)
    with np.errstate(over="ignore"):
        found[apart] = _shift()(own[apart], other[apart], np.full(int(apart.sum()), count))
        total = found.sum(axis=1)
    if not np.isfinite(total).all():
        raise ArgumentError("eigenvalues", "must differ by more than rounding", but="has nearly equal ones")
    return total


@functools.cache
def _robust() -> Compiled:
    symbols = (codes.MARGIN, codes.ATTACK, codes.DUAL, codes.SPREAD, codes.LENGTH)
    return compile(codes.robust_accuracy(), symbols, name="robust_accuracy")


def robust_accuracy(weights: Any, mean: Any, *, deviation: Any, attack: Any = 0.0, norm: str = "inf") -> Any:
    """Return the accuracy of a linear readout of two classes N(+-mean, deviation^2) under attacks of a given length.

    Args:
        weights: of the readout.
        mean: of one class, the other's is minus that.
        deviation: standard deviation of each coordinate.
        attack: length of the attack in its norm.
        norm: "inf" for attacks bounded in each coordinate, "2" for those of bounded Euclidean length.

    >>> round(robust_accuracy([1.0, 1.0], [1.0, 0.0], deviation=1.0), 6)  # Phi(1/sqrt(2))
    0.76025
    >>> robust_accuracy([1.0, 1.0], [1.0, 0.0], deviation=1.0, attack=0.5)
    0.5
    """
    w, mu = arguments.vector("weights", weights), arguments.vector("mean", mean)
    if w.shape != mu.shape:
        raise ArgumentError("mean", f"must have {w.size} entries, as `weights`", but=f"has {mu.size}")
    which = arguments.choice("norm", norm, ("inf", "2"))
    size = float(np.abs(w).max())
    if size == 0:
        raise ArgumentError("weights", "must not all be zero", 0.0)
    w = w / size
    length = float(np.linalg.norm(w))
    dual = float(np.abs(w).sum()) if which == "inf" else length
    spread, epsilon = arguments.broadcast(
        deviation=arguments.positive("deviation", deviation), attack=arguments.non_negative("attack", attack)
    )
    with np.errstate(over="ignore", under="ignore"):
        margin = np.full(spread.shape, float(w @ mu))
        far = (margin, epsilon * dual, spread * length)
        if not all(np.isfinite(one).all() for one in far) or (far[2] == 0).any():
            raise ArgumentError("attack", "must be moderate beside the means", float(epsilon.flat[0]))
        found = _robust()(margin, epsilon, np.full(spread.shape, dual), spread, np.full(spread.shape, length))
    return arguments.scalar(np.asarray(found))


@functools.cache
def _circle() -> Compiled:
    return compile(codes.circle_slope(), (codes.FREQUENCY, codes.POWER_THERE), name="circle_slope")


def circle_slope(powers: Any) -> float:
    """Return E |f'|^2 of a stationary code on the circle, from the variances of frequencies 0, 1, 2 ...

    >>> circle_slope([1.0, 0.5, 0.25])
    1.5
    """
    values = arguments.vector("powers", arguments.non_negative("powers", powers))
    with np.errstate(over="ignore"):
        total = float(np.sum(_circle()(np.arange(values.size, dtype=float), values)))
    if not np.isfinite(total):
        raise ArgumentError("powers", "must have a sum of k^2 powers that a float holds", float(values.max()))
    return total
