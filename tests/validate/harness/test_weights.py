"""Random matrices have the law they claim, and a replicate is the same however replicates are batched."""

import numpy as np
import pytest
import torch
from scipy import stats

from widelimit.theory.errors import ArgumentError
from widelimit.validate.harness.backend import Backend
from widelimit.validate.harness.drawing.weights import Draws, haar, weights

CPU = Backend()


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_normal_numbers_are_normal(precision):
    sample = Draws([1, 2], Backend(precision=precision)).normal(300, 300)
    assert sample.dtype == Backend(precision=precision).dtype
    values = sample.double().numpy().ravel()
    n = values.size
    # four moments within 4.5 standard errors: variances 1/n, 2/n, 15/n, 96/n
    for power, expected, spread in [(1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)]:
        assert abs((values**power).mean() - expected) < 4.5 * (spread / n) ** 0.5
    assert stats.kstest(values, "norm").pvalue > 1e-4
    assert abs(np.corrcoef(sample[0].numpy().ravel(), sample[1].numpy().ravel())[0, 1]) < 4.5 / 300


@pytest.mark.parametrize("ensemble", ["gaussian", "orthogonal"])
def test_a_replicate_depends_on_its_seed_alone(ensemble):
    together = weights(ensemble, Draws([7, 8, 9], CPU), 40, 40, 1.3).matrix()
    alone = weights(ensemble, Draws([8], CPU), 40, 40, 1.3).matrix()
    assert torch.allclose(together[1], alone[0], rtol=1e-13, atol=1e-14)
    assert not torch.allclose(together[0], together[1])


@pytest.mark.parametrize("ensemble", ["gaussian", "orthogonal"])
@pytest.mark.parametrize("shape", [(30, 30), (50, 20), (20, 50)])
def test_products_are_those_of_the_matrix(ensemble, shape):
    w = weights(ensemble, Draws([3, 4], CPU), *shape, 1.7)
    x = torch.randn(2, shape[1], 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    delta = torch.randn(2, shape[0], 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    assert w.matrix().shape == (2, *shape)
    assert torch.allclose(w.apply(x), w.matrix() @ x, atol=1e-12)
    assert torch.allclose(w.transposed(delta), w.matrix().mT @ delta, atol=1e-12)


def test_gaussian_weights_have_variance_by_fan_in():
    entries = weights("gaussian", Draws([1], CPU), 200, 400, 1.5).matrix()
    assert entries.var().item() == pytest.approx(1.5**2 / 400, rel=4.5 * (2 / 80_000) ** 0.5)


@pytest.mark.parametrize("shape", [(40, 40), (60, 25), (25, 60)])
def test_haar_weights_are_orthogonal_with_the_size_of_fan_in(shape):
    w = haar(Draws([1, 2], CPU), *shape, 1.3).matrix()
    short = w @ w.mT if shape[0] <= shape[1] else w.mT @ w
    expected = 1.3**2 * max(1.0, shape[0] / shape[1]) * torch.eye(min(shape), dtype=torch.float64)
    assert torch.allclose(short, expected.expand_as(short), atol=1e-12)
    # entries have variance sigma_w^2 / fan_in exactly on average: |W|_F^2 = n_out sigma_w^2
    assert w.square().sum(dim=(1, 2)).tolist() == pytest.approx([shape[0] * 1.3**2] * 2, rel=1e-12)


def test_haar_law_by_moments_of_the_trace():
    # Diaconis & Shahshahani 1994: over O(n), E tr Q = 0, E (tr Q)^2 = 1, E tr Q^2 = 1, E (tr Q)^4 = 3, and
    # Var tr Q^2 = 2, exactly once n is large enough. A missing sign fix gives E tr Q far from 0.
    count = 20_000
    q = haar(Draws(range(count), CPU), 6, 6, 1.0).matrix()
    trace = torch.diagonal(q, dim1=1, dim2=2).sum(dim=1)
    trace2 = torch.diagonal(q @ q, dim1=1, dim2=2).sum(dim=1)
    bound = 4.5 / count**0.5
    assert abs(trace.mean().item()) < bound
    assert abs(trace.square().mean().item() - 1) < bound * 2**0.5
    assert abs(trace2.mean().item() - 1) < bound * 2**0.5
    assert abs(trace.pow(4).mean().item() - 3) < bound * 96**0.5


def test_haar_is_invariant_where_scipy_says():
    # one entry of a Haar matrix of size n: u^2 ~ Beta(1/2, (n-1)/2); corner and last entry must agree with it
    q = haar(Draws(range(4000), CPU), 5, 5, 1.0).matrix().numpy()
    for i, j in [(0, 0), (4, 4), (2, 3), (0, 4), (4, 0)]:
        assert stats.kstest(q[:, i, j] ** 2, stats.beta(0.5, 2).cdf).pvalue > 1e-4
        assert abs(np.sign(q[:, i, j]).mean()) < 4.5 / 4000**0.5


def test_dropout_masks_are_inverted():
    mask = Draws([1, 2], CPU).kept(0.8, 500, 100)
    assert set(mask.unique().tolist()) == {0.0, 1.25}
    assert mask.mean().item() == pytest.approx(1, abs=4.5 * (0.25 / 100_000) ** 0.5)


def test_unknown_ensemble_is_refused():
    with pytest.raises(ArgumentError, match="`weights` must be gaussian or orthogonal"):
        weights("uniform", Draws([1], CPU), 3, 3, 1.0)
