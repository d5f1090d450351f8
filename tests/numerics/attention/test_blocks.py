"""Stacks of transformer blocks against worked values, sums by hand, power laws at depth, and bad input."""

import math
import time
import warnings

import numpy as np
import pytest

from widelimit.numerics.attention import (
    Block,
    averaging,
    collapse,
    copied,
    embedding,
    exponents,
    overlaps,
    predict,
    propagate,
    zipf,
)
from widelimit.theory.errors import ArgumentError, WidelimitError

ROOT = math.sqrt(2)
GELU = {"sigma_qk": 2.0, "sigma_vo": 1.0, "activation": "gelu", "sigma_1": ROOT, "sigma_2": ROOT}


@pytest.mark.parametrize(
    "norm, worked",
    [
        ("pre", (5.80887744722, 0.49062302435, 9.2700391647, 0.1945353424)),
        ("post", (1.0, 0.60469890381, 1.7741774486, 0.0549998713)),
    ],
)
def test_worked_stacks(norm, worked):
    found = propagate(Block(norm, **GELU), tokens=8, blocks=2, rho0=0.2)
    last = found.q[-1], found.rho[-1], found.g[0], found.g_cross[0]
    assert last == pytest.approx(worked, rel=1e-9)
    assert found.q.shape == found.rho.shape == found.g.shape == found.g_cross.shape == (5,)
    assert (found.g[-1], found.g_cross[-1], found.rho[0]) == (1.0, 0.0, pytest.approx(0.2))


def test_worked_exponents():
    pre, post = exponents(Block("pre", **GELU)), exponents(Block("post", **GELU))
    assert (pre.v_M, pre.chi_M) == pytest.approx((1.84416574422, 1.95804775117), rel=1e-10)
    assert (pre.angle, pre.power, pre.phase) == (0.0, pytest.approx(0.31155638340, rel=1e-9), "ordered")
    assert (post.angle, post.phase) == (pytest.approx(-0.65388746214, rel=1e-10), "ordered")
    assert math.isnan(post.power)


def test_without_norms_a_stack_is_its_layers():
    """One block by hand: attention by its overlaps, ReLU layers by arc cosines."""
    block = Block("none", 1.3, 0.7, "relu", 1.1, 1.2, residual=0.8)
    found = propagate(block, tokens=5, blocks=1, rho0=0.25, q0=2.0, g=1.5, g_cross=0.3)
    row = overlaps(logit_std=1.3 * math.sqrt(2 * 1.5), tokens=5, correlation=0.25)
    q, p = 0.64 * 2 + 0.49 * (0.5 + 1.5 * row.within), 0.64 * 0.5 + 0.49 * (0.5 + 1.5 * row.across)
    assert (found.q[1], found.rho[1]) == pytest.approx((q, p / q), rel=1e-10)
    rho, scale = p / q, 1.1**2 * 1.2**2
    angle = math.acos(rho)
    dual = (math.sin(angle) + (math.pi - angle) * rho) / (2 * math.pi)
    assert found.q[2] == pytest.approx(0.64 * q + scale * q / 2, rel=1e-12)
    assert found.rho[2] * found.q[2] == pytest.approx(0.64 * p + scale * q * dual, rel=1e-10)
    assert found.g[1] == pytest.approx((0.64 + scale / 2) * 1.5, rel=1e-12)
    assert found.g_cross[1] == pytest.approx(
        (0.64 + scale * (math.pi - angle) / (2 * math.pi)) * 0.3, rel=1e-10
    )


def test_gates_by_hand():
    """W_2 (phi(W_1 x) * W_3 x) of a linear phi: K' = (s_1 s_2 s_3)^2 K^2, and both ways back have the same factor."""
    block = Block("none", 0.0, 0.0, "x", 1.1, 0.9, gate=1.2)
    found = propagate(block, tokens=3, blocks=1, rho0=0.4, q0=1.5)
    scale = (1.1 * 0.9 * 1.2) ** 2
    assert found.q[2] == pytest.approx(1.5 + scale * 2.25, rel=1e-12)
    assert found.rho[2] * found.q[2] == pytest.approx(0.6 + scale * 0.36, rel=1e-12)
    assert found.g[0] == pytest.approx(1 + 2 * scale * 1.5, rel=1e-12)


def test_post_norm_reaches_its_angle():
    block = Block("post", 1.0, ROOT, "gelu", ROOT, 1.0)
    found = propagate(block, tokens=6, blocks=40, rho0=0.3)
    assert math.log(found.distance[-1] / found.distance[-3]) == pytest.approx(
        exponents(block).angle, abs=1e-6
    )
    assert found.distance[-1] < 1e-12
    mean = found.g + 5 * found.g_cross
    assert math.log(mean[-3] / mean[-1]) == pytest.approx(exponents(block).gradient_mean, abs=1e-5)
    apart = found.g - found.g_cross
    assert math.log(apart[-3] / apart[-1]) == pytest.approx(exponents(block).gradient_difference, abs=1e-5)


def test_pre_norm_has_the_powers_of_the_note():
    block = Block("pre", 1.0, 1.0, "relu", ROOT, 1.0)  # v_A = v_M = chi_M = 1
    found = propagate(block, tokens=4, blocks=160, rho0=0.5)
    slope = math.log(found.distance[320] / found.distance[160]) / math.log(2)
    assert slope == pytest.approx(-exponents(block).power, abs=0.03)
    mean = found.g + 3 * found.g_cross
    assert math.log(mean[160] / mean[320]) / math.log(2) == pytest.approx(1.0, abs=0.03)


def test_chaotic_stacks():
    block = Block("pre", 0.5, 0.2, "gelu", 3.0, 1.0)
    assert exponents(block).phase == "chaotic"
    assert propagate(block, tokens=4, blocks=60, rho0=0.999).rho[-1] < 0.99895


def test_copied_layers_of_the_note():
    assert copied("relu", sigma_1=1.0, sigma_2=1.0, layers=16)[16] == pytest.approx(109.97, abs=5e-3)
    linear = copied("x", sigma_1=1.0, sigma_2=1.0, layers=2)  # q_2 = 1 + 1 + 1 + 2 rho_01, rho_01 = 1/sqrt 2
    assert linear == pytest.approx([1, 2, 3 + 2 / ROOT], rel=1e-12)


def test_averages_stay_apart_with_small_branches():
    kept = [averaging(tokens=8, layers=n, rho0=0.2, sigma_vo=1.0, weight=n**-0.5) for n in (10, 1000, 10**6)]
    assert kept[-1] == pytest.approx((0.2 + 0.3 * (math.e - 1)) / (1 + 0.3 * (math.e - 1)), rel=1e-5)
    block = Block("none", 0.0, 20**-0.5, "relu", 1.0, 0.0)
    stack = propagate(block, tokens=8, blocks=20, rho0=0.2)
    assert stack.rho[-1] == pytest.approx(
        averaging(tokens=8, layers=20, rho0=0.2, sigma_vo=1.0, weight=20**-0.5), rel=1e-9
    )
    assert averaging(tokens=8, layers=10**9, rho0=0.2, sigma_vo=1.0, weight=1.0) == 1.0


def test_words():
    ids = [3, 1, 3, 3]
    found = embedding(ids, sigma_e=1.5, sigma_p=0.5)
    assert found[0].tolist() == [2.5, 0.0, 2.25, 2.25]
    share = 1 / np.arange(1, 1001)
    exact = [(share[:n] ** 2).sum() / share[:n].sum() ** 2 for n in (1, 2, 999, 1000)]
    assert zipf([1, 2, 999, 1000]) == pytest.approx(exact, rel=1e-13)


def test_collapse_is_cubic():
    near = collapse(correlation=1 - 1e-6, tokens=5, sigma_qk=2.0, q=1.5)
    assert near.distance / near.leading == pytest.approx(1, abs=1e-4)
    assert near.leading == pytest.approx(9 * 4 / 25 * 1e-18, rel=1e-9)


def test_eight_blocks_take_less_than_a_tenth_of_a_second():
    block = Block("pre", **GELU)
    propagate(block, tokens=8, blocks=8, rho0=0.2)
    start = time.process_time()
    propagate(block, tokens=8, blocks=8, rho0=0.21)
    assert time.process_time() - start < 0.1


BAD_BLOCKS = {
    "norm": ["Pre", None, 1, ["pre"]],
    "sigma_qk": [-1.0, math.nan, math.inf, "1", True, None, [1.0], 1e300, 10**400],
    "sigma_vo": [-1.0, math.nan, None, 1e-300],
    "activation": ["nothing", None, 3j, math.nan],
    "sigma_1": [-1.0, math.inf, "1"],
    "sigma_2": [-1.0, math.inf, True],
    "gate": [-1.0, math.nan, "1", True],
    "residual": [-0.5, math.nan, None],
}


@pytest.mark.parametrize(
    "name, value", [(name, value) for name, values in BAD_BLOCKS.items() for value in values]
)
def test_bad_blocks(name, value):
    with pytest.raises(WidelimitError):
        Block(**{"norm": "pre", **GELU, name: value})


BAD = {
    "block": [None, "pre", 1],
    "tokens": [1, 0, 2.5, "8", True, None, [2, 3], 10**400],
    "blocks": [0, -1, 1.5, "2", True, 10**12],
    "rho0": [-1 / 7, -0.2, 1.1, math.nan, "0", None, True],
    "q0": [0.0, -1.0, math.inf, 1e300, 1e-300],
    "g": [-1.0, math.nan, 1e300, "1"],
    "g_cross": [1.5, -0.2, math.nan, "0"],
}


@pytest.mark.parametrize("name, value", [(name, value) for name, values in BAD.items() for value in values])
def test_bad_stacks(name, value):
    arguments = {"block": Block("pre", **GELU), "tokens": 8, "blocks": 2, "rho0": 0.2}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ArgumentError, match=f"`{name}`"):
            propagate(**{**arguments, name: value})


def test_stacks_without_exponents_or_with_lengths_beyond_floats():
    with pytest.raises(ArgumentError, match="must have norms"):
        exponents(Block("none", **GELU))
    with pytest.raises(ArgumentError, match="`residual` of 1"):
        exponents(Block("pre", **GELU, residual=0.5))
    with pytest.raises(ArgumentError, match="branch"):
        exponents(Block("pre", 1.0, 0.0, "relu", 1.0, 0.0))
    with pytest.raises(ArgumentError, match="below 100"):
        propagate(Block("none", 2.0, 3.0, "relu", 1.0, 1.0), tokens=4, blocks=30, rho0=0.1)
    with pytest.raises(ArgumentError, match="`blocks` must be at most"):
        propagate(Block("none", 0.0, 1.0, "relu", 1e3, 1e3), tokens=4, blocks=40, rho0=0.1)
    with pytest.raises(WidelimitError):
        propagate(Block("none", 0.0, 1.0, "exp(x**2/3)", 1.0, 1.0), tokens=4, blocks=4, rho0=0.1)


def test_extreme_stacks_have_numbers():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for norm in ("pre", "post", "none"):
            for scale in (0.0, 1e-25, 3.0):
                for rho in (-1 / 3, 0.0, 1 - 1e-12, 1.0):
                    block = Block(norm, scale, scale, "relu", scale, scale)
                    try:
                        found = propagate(block, tokens=4, blocks=2, rho0=rho, g=0.0)
                    except WidelimitError:
                        continue
                    assert np.isfinite(found.q).all() and np.isfinite(found.rho).all()
                    assert (found.rho <= 1).all() and (found.distance >= 0).all()


def test_the_command_line_s_predictions():
    found = predict(tokens=8, rho=0.3, sigma_qk=2.0, sigma_vo=1.0, blocks=1, norm="post")
    assert (found["ntk"], found["ntk_cross"]) == pytest.approx((1.6351, 0.9349), abs=6e-5)
    assert "angle" in found and "power" not in found
    with pytest.raises(ArgumentError, match="`tokens`"):
        predict(tokens=10**6)


BAD_INPUTS = [
    (embedding, {"ids": [0, 1], "sigma_e": 1.0}, {"ids": [[], [[1]], [0.5], "ab", None, [math.nan]],
                                                  "sigma_e": [-1, "1", math.inf], "sigma_p": [-1, None]}),
    (zipf, {"vocabulary": 5}, {"vocabulary": [0, 2.5, "5", True, math.nan, 10**400]}),
    (collapse, {"correlation": 0.5, "tokens": 4, "sigma_qk": 1.0},
     {"correlation": [-0.1, 1.1, "0", math.nan], "tokens": [1, 2.5], "sigma_qk": [-1, 1e3, 10**400],
      "q": [0, -1, 1e300]}),
    (averaging, {"tokens": 4, "layers": 2, "rho0": 0.2, "sigma_vo": 1.0, "weight": 0.5},
     {"tokens": [1, "4"], "layers": [-1, 1.5, True], "rho0": [-1 / 3, 2, None], "sigma_vo": [-1],
      "weight": [-1, math.inf]}),
    (copied, {"activation": "relu", "sigma_1": 1.0, "sigma_2": 1.0, "layers": 3},
     {"activation": ["nothing", None], "sigma_1": [-1, "1"], "sigma_2": [-1, math.nan], "layers": [0, 1.5, 10**9],
      "q0": [0, -1, math.nan]}),
    (predict, {"tokens": 4}, {"tokens": [1, 2.5, "4"], "rho": [-1 / 3, 2], "sigma_qk": [-1, 1e3], "blocks": [0, -1],
                              "norm": ["x", None], "activation": [None], "sigma_1": [-1], "sigma_2": [-1]}),
]  # fmt: skip


@pytest.mark.parametrize("function, good, bad", BAD_INPUTS, ids=lambda one: getattr(one, "__name__", ""))
def test_bad_inputs(function, good, bad):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        function(**good)
        for name, values in bad.items():
            for value in values:
                with pytest.raises(WidelimitError):
                    function(**{**good, name: value})
