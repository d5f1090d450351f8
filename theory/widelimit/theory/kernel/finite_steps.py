"""Steps and evidence of kernels at finite width.

The evidence integrates over the weights of a unit that has two units below it, and counts the paths of linear networks.
"""

from __future__ import annotations

from typing import Any

import mpmath
from sympy import Eq, Expr, Function, Integer, Matrix, Symbol

from widelimit.theory.calculus.derivation import Derivation, Step
from widelimit.theory.calculus.ensembles import over_gaussian
from widelimit.theory.calculus.precision import Values, numbers
from widelimit.theory.kernel import finite as f
from widelimit.theory.kernel.formulas import SIGMA_B, SIGMA_W, THETA

ASSUMPTIONS = (
    "weights and biases are Gaussian, and hidden layers have N units",
    "the Gram matrix of the first pre-activations is given",
)
SOURCE = "roberts2022principles, chapter 8"
LAYERS = Symbol("l", integer=True, positive=True)
_PHI = Matrix(2, 2, lambda j, i: Symbol(f"phi_{j + 1}{i + 1}", real=True))  # of input j and unit i
_B = tuple(Symbol(f"b_{i}", real=True) for i in (1, 2))  # B is diagonal


def derive() -> Derivation:
    """Return what finite width adds to the tangent kernel, checked.

    >>> [step.name for step in derive()]
    ['limit', 'rows-and-slopes', 'overlap']
    """
    return Derivation(
        "Tangent kernel at finite width",
        (
            Step(
                "limit",
                Eq(Symbol("Theta_l"), _of_unit_length(), evaluate=False),
                "The weights of a layer add its kernel, those below come back through slopes. In a linear network of "
                "unit length every layer adds one; the check adds them up.",
                "jacot2018neural",
                ASSUMPTIONS,
                {LAYERS: (1, 9)},
                left=layers_added,
            ),
            Step(
                "rows-and-slopes",
                Eq(Function("E")(Symbol("h_1^2 h_2^2 W B W^T")), _stein(), evaluate=False),
                "Stein's lemma, twice: what the row of a unit has to do with its pre-activations. The check integrates "
                "over the weights of two units, for f = h_1^2 h_2^2.",
                "stein1981estimation",
                ASSUMPTIONS,
                dict.fromkeys((*_PHI, *_B), (0.5, 1.5)) | {SIGMA_W: (0.5, 1.5)},
                left=rows_and_slopes,
            ),
            Step(
                "overlap",
                Eq(Symbol("P_l"), _of_linear(), evaluate=False),
                "A layer adds its Theta, and the rows of two units what they have in common. In a linear network of "
                "unit length h' J J' h over m layers has the mean m + 1; the check adds them up.",
                SOURCE,
                ASSUMPTIONS,
                {LAYERS: (1, 9)},
                left=of_linear,
            ),
        ),
        ASSUMPTIONS,
    )


def _stein() -> Expr:
    """E f (s/N) tr B + (s/N)^2 sum_jk E d_j d_k f phi_j B phi_k at N = 2, with the moments of h written out."""
    per = SIGMA_W**2 / 2
    k11, k12, k22 = (
        per * (_PHI[a, 0] * _PHI[b, 0] + _PHI[a, 1] * _PHI[b, 1]) for a, b in ((0, 0), (0, 1), (1, 1))
    )
    bent = {(0, 0): 2 * k22, (0, 1): 4 * k12, (1, 0): 4 * k12, (1, 1): 2 * k11}  # E d_j d_k h_1^2 h_2^2
    mean = k11 * k22 + 2 * k12**2
    known = {
        f.P[j, k]: sum((_B[i] * _PHI[j, i] * _PHI[k, i] for i in (0, 1)), Integer(0)) / 2 for j, k in bent
    } | {f.BENT[j, k]: one for (j, k), one in bent.items()}
    return mean * per * sum(_B) + f.excess().subs(known, simultaneous=True) / (2 * SIGMA_W**2)


def rows_and_slopes(values: Values, dps: int) -> Any:
    """Return E h_1^2 h_2^2 W B W^T over the two weights of a unit, by quadrature."""
    *phi, one, two, weight = numbers(values, dps, *_PHI, *_B, SIGMA_W)

    def of(*z: Any) -> Any:
        w = [weight * x / mpmath.sqrt(2) for x in z]
        h = [w[0] * phi[2 * j] + w[1] * phi[2 * j + 1] for j in (0, 1)]
        return (h[0] * h[1]) ** 2 * (one * w[0] ** 2 + two * w[1] ** 2)

    return over_gaussian(of, [[1, 0], [0, 1]], 6)


def _of_unit_length() -> Expr:
    """Theta behind a layer of a linear network whose K are one, from the Theta = l of the l layers before."""
    known = {**dict.fromkeys((*f.S, f.M), Integer(1)), THETA: LAYERS, SIGMA_W: 1, SIGMA_B: 0}
    return f.layer_map()[3].subs(known, simultaneous=True)


def layers_added(values: Values, dps: int) -> Any:
    """Return the sum of what all layers add."""
    (layers,) = numbers(values, dps, LAYERS)
    return mpmath.fsum(1 for _ in range(int(layers) + 1))


def _of_linear() -> Expr:
    """`overlap_map` of a linear network with the Theta = l and the P = (l - 1) l/2 of the layers below."""
    known = {one: Integer(0) for one in (*f.P, *f.PRODUCT, *f.LEFT, *f.RIGHT)}
    known |= {f.P[0, 0]: LAYERS * (LAYERS - 1) / 2, f.PRODUCT[0, 0]: Integer(1)}
    known |= {f.LEFT[0, 0]: Integer(1), f.RIGHT[0, 0]: Integer(1)}
    return f.overlap_map()[0, 0].subs(known | {THETA: LAYERS, SIGMA_W: 1, SIGMA_B: 0})


def of_linear(values: Values, dps: int) -> Any:
    """Return the sum over the layers that h is differentiated by."""
    (layers,) = numbers(values, dps, LAYERS)
    return mpmath.fsum(m + 1 for m in range(int(layers)))
