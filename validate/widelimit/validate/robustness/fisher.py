"""The Fisher information matrix of a classifier's inputs: which small moves change its probabilities, and how much."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from widelimit.validate.robustness import door


def input_fisher(module: Any, x: Any) -> Tensor:
    """Return F = J' (diag p - p p') J at inputs, J the Jacobian of the logits and p the softmax of them.

    KL(p(x) || p(x + delta)) is delta' F delta / 2 to second order; the rank of F is at most the number of classes less
    one.

    Args:
        module: returns logits, (batch, classes), in evaluation mode.
        x: one input (n,), or a batch (batch, ...).

    Returns a tensor (n, n), or (batch, n, n) with n numbers an input. Raises `ArgumentError` for a module that is in
    train mode or has no gradients, or inputs that are not finite.

    >>> layer = torch.nn.Linear(3, 2).eval()
    >>> fisher = input_fisher(layer, [0.1, 0.2, 0.3])
    >>> fisher.shape, int(torch.linalg.matrix_rank(fisher, tol=1e-6))
    (torch.Size([3, 3]), 1)
    """
    net = door.classifier(module)
    given = door.inputs(x, net)
    single = given.dim() == 1
    batch = given[None] if single else given
    door.differentiable(net, batch)
    at = batch.detach().clone().requires_grad_()
    with torch.enable_grad():
        z = door.logits(net, at)
        rows = [torch.autograd.grad(one.sum(), at, retain_graph=True)[0].flatten(1) for one in z.unbind(1)]
    jacobian, p = torch.stack(rows, 1), torch.softmax(z.detach(), 1)
    centred = jacobian - (p[:, :, None] * jacobian).sum(1, keepdim=True)  # the covariance of rows under p
    found = torch.einsum("bk,bki,bkj->bij", p, centred, centred)
    return found[0] if single else found
