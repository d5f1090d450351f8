"""Five local rules that align a feedback B (n x m) with the transpose of the weights W (m x n), as flows of matrices.

Written in symbols that do not commute: `W`, `WT` its transpose, `B`, `BT`, and `C`, the second moment of the inputs. In
the eigenbases of C (from the left) and of W C W^T (from the right) every flow is a number's: c and mu are eigenvalues
there, w the entry of W^T, b that of B.
"""

from __future__ import annotations

from sympy import Expr, Integer, Symbol, expand

from widelimit.theory.calculus import exact
from widelimit.theory.errors import DomainError

RULES = ("symmetric", "mirror", "activation", "information", "kolen_pollack")

ALPHA = Symbol("alpha", positive=True)
BETA = Symbol("beta", positive=True)
GAMMA = Symbol("gamma", nonnegative=True)
W = Symbol("W", commutative=False)
WT = Symbol("W^T", commutative=False)
B = Symbol("B", commutative=False)
BT = Symbol("B^T", commutative=False)
C = Symbol("C", commutative=False)

MODE = Symbol("c", nonnegative=True)
IMAGE = Symbol("mu", nonnegative=True)
ENTRY = Symbol("w", real=True)
BACKWARD = Symbol("b", real=True)


def flow(rule: str) -> Expr:
    """The flow of the feedback B with W at rest, in units of flow time (kunin2020two, section 3; akrout2019deep).

    symmetric -alpha B + beta W^T; mirror -alpha B + beta C W^T; activation -alpha C B + beta C W^T; information
    alpha C W^T - beta B W C W^T - gamma B; kolen_pollack -alpha (B - W^T), alpha being the decay of weights. They
    descend sums of primitives, the quadratic ones with a factor 1/2.

    >>> flow("symmetric")
    -alpha*B + beta*W^T
    """
    flows = {
        "symmetric": -ALPHA * B + BETA * WT,
        "mirror": -ALPHA * B + BETA * C * WT,
        "activation": -ALPHA * C * B + BETA * C * WT,
        "information": ALPHA * C * WT - BETA * B * W * C * WT - GAMMA * B,
        "kolen_pollack": -ALPHA * B + ALPHA * WT,
    }
    return flows[exact.one_of("rule", rule, RULES)]


def forward_flow(rule: str) -> Expr:
    """The flow of W where W descends the same primitives as B.

    Raises `DomainError` for kolen_pollack, whose weights follow the task.

    >>> forward_flow("mirror")
    -alpha*W + beta*B^T*C
    """
    flows = {
        "symmetric": -ALPHA * W + BETA * BT,
        "mirror": -ALPHA * W + BETA * BT * C,
        "activation": -ALPHA * W * C + BETA * BT * C,
        "information": ALPHA * BT * C - BETA * BT * B * W * C - GAMMA * W,
    }
    if exact.one_of("rule", rule, RULES) == "kolen_pollack":
        raise DomainError(
            "The weights of kolen_pollack follow the task, and have no flow of their own. Choose another rule."
        )
    return flows[rule]


def in_modes(expr: Expr) -> Expr:
    """A flow of matrices for one entry in the eigenbases of C and W C W^T."""
    numbers = {B: BACKWARD, WT: ENTRY, C: MODE}
    return expand(expr).subs(W * C * WT, IMAGE).subs(numbers)


def rate(rule: str) -> Expr:
    """How fast one entry of B decays to rest: alpha, alpha c for activation, gamma + beta mu for information.

    >>> rate("information")
    beta*mu + gamma
    """
    return -in_modes(flow(rule)).diff(BACKWARD)


def drive(rule: str) -> Expr:
    """What drives one entry of B, for each unit of the entry of W^T.

    >>> drive("mirror")
    beta*c
    """
    return in_modes(flow(rule)).diff(ENTRY)


def fixed_point(rule: str) -> Expr:
    """One entry of B at rest, for each unit of the entry of W^T: `drive` over `rate`.

    beta/alpha for symmetric and activation, beta c/alpha for mirror, alpha c/(beta mu + gamma) for information, 1 for
    kolen_pollack.

    >>> fixed_point("information")
    alpha*c/(beta*mu + gamma)
    """
    return drive(rule) / rate(rule)


def noisy_rate(rule: str) -> Expr:
    """The part of `rate` that a batch measures, and that is therefore noisy: alpha c, or beta mu.

    >>> noisy_rate("information"), noisy_rate("mirror")
    (beta*mu, 0)
    """
    whole = rate(rule)
    return whole - whole.subs({MODE: Integer(0), IMAGE: Integer(0)})


def residual(rule: str) -> Expr:
    """What is left of the input's coefficient in the noisy part of the flow at rest, r = P x with P as returned.

    The noisy part of every flow is r times what stands to its right, W^T or W^T after W C: of information
    P = alpha - beta B W, of mirror beta. It vanishes for the others, so that their noise dies out.

    >>> residual("information")
    alpha - beta*B*W
    """
    exact.one_of("rule", rule, RULES)
    none = Integer(0)
    return {"mirror": BETA, "information": ALPHA - BETA * B * W}.get(rule, none)
