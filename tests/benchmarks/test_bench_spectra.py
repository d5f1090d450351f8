"""Spectra of a module's weights beside numpy's singular values of the same matrices (`--benchmark-enable`).

`of_module` gives noise, outliers with p-values, and power laws with intervals; numpy the singular values alone, in the
weights' own single precision and in double.
"""

import numpy as np
import pytest
import torch
from torch import nn

from widelimit.validate import spectra

SIZES = {"half a million": (4, 256, 512), "25 million": (12, 1024, 2048)}


def module(count, rows, columns):
    torch.manual_seed(0)
    return nn.ModuleList([nn.Linear(columns, rows, bias=False) for _ in range(count)])


@pytest.fixture(params=SIZES)
def weights(request, benchmark):
    benchmark.group = f"spectra of a module of {request.param} weights"
    return module(*SIZES[request.param])


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_of_module(benchmark, weights):
    spectra.of_module(module(1, 16, 32))  # compiles
    found = benchmark.pedantic(lambda: spectra.of_module(weights), rounds=1)
    assert all(one.tail.interval[0] < one.tail.alpha < one.tail.interval[1] for one in found)


@pytest.mark.parametrize("precision", [np.float32, np.float64])
def test_numpy_singular_values(benchmark, weights, precision):
    matrices = [one.weight.detach().numpy().astype(precision) for one in weights]
    found = benchmark.pedantic(lambda: [np.linalg.svd(w, compute_uv=False) for w in matrices], rounds=1)
    assert found[0].size == matrices[0].shape[0]
