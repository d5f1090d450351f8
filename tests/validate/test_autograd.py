"""Predictions under autograd: against differences, shapes and types, refusals, and scales found by descent."""

import math

import numpy as np
import pytest
import torch

from widelimit.numerics import attention, jacobian, meanfield, ridge
from widelimit.theory.errors import ArgumentError, DomainError
from widelimit.validate.autograd import differentiable, through


def number(value):
    return torch.tensor(value, dtype=torch.float64, requires_grad=True)


def test_against_differences():
    def predicted(w, b, keep):
        found = differentiable(meanfield.gradient, "erf", sigma_w=w, sigma_b=b, keep=keep)
        return found.q_star, found.c_star, found.chi_1, found.xi_q, found.xi_c, found.xi_grad

    w, b, keep = number([1.2, 1.9]), number(0.3), number([[0.8], [0.9]])
    torch.autograd.gradcheck(predicted, (w, b, keep), rtol=1e-5)


def test_values_and_types():
    w = torch.tensor([1.1, 1.9], requires_grad=True)
    found = differentiable(meanfield.gradient, "tanh", sigma_w=w, sigma_b=0.3)
    assert found.chi_1.dtype == torch.float32 and found.phase.tolist() == ["ordered", "chaotic"]
    (found.chi_1 * found.q_star).sum().backward()
    assert w.grad.shape == (2,) and w.grad.dtype == torch.float32
    plain = differentiable(meanfield.gradient, "tanh", sigma_w=1.1, sigma_b=0.3)
    assert plain.chi_1 == pytest.approx(float(found.chi_1[0].detach()), rel=1e-6)


def test_an_axis_for_each_of_the_argument():
    a = number([1.0, 2.0])
    y = np.array([3.0, 4.0, 5.0])
    (out,) = through(lambda a: ((a.sum() * y,), ((np.tile(y, (2, 1)),),)), {"a": a}, ["out"])
    out[1:].sum().backward()
    assert a.grad.tolist() == [9.0, 9.0]


def test_the_edge_of_chaos_by_descent():
    """Adam moves sigma_w until chi_1 is 1, where `critical_line` has the edge."""
    log_w = number(0.0)
    adam = torch.optim.Adam([log_w], lr=0.1, betas=(0.8, 0.9))
    slower = torch.optim.lr_scheduler.ExponentialLR(adam, 0.96)
    for _ in range(250):
        adam.zero_grad()
        found = differentiable(meanfield.gradient, "tanh", sigma_w=log_w.exp(), sigma_b=0.05)
        (found.chi_1 - 1).square().backward()
        adam.step()
        slower.step()
    want = meanfield.critical_line("tanh", sigma_b=0.05).sigma_w
    assert float(log_w.detach().exp()) == pytest.approx(want, rel=1e-6)


def test_the_best_penalty_by_descent():
    """Of an isotropic target it is noise/(signal alpha)."""
    log_penalty = number(0.0)
    adam = torch.optim.Adam([log_penalty], lr=0.2, betas=(0.8, 0.9))
    slower = torch.optim.lr_scheduler.ExponentialLR(adam, 0.96)
    for _ in range(250):
        adam.zero_grad()
        at = {"sample_ratio": 2.0, "penalty": log_penalty.exp()}
        differentiable(ridge.gradient, [1.0], None, [1.5], 0.3, **at).test_error.backward()
        adam.step()
        slower.step()
    assert float(log_penalty.detach().exp()) == pytest.approx(0.3 / (1.5 * 2), rel=1e-6)


def test_moments_of_a_jacobian():
    w, depth = number(1.3), number(6.0)

    def predicted(w, depth):
        found = differentiable(jacobian.gradient, "erf_s", sigma_w=w, sigma_b=0.2, depth=depth)
        return found.mean, found.variance

    torch.autograd.gradcheck(predicted, (w, depth), rtol=1e-5)


def test_a_temperature_of_attention_by_descent():
    """The scale of logits at which two rows share as much as wanted, and the derivative by the correlation."""
    log_std, rho = number(0.0), number(0.3)
    adam = torch.optim.Adam([log_std], lr=0.1, betas=(0.8, 0.9))
    for _ in range(80):
        adam.zero_grad()
        at = {"logit_std": log_std.exp(), "tokens": 8, "correlation": rho}
        (differentiable(attention.overlaps_gradient, **at).across.log() - math.log(0.2)).square().backward()
        adam.step()
    found = attention.overlaps(logit_std=float(log_std.detach().exp()), tokens=8, correlation=0.3)
    assert found.across == pytest.approx(0.2, rel=1e-3)

    def predicted(std, rho):
        return differentiable(attention.overlaps_gradient, logit_std=std, tokens=8, correlation=rho).across

    torch.autograd.gradcheck(predicted, (number(1.2), rho), rtol=1e-5)


def test_scales_of_blocks():
    """Such as the scale of values at which gradients double through four blocks."""
    block = attention.Block("pre", 1.0, 1.0, "gelu", 1.4, 1.4)

    def predicted(vo, first):
        at = {"tokens": 8, "blocks": 4, "rho0": 0.3, "sigma_vo": vo, "sigma_1": first}
        found = differentiable(attention.propagate_gradient, block, **at)
        return found.g[0], found.rho[-1]

    torch.autograd.gradcheck(predicted, (number(0.8), number(1.2)), rtol=1e-5)


@pytest.mark.parametrize("gram", [[[1, 0.2], [0.2, 2]], [[1, 0.2, 0.2], [0.2, 1, 0.2], [0.2, 0.2, 1]]])
def test_scales_of_a_layer_of_attention(gram):
    """Matrices by numbers; what is no argument of the theory's is not learnt."""

    def predicted(qk, vo):
        found = differentiable(attention.layer_gradient, gram, sigma_qk=qk, sigma_vo=vo, causal=True)
        return found.covariance, found.ntk

    torch.autograd.gradcheck(predicted, (number(1.2), number(0.8)), rtol=1e-5)
    turned = torch.eye(len(gram), dtype=torch.float64, requires_grad=True)
    with pytest.raises(ArgumentError, match=r"direction.*must not require a gradient"):
        differentiable(attention.layer_gradient, gram, sigma_qk=1.0, sigma_vo=1.0, direction=turned)


def test_refusals():
    edge = meanfield.critical_line("tanh", sigma_b=0.2).sigma_w
    found = differentiable(meanfield.gradient, "tanh", sigma_w=number(edge), sigma_b=0.2)
    with pytest.raises(DomainError, match="c_star has no derivative with respect to sigma_w"):
        found.c_star.backward()
    with pytest.raises(ArgumentError, match="q0"):
        differentiable(meanfield.gradient, "tanh", sigma_w=0.9, q0=number(1.0))
    with pytest.raises(ArgumentError, match="floats"):
        differentiable(meanfield.gradient, "tanh", sigma_w=torch.tensor(1))
