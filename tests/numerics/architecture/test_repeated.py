"""Phase of repeated blocks: against closed forms of residual, normalised and plain networks."""

import math

import pytest

from widelimit.numerics import meanfield
from widelimit.numerics.architecture import repeated
from widelimit.theory.architecture import (
    Act,
    Add,
    Affine,
    Architecture,
    BatchNorm,
    Convolution,
    Dense,
    Flatten,
    LayerNorm,
    Residual,
    RMSNorm,
)
from widelimit.theory.errors import ArgumentError, DomainError

ROOT2 = 2**0.5
V_GELU, CHI_GELU = 1.84416574422, 1.95804775117  # of W2 gelu(W1 x) with sigma^2 = 2, by quadrature elsewhere
MLP = (Dense(ROOT2), Act.of("gelu"), Dense(ROOT2))


@pytest.mark.parametrize("norm", [LayerNorm(), RMSNorm(), RMSNorm(affine=True), LayerNorm(each=True)])
def test_a_norm_in_front_of_a_branch_gives_powers_of_depth(norm):
    """1 - c ~ l^(-s), s = 1 - chi_M / v_M."""
    found = repeated(Architecture((Residual((norm, *MLP)),)))
    assert math.isclose(found.power, 1 - CHI_GELU / V_GELU, rel_tol=1e-6)
    assert found.phase == "chaotic" and found.xi_c == math.inf and found.q == math.inf


def test_a_norm_behind_the_sum_gives_a_depth_scale():
    """A factor (1 + chi_M)/(1 + v_M) a block; with weight w on the shortcut 1 is w^2."""
    found = repeated(Architecture((Residual(MLP), LayerNorm())))
    assert math.isclose(found.factor, (1 + CHI_GELU) / (1 + V_GELU), rel_tol=1e-9)
    assert math.isclose(found.xi_c, 1 / math.log(found.factor), rel_tol=1e-9) and math.isclose(found.q, 1.0)
    layers = (Affine(0.5), *MLP, Add(), RMSNorm())
    weighted = repeated(Architecture(layers, ((-1,), (-1,), (1,), (2,), (0, 3), (4,))))
    assert math.isclose(weighted.factor, (0.25 + CHI_GELU) / (0.25 + V_GELU), rel_tol=1e-9)


def test_batch_normalisation_with_and_without_a_shortcut():
    """Plain: E phi'^2/Var phi = pi/(pi - 1). Beside a shortcut: s = 1 - pi/(pi - 1) = -1/(pi - 1), for ReLU."""
    layers = (BatchNorm(affine=True), Act.of("relu"), Dense(1.3))
    plain = repeated(Architecture(layers))
    assert math.isclose(plain.factor, math.pi / (math.pi - 1), rel_tol=1e-9) and plain.phase == "chaotic"
    beside = repeated(Architecture((Residual(layers),)))
    assert math.isclose(beside.power, -1 / (math.pi - 1), rel_tol=1e-6)


@pytest.mark.parametrize(
    "weights", [Dense(1.5, 0.1), Convolution(3, 1.5, 0.1, dimensions=2, padding="zeros")]
)
def test_a_hidden_layer_is_that_of_mean_field_theory(weights):
    point = meanfield.solve("tanh", sigma_w=1.5, sigma_b=0.1)
    found = repeated(Architecture((Act.of("tanh"), weights)))
    assert math.isclose(found.q, float(point.q_star), rel_tol=1e-9)
    assert math.isclose(found.factor, float(point.chi_1), rel_tol=1e-9) and found.phase == "chaotic"
    ordered = repeated(Architecture((Act.of("tanh"), Dense(0.9, 0.3))))
    chi = float(meanfield.solve("tanh", sigma_w=0.9, sigma_b=0.3).chi_1)
    assert ordered.phase == "ordered" and math.isclose(ordered.xi_c, -1 / math.log(chi), rel_tol=1e-9)


def test_scale_free_streams_are_critical():
    """ReLU beside a shortcut grows by 1 + sigma^2/2, as differences do; without one, at sigma^2 = 2, nothing does."""
    branch = (Act.of("relu"), Dense(1.0))
    found = repeated(Architecture((Residual(branch),)))
    assert found.phase == "critical" and math.isclose(found.growth, 1.5) and math.isclose(found.chi, 1.5)
    he = repeated(Architecture((Act.of("relu"), Dense(ROOT2))))
    assert he.phase == "critical" and he.xi_c == math.inf


def test_a_saturating_branch_grows_faster_than_any_power():
    """x + W erf(x): q grows linearly, gradients as exp of a root of depth (yang2017mean, theorem 2)."""
    found = repeated(Architecture((Residual((Act.of("erf"), Dense(1.0))),)))
    assert found.phase == "chaotic" and found.xi_c == math.inf and math.isnan(found.power)


def test_blocks_that_cannot_be_repeated():
    with pytest.raises(DomainError, match=r"Layer 1 \(Flatten\) does not belong"):
        repeated(Architecture((Dense(), Flatten())))
    block = Architecture((Act.of("relu"), Dense()))
    for bad in (0.0, -1.0, math.nan, math.inf, "1", True, 10**400, [1.0, 2.0], 1e300):
        with pytest.raises(ArgumentError, match="`q` must"):
            repeated(block, bad)
    with pytest.raises(ArgumentError, match="`architecture` must"):
        repeated("relu")
