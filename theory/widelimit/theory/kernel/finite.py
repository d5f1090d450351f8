r"""Kernels of networks of finite width: means over networks to order 1/N; Gaussian weights, hidden layers of N units.

Of two inputs. Given the layers below, the units of a layer are independent: unit i has the pre-activations h = (h_1,
h_2) = W_i phi + b of covariance K and the derivatives :math:`\partial h_i(x_1)\cdot\partial h_i(x_2)=K_{12}+W_iBW_i^T`,
with mean Theta. So K and Theta are a Markov chain (`layer_map`), whose own means S of phi phi and M of phi' phi'
scatter by 1/N (`statistics`). Beside that, W_i is known through h: with f = phi'(h_1) phi'(h_2), by Stein's lemma,

    E f W_i B W_i^T = E f (s/N) tr B + (s/N)^2 sum_jk E d_j d_k f phi_j^T B phi_k,    s = sigma_w^2,

(`excess`), where only the limit of :math:`P_{jk}=\phi_j^TB\phi_k/N` is needed. It has a recursion (`overlap_map`):
with :math:`p_j=\phi'(h_1)\phi(h_j)`, :math:`p'_k=\phi'(h_2)\phi(h_k)`, equal units give Theta E p_j p'_k, and two
units what their rows have in common. roberts2022principles has the same in another form (chapter 8).
"""

from __future__ import annotations

from sympy import Expr, Matrix, Symbol

from widelimit.theory.kernel.formulas import SIGMA_B, SIGMA_W, THETA

S = tuple(Symbol(f"S_{pair}", real=True) for pair in ("11", "12", "22"))  # of a layer: means of phi phi
M = Symbol("M", real=True)  # of phi' phi'
P = Matrix(2, 2, lambda j, k: Symbol(f"P_{j + 1}{k + 1}", real=True))
BENT = Matrix(2, 2, lambda j, k: Symbol(f"f_{j + 1}{k + 1}", real=True))  # E d_j d_k f
PRODUCT = Matrix(2, 2, lambda j, k: Symbol(f"e_{j + 1}{k + 1}", real=True))  # E p_j p'_k
LEFT = Matrix(2, 2, lambda j, m: Symbol(f"l_{j + 1}{m + 1}", real=True))  # E d_m p_j
RIGHT = Matrix(2, 2, lambda k, n: Symbol(f"r_{k + 1}{n + 1}", real=True))  # E d_n p'_k


def layer_map() -> tuple[Expr, ...]:
    """Return K_11, K_12, K_22 and Theta one layer on, given a layer's own means.

    >>> layer_map()[3]
    M*Theta*sigma_w**2 + S_12*sigma_w**2 + sigma_b**2
    """
    kernels = tuple(SIGMA_W**2 * one + SIGMA_B**2 for one in S)
    return (*kernels, kernels[1] + SIGMA_W**2 * M * THETA)


def excess() -> Expr:
    """Return N times what the mean of the next Theta exceeds that map by, given S and M.

    >>> excess().coeff(P[0, 0])
    f_11*sigma_w**6
    """
    return sum((SIGMA_W**6 * a * b for a, b in zip(P, BENT, strict=True)), SIGMA_W * 0)


def overlap_map() -> Matrix:
    """Return P of this layer, from that below.

    >>> overlap_map()[0, 0].subs({one: 0 for one in (*LEFT, *RIGHT)})
    Theta*e_11
    """
    return THETA * PRODUCT + SIGMA_W**4 * LEFT * P * RIGHT.T
