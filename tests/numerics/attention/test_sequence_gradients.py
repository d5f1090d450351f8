"""Derivatives of attention over sequences against differences of `sequences`, closed cases, and those of `layer`."""

import numpy as np
import pytest

from widelimit.numerics.attention import layer_gradient, sequences, sequences_gradient
from widelimit.theory.errors import ArgumentError


def gram(random, *shape):
    size = int(np.prod(shape))
    one = random.standard_normal((size, size + 2))
    return (one @ one.T / (size + 2) + 0.2 * np.eye(size)).reshape(*shape, *shape)


def symmetric(random, *shape):
    size = int(np.prod(shape))
    one = random.standard_normal((size, size))
    return ((one + one.T) / 2).reshape(*shape, *shape)


def parts(found):
    return [found.covariance, found.overlaps]


def difference(function, step=1e-3):
    """Of the fourth order."""
    near = [[np.asarray(one) for one in function(k * step)] for k in (-2, -1, 1, 2)]
    return [(8 * (c - b) - (d - a)) / (12 * step) for a, b, c, d in zip(*near, strict=True)]


@pytest.mark.parametrize("seed", range(20))
def test_differences_at_the_same_samples(seed):
    """Overlaps to all digits, at fixed normals; C' has shares of its own in what is taken off the noise."""
    random = np.random.default_rng(seed)
    shape = [(4,), (2, 3), (1, 5), (3, 2)][seed % 4]
    tokens = shape[-1]
    given = {"sigma_qk": random.uniform(0.2, 1.5), "sigma_vo": 1.3, "pairs": 64, "seed": seed}
    given["causal"] = bool(seed % 2)
    if seed % 3 == 0:
        given["angles"] = random.standard_normal((tokens, 3))
    if seed % 3 == 1:
        given["mask"] = random.standard_normal((tokens, tokens))
    C, turn = gram(random, *shape), symmetric(random, *shape)
    others, directions = {}, {}
    if seed % 5 < 2:
        for name in ("keys", "values"):
            others[name], directions[name] = gram(random, *shape), symmetric(random, *shape)
    found = sequences_gradient(
        C, direction=turn, **given, **others, **{f"{name}_direction": one for name, one in directions.items()}
    )

    def at(step=0.0, **moved):
        moved = {name: given[name] + one for name, one in moved.items()}
        there = {name: one + step * directions[name] for name, one in others.items()}
        return parts(sequences(C + step * turn, **{**given, **there, **moved}))

    assert found.value == sequences(C, **given, **others)
    for one, other in (
        (found.sigma_qk, difference(lambda x: at(sigma_qk=x))),
        (found.sigma_vo, difference(lambda x: at(sigma_vo=x))),
        (found.along, difference(at)),
    ):
        assert one.overlaps == pytest.approx(other[1], rel=1e-7, abs=1e-9)
        scale = np.abs(other[0]).max()
        loose = 5 * found.error if one is found.along else 1e-8
        assert np.abs(one.covariance - other[0]).max() < loose * scale


def test_as_a_layer_that_integrates():
    """Exchangeable tokens, whose derivatives `layer_gradient` knows to 8 digits."""
    C, turn = np.where(np.eye(4), 1.0, 0.3), np.where(np.eye(4), 1.0, -0.2)
    scales = {"sigma_qk": 1.2, "sigma_vo": 0.9, "causal": True}
    known = layer_gradient(C, direction=turn, **scales)
    found = sequences_gradient(C, direction=turn, **scales)
    for name in ("sigma_qk", "sigma_vo", "along"):
        one, other = getattr(found, name).covariance[0, :, 0], getattr(known, name).covariance
        assert np.abs(one - other).max() < 4 * found.error * np.abs(other).max()


def test_even_weights():
    """C'_ik = sigma_vo^2 mean C of the sequences of i and k at sigma_qk = 0, whatever the positions."""
    random = np.random.default_rng(0)
    C, turn = gram(random, 2, 3), symmetric(random, 2, 3)
    found = sequences_gradient(
        C, sigma_qk=0.0, sigma_vo=1.5, direction=turn, angles=random.standard_normal((3, 2))
    )
    assert np.abs(found.sigma_qk.covariance).max() < 1e-12
    assert np.abs(found.sigma_qk.overlaps).max() < 1e-12
    mean = turn.mean((1, 3))[:, None, :, None]
    assert found.along.covariance == pytest.approx(2.25 * mean + 0 * turn)
    assert np.abs(found.along.overlaps).max() < 1e-12


def test_values_alone_move():
    """C' is linear in the Gram matrix of values."""
    random = np.random.default_rng(1)
    C, values, turn = gram(random, 3), gram(random, 3), symmetric(random, 3)
    found = sequences_gradient(C, sigma_qk=1.0, values=values, values_direction=turn, pairs=128)
    more = sequences_gradient(C, sigma_qk=1.0, values=values, values_direction=2 * turn, pairs=128)
    assert more.along.covariance == pytest.approx(2 * found.along.covariance)
    assert not found.along.overlaps.any()
    same = sequences_gradient(C, sigma_qk=1.0, values=values, values_direction=values, pairs=4096)
    covariance = same.value.covariance
    assert np.abs(same.along.covariance - covariance).max() < 4 * same.error * np.abs(covariance).max()


def test_shapes_and_refusals():
    C = np.where(np.eye(3), 1.0, 0.3)
    found = sequences_gradient(C, sigma_qk=1.0, pairs=8)
    assert found.along is None and found.sigma_qk.covariance.shape == (1, 3, 1, 3)
    nothing = sequences_gradient(C, sigma_qk=1.0, sigma_vo=0.0, pairs=8)
    assert not nothing.sigma_vo.covariance.any() and nothing.sigma_qk.overlaps.any()
    for wrong in (np.eye(2), np.arange(9.0).reshape(3, 3), "up"):
        with pytest.raises(ArgumentError, match="direction"):
            sequences_gradient(C, sigma_qk=1.0, direction=wrong)
    with pytest.raises(ArgumentError, match=r"keys_direction.*must not be given without `keys`"):
        sequences_gradient(C, sigma_qk=1.0, keys_direction=C)
    with pytest.raises(ArgumentError, match=r"direction.*must leave at 0"):
        sequences_gradient(np.ones((3, 3)), sigma_qk=1.0, direction=np.eye(3))
    with pytest.raises(ArgumentError, match="sigma_qk"):
        sequences_gradient(C, sigma_qk=-1.0)
