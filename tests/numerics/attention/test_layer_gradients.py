"""Derivatives of a layer against differences of `layer` and of what its points average, and against closed cases."""

import numpy as np
import pytest

from widelimit.numerics.attention import layer, layer_gradient, sampling
from widelimit.numerics.attention.layer_gradients import _both as both_change
from widelimit.numerics.attention.layers import _both
from widelimit.numerics.attention.requests import averaged, request
from widelimit.numerics.attention.sampling import Move
from widelimit.theory.errors import ArgumentError


def alike(tokens, own, beside):
    return np.where(np.eye(tokens, dtype=bool), own, beside)


def symmetric(random, tokens):
    one = random.standard_normal((tokens, tokens))
    return (one + one.T) / 2


def gram(random, tokens):
    one = random.standard_normal((tokens, tokens + 2))
    return one @ one.T / (tokens + 2)


def difference(function, step):
    """Of the fourth order."""
    near = [function(k * step) for k in (-2, -1, 1, 2)]
    return (8 * (near[2] - near[1]) - (near[3] - near[0])) / (12 * step)


def parts(found):
    return np.array([found.covariance, found.ntk])


def differences(C, theta, directions, step, **scales):
    """Of `layer` by sigma_qk, by sigma_vo and along the directions of C and theta."""

    def at(place=0.0, **moved):
        moved = {name: scales[name] + one for name, one in moved.items()}
        C_there, theta_there = C + place * directions[0], theta + place * directions[1]
        return parts(layer(C_there, theta=theta_there, **{**scales, **moved}))

    return [
        difference(lambda x: at(sigma_qk=x), step),
        difference(lambda x: at(sigma_vo=x), step),
        difference(at, step),
    ]


def agree(found, wanted, tolerance):
    for one, other in zip((found.sigma_qk, found.sigma_vo, found.along), wanted, strict=True):
        for derivative, value in zip(parts(one), other, strict=True):
            assert np.abs(derivative - value).max() < tolerance * np.abs(value).max()


@pytest.mark.parametrize("seed", range(24))
def test_differences_of_integrals(seed):
    """Exchangeable tokens, and two tokens of any lengths; differences have the rounding of a layer over their step."""
    random = np.random.default_rng(seed)
    causal, pair = bool(seed % 2), seed % 3 == 0
    tokens = 2 if pair else int(random.integers(3, 12))
    if pair:
        C, theta, *directions = gram(random, 2), *(symmetric(random, 2) for _ in range(3))
    else:
        rho = random.uniform(-0.8 / (tokens - 1), 0.9)
        C = alike(tokens, 1.0, rho) * random.uniform(0.5, 2.0)
        theta, *directions = (alike(tokens, *random.uniform(-1, 1, 2)) for _ in range(3))
    scales = {"sigma_qk": random.uniform(0.1, 3), "sigma_vo": random.uniform(0.5, 1.5), "causal": causal}
    found = layer_gradient(C, theta=theta, direction=directions[0], theta_direction=directions[1], **scales)
    assert found.value == layer(C, theta=theta, **scales)
    assert found.value.method == ("pair" if pair else "exchangeable") and found.error <= 1e-8
    agree(found, differences(C, theta, directions, 1e-3, **scales), 2e-7)


@pytest.mark.parametrize("causal", [False, True])
def test_points_move_as_their_derivatives_say(causal):
    """At fixed normals: differences of what every single point gives, by beta and along C and theta at once."""
    random = np.random.default_rng(3)
    C, known, turn, other = gram(random, 4), *(symmetric(random, 4) for _ in range(3))
    asked = request(C, 1.3, 0.8, causal, "sqrt", None)
    move = Move(0.7, turn, other)
    node = next(sampling.points(asked, 0, [move]))

    def near(step):
        there = request(C + step * turn, 1.3 + 0.7 * step, 0.8, causal, "sqrt", None)
        one = next(sampling.points(there, 0))
        every = [
            _both(there, known + step * other, one.weights),
            _both(there.near, averaged(known + step * other), one.near),
            sampling.to_second_order(one.logits, there.gram)[:, None],
        ]
        return np.concatenate(every, 1)[:200], sampling.hot(there)

    moved = node.moved[0]
    average = Move(0.7, averaged(turn), averaged(other))
    found = [
        both_change(asked, known, move, node.weights, moved.weights),
        both_change(asked.near, averaged(known), average, node.near, moved.near),
        sampling.to_second_order_change(node.logits, moved.logits, C, turn)[:, None],
    ]
    wanted = difference(lambda step: near(step)[0], 1e-3)
    assert np.concatenate(found, 1)[:200] == pytest.approx(wanted, rel=1e-6, abs=1e-7)
    hot = difference(lambda step: near(step)[1], 1e-3)
    assert sampling.hot_change(asked, move) == pytest.approx(hot, rel=1e-9, abs=1e-10)


@pytest.mark.parametrize("causal", [False, True])
def test_drawn_layers_agree_within_their_errors(causal):
    random = np.random.default_rng(5)
    C, theta = gram(random, 3), gram(random, 3)
    directions = symmetric(random, 3), symmetric(random, 3)
    scales = {"sigma_qk": 0.9, "sigma_vo": 1.2, "causal": causal}
    found = layer_gradient(C, theta=theta, direction=directions[0], theta_direction=directions[1], **scales)
    assert found.value.method == "monte-carlo" and 1e-6 < found.error < 5e-3
    agree(found, differences(C, theta, directions, 1e-3, **scales), 3 * found.error)


def test_exchangeable_tokens_in_a_direction_of_their_own():
    """The drawn derivative of exchangeable tokens: directions that are permutations of one give permuted derivatives,
    and their mean is that of the mean direction, which integrals know."""
    C = alike(4, 1.0, 0.2)
    scales = {"sigma_qk": 1.0, "sigma_vo": 1.0}
    one = layer_gradient(C, direction=np.diag([1.0, 0, 0, 0]), **scales)
    known = layer_gradient(C, direction=np.eye(4) / 4, **scales)
    assert known.error <= 1e-8 < one.error < 1e-2
    mean = averaged(one.along.covariance)
    assert mean == pytest.approx(known.along.covariance, rel=3 * one.error)
    assert parts(one.sigma_qk) == pytest.approx(parts(known.sigma_qk), rel=1e-12)


def test_temperature_without_end():
    """Even weights: C'_ik = sigma_vo^2 mean C, Theta'_ik = 2 C'_ik + sigma_vo^2 mean Theta and even in beta."""
    random = np.random.default_rng(7)
    C, theta, turn, other = (f(random, 5) for f in (gram, symmetric, symmetric, symmetric))
    found = layer_gradient(C, sigma_qk=0.0, sigma_vo=1.5, theta=theta, direction=turn, theta_direction=other)
    for one in (found.sigma_qk.covariance, found.sigma_qk.ntk):
        assert np.abs(one).max() < 1e-12
    assert found.along.covariance == pytest.approx(np.full((5, 5), 2.25 * turn.mean()), rel=1e-9)
    assert found.along.ntk == pytest.approx(np.full((5, 5), 2.25 * (2 * turn + other).mean()), rel=1e-9)
    assert found.sigma_vo.covariance == pytest.approx(np.full((5, 5), 3.0 * C.mean()), rel=1e-9)


def test_nearly_even_weights():
    """dC'/dbeta = 2 beta (C_ik tau + C_m kappa) of any Gram matrix, by hand from the second order."""
    random = np.random.default_rng(9)
    C = gram(random, 4)
    centre = np.eye(4) - 0.25
    turned = centre @ C @ centre
    tau = np.trace(turned @ turned) / 16
    kappa = np.cov(np.diag(turned), C.mean(0), bias=True)[0, 1]
    lengths = (np.diag(C)[:, None] + np.diag(C)) / 2
    found = layer_gradient(C, sigma_qk=1e-3, sigma_vo=1.0)
    assert found.sigma_qk.covariance == pytest.approx(2e-3 * (C * tau + lengths * kappa), rel=1e-4, abs=1e-9)


def test_equal_tokens_and_no_output():
    """C = 11': whatever attends, C' = sigma_vo^2 11'. With sigma_vo = 0 nothing comes out, to first order in it."""
    one = np.ones((4, 4))
    for sigma_vo in (1.3, 0.0):
        found = layer_gradient(one, sigma_qk=2.0, sigma_vo=sigma_vo, direction=one)
        assert np.abs(found.sigma_qk.covariance).max() < 1e-12
        assert found.sigma_vo.covariance == pytest.approx(2 * sigma_vo * one)
        assert found.along.covariance == pytest.approx(sigma_vo**2 * one)


def test_logits_over_the_head_dimension():
    C = [[1, 0.2], [0.2, 2]]
    found = layer_gradient(C, sigma_qk=6.0, sigma_vo=1.0, scaling="linear", head_dim=16)
    same = layer_gradient(C, sigma_qk=1.5, sigma_vo=1.0)
    assert parts(found.sigma_qk) == pytest.approx(parts(same.sigma_qk) / 4)
    assert not parts(layer_gradient(C, sigma_qk=6.0, sigma_vo=1.0, scaling="linear").sigma_qk).any()


def test_a_chain_of_layers():
    """The derivative of the second layer's output by the scale of the first one's logits."""
    C, scales = np.array([[1, 0.2], [0.2, 2]]), {"sigma_vo": 1.1, "causal": True}

    def second(beta):
        one = layer(C, sigma_qk=beta, **scales)
        return parts(layer(one.covariance, sigma_qk=1.5, theta=one.ntk, **scales))

    first = layer_gradient(C, sigma_qk=1.5, **scales)
    found = layer_gradient(
        first.value.covariance, sigma_qk=1.5, theta=first.value.ntk, direction=first.sigma_qk.covariance,
        theta_direction=first.sigma_qk.ntk, **scales,
    )  # fmt: skip
    wanted = difference(lambda x: second(1.5 + x), 1e-3)
    assert parts(found.along) == pytest.approx(wanted, rel=1e-7, abs=1e-10)


def test_tokens_in_a_plane_turn():
    """C without an inverse moves along X(eps) X(eps)', whose direction leaves the plane; others are refused."""
    random = np.random.default_rng(11)
    x, turn = random.standard_normal((4, 2)), random.standard_normal((4, 2))
    scales = {"sigma_qk": 0.7, "sigma_vo": 1.0}
    found = layer_gradient(x @ x.T, direction=x @ turn.T + turn @ x.T, **scales)

    def at(step):
        there = x + step * turn
        return parts(layer(there @ there.T, **scales))

    for one, other in zip(parts(found.along), difference(at, 1e-3), strict=True):
        assert np.abs(one - other).max() < 3 * found.error * np.abs(other).max()
    with pytest.raises(ArgumentError, match=r"direction.*must leave at 0 what is 0 in C"):
        layer_gradient(x @ x.T, direction=np.eye(4), **scales)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("C, turn", [
    (alike(4, 1, 1), np.eye(4)), (alike(4, 1, -1 / 3), np.eye(4)), (alike(2, 1, 1), np.diag([1.0, 0.0])),
])  # fmt: skip
def test_edges_of_gram_matrices(C, turn, causal):
    """Equal tokens, a simplex, a pair: derivatives of the side on which C + eps D is a Gram matrix."""
    scales = {"sigma_qk": 1.1, "sigma_vo": 1.0, "causal": causal, "theta": 0.3}
    near = [parts(layer(C + 1e-3 * k * turn, **scales)) for k in range(5)]
    wanted = np.tensordot([-25, 48, -36, 16, -3], near, 1) / 12e-3
    found = parts(layer_gradient(C, direction=turn, **scales).along)
    assert found == pytest.approx(wanted, rel=1e-7, abs=1e-9)


def test_shapes_and_refusals():
    C = alike(3, 1.0, 0.2)
    found = layer_gradient(C, sigma_qk=1.0, sigma_vo=1.0)
    assert found.along is None
    assert found.sigma_qk.covariance.shape == found.sigma_vo.ntk.shape == (3, 3)
    moved = layer_gradient(
        C, sigma_qk=1.0, sigma_vo=1.0, theta_direction=1.0
    )  # theta_x to Theta'_ik, weights sum to 1
    assert moved.along.covariance == pytest.approx(np.zeros((3, 3)))
    for wrong in (np.eye(2), np.arange(9.0).reshape(3, 3), [[1.0, np.nan, 0]] * 3, "up"):
        with pytest.raises(ArgumentError, match="direction"):
            layer_gradient(C, sigma_qk=1.0, sigma_vo=1.0, direction=wrong)
    with pytest.raises(ArgumentError, match="theta_direction"):
        layer_gradient(C, sigma_qk=1.0, sigma_vo=1.0, theta_direction=np.eye(2))
    with pytest.raises(ArgumentError, match="sigma_qk"):
        layer_gradient(C, sigma_qk=-1.0, sigma_vo=1.0)
    with pytest.raises(ArgumentError, match="must keep logits below"):
        layer_gradient(C, sigma_qk=200.0, sigma_vo=1.0)
