"""What batches of K inputs do to the feedback: the floor of its error, and the largest stable step.

Gaussian inputs. One step changes e = B - B* by noise of two kinds: what is left of the drive at rest (additive), and
the batch's own C in place of C (multiplicative). In the eigenbasis of C (activation) or of W C W^T (information) the
mean squares d_i of the error close among themselves,

    d_i (1 - (1 - eta rho_i)^2 - (eta nu_i)^2/K) = (eta nu_i/K) eta sum_j nu_j d_j + eta^2 q_i,

rho_i being `rate`, nu_i `noisy_rate`, q_i what the additive noise puts in.
"""

from __future__ import annotations

from sympy import Expr, Symbol, solve

from widelimit.theory.alignment.cosines import edge
from widelimit.theory.alignment.rules import ALPHA, BETA, GAMMA

STEP = Symbol("eta", positive=True)
BATCH = Symbol("K", integer=True, positive=True)
RATE = Symbol("rho", positive=True)
NOISY = Symbol("nu", nonnegative=True)
PUT_IN = Symbol("q", nonnegative=True)
ROUND_TRIP = Symbol("x_CMC", real=True)
ENTRY_OF_C = Symbol("x_C", real=True)
TRACE = Symbol("t", real=True)
DIMENSION = Symbol("n", integer=True, positive=True)


def excess() -> Expr:
    """(C M C + tr(M C) C)/K, what E[A M A] exceeds C M C by for the batch's moment A and symmetric M; entry by entry.

    >>> excess()
    (t*x_C + x_CMC)/K
    """
    return (ROUND_TRIP + TRACE * ENTRY_OF_C) / BATCH


def damping() -> Expr:
    """1 - (1 - eta rho)^2 - (eta nu)^2/K, the share of its square that an error loses in one step by itself.

    >>> damping().subs({NOISY: 0}).expand()
    -eta**2*rho**2 + 2*eta*rho
    """
    return STEP * (2 * RATE - STEP * (RATE**2 + NOISY**2 / BATCH))


def feed() -> Expr:
    """(eta nu)/K, how strongly an entry is fed by eta times the sum of nu_j d_j over all.

    >>> feed()
    eta*nu/K
    """
    return STEP * NOISY / BATCH


def alone() -> Expr:
    """eta^2 q/damping, the mean square of an entry that no other feeds: the mirror's floor, where nu = 0."""
    return STEP**2 * PUT_IN / damping()


def passed_on() -> Expr:
    """eta nu feed/damping, what an entry passes on of what it gets: no step is stable at which all sum to 1."""
    return STEP * NOISY * feed() / damping()


def largest_step() -> Expr:
    """2/rho: a step that is larger overshoots by more than the error.

    >>> largest_step()
    2/rho
    """
    return 2 / RATE


def activation_step() -> Expr:
    """The largest mean-square stable step of activation alignment at n white inputs and batches of K.

    >>> activation_step().factor()
    2*K/(alpha*(K + n + 1))
    """
    everywhere = passed_on().subs({RATE: ALPHA, NOISY: ALPHA}) * DIMENSION
    (found,) = solve(everywhere - 1, STEP)
    return found


def information_step() -> Expr:
    """2/(gamma + beta sigma_w^2 (1 + sqrt(m/n))^2) for Gaussian weights and white inputs.

    >>> from sympy import Rational
    >>> from widelimit.theory.alignment.cosines import ASPECT, SIGMA_W
    >>> information_step().subs({ASPECT: 1, SIGMA_W: 1, BETA: 1, GAMMA: Rational(1, 10)})
    20/41
    """
    return largest_step().subs(RATE, GAMMA + BETA * edge())
