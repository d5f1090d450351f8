"""Derivatives of stacks of blocks: ReLU layers by hand, differences of `propagate`, and edges."""

from dataclasses import fields, replace

import numpy as np
import pytest
from mpmath import acos, diff, mpf, pi, sqrt, workdps

from widelimit.numerics.attention import Block, propagate, propagate_gradient
from widelimit.numerics.attention.stack_gradients import ARGUMENTS, PropagationSlopes
from widelimit.theory.errors import ArgumentError

NAMES = [one.name for one in fields(PropagationSlopes)]
SETTING = {"tokens": 8, "blocks": 2, "rho0": 0.2, "q0": 1.0, "g": 1.0, "g_cross": 0.0}


def by_hand(s1, s2, w, rho, q, blocks):
    """Pre-LN blocks of ReLU layers beside a skip that attention adds nothing to: q, rho, g (Cho and Saul 2009)."""
    p, v, g = q * rho, (s1 * s2) ** 2 / 2, mpf(1)
    for _ in range(blocks):
        q, p = w**2 * q, w**2 * p
        g *= w**2 * (w**2 + v / q)
        c = p / q
        q, p = w**2 * q + v, w**2 * p + v * (sqrt(1 - c**2) + (pi - acos(c)) * c) / pi
    return q, p / q, g


def test_relu_by_mpmath():
    block = Block("pre", 1.0, 0.0, "relu", 1.3, 1.1, residual=0.9)
    found = propagate_gradient(block, **{**SETTING, "blocks": 3, "q0": 0.8})
    with workdps(30):
        at = [mpf(1.3), mpf(1.1), mpf(0.9), mpf(0.2), mpf(0.8)]
        for index, name in enumerate(("sigma_1", "sigma_2", "residual", "rho0", "q0")):
            for k, (field, place) in enumerate((("q", -1), ("rho", -1), ("g", 0))):

                def along(x, k=k, index=index):
                    return by_hand(*at[:index], x, *at[index + 1 :], 3)[k]

                want, got = float(diff(along, at[index])), getattr(getattr(found, name), field)[place]
                assert got == pytest.approx(want, rel=1e-10, abs=1e-14), (name, field)


CASES = [
    (Block("pre", 2.0, 1.0, "gelu", 2**0.5, 2**0.5), {}),
    (Block("post", 2.0, 1.0, "relu", 1.2, 1.4, residual=0.8), {"g_cross": 0.1}),
    (Block("none", 0.7, 0.8, "swish", 0.9, 0.8, gate=0.7), {"q0": 1.1, "rho0": 0.5}),
    (Block("pre", 1.0, 1.0, "tanh", 1.2, 1.4), {"rho0": -0.05}),
    (Block("pre", 1.5, 1.0, "tanh", 1.2, 1.4), {"rho0": 1 - 1e-3}),
]


@pytest.mark.parametrize(("block", "given"), CASES)
def test_differences_of_the_stack(block, given):
    """Of the fourth order: their truncation is 1e-8 at most."""
    setting = {**SETTING, **given}
    found = propagate_gradient(block, **setting)
    for name in ARGUMENTS:
        if name == "gate" and block.gate is None:
            assert not found.gate.q.any() and not found.gate.g.any()
            continue

        def along(x, name=name):
            own, at = block, dict(setting)
            if name in at:
                at[name] = x
            else:
                own = replace(block, **{name: x})
            one = propagate(own, **at)
            return np.array([getattr(one, field) for field in NAMES])

        x = setting[name] if name in setting else getattr(block, name)
        step = {"g_cross": 1e-2, "rho0": min(3e-3, (1 - setting["rho0"]) / 10)}.get(name, 2e-3 * x)
        near = [along(x + k * step) for k in (-2, -1, 1, 2)]
        want = (8 * (near[2] - near[1]) - (near[3] - near[0])) / (12 * step)
        got = np.array([getattr(getattr(found, name), field) for field in NAMES])
        assert got == pytest.approx(want, rel=3e-7, abs=1e-9 * np.abs(want).max()), name


def test_edges():
    """No temperature, no branch, equal tokens: numbers, and what does not move stays."""
    cold = propagate_gradient(Block("pre", 0.0, 1.0, "gelu", 1.4, 1.4), **SETTING)
    assert not cold.sigma_qk.q.any() and np.isfinite(cold.sigma_vo.g).all()
    equal = propagate_gradient(Block("pre", 2.0, 1.0, "gelu", 1.4, 1.4), **{**SETTING, "rho0": 1.0})
    assert np.abs(equal.sigma_1.rho).max() < 1e-16 and np.isfinite(equal.rho0.rho).all()
    assert equal.rho0.distance[0] == -1.0
    kinked = propagate_gradient(Block("pre", 2.0, 1.0, "relu", 1.4, 1.4), **{**SETTING, "rho0": 1.0})
    assert np.isfinite(kinked.sigma_1.g_cross).all() and np.isfinite(kinked.rho0.q).all()


def test_scales_in_place_of_the_blocks_own_and_refusals():
    block = Block("pre", 2.0, 1.0, "gelu", 1.4, 1.4)
    one = propagate_gradient(block, **SETTING, sigma_vo=0.7)
    other = propagate_gradient(replace(block, sigma_vo=0.7), **SETTING)
    assert (one.sigma_1.g == other.sigma_1.g).all()
    with pytest.raises(ArgumentError, match="sigma_3"):
        propagate_gradient(block, **SETTING, sigma_3=1.0)
    with pytest.raises(ArgumentError, match="sigma_vo"):
        propagate_gradient(block, **SETTING, sigma_vo=-1.0)
    with pytest.raises(ArgumentError, match="block"):
        propagate_gradient("gelu", **SETTING)
