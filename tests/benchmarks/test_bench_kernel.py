"""Kernels beside neural-tangents in the same run.

neural-tangents lives in an environment of its own: set WIDELIMIT_NEURAL_TANGENTS to that environment's python, and its
timing is taken there, jitted and in double precision, without the first (compiling) call. Unset, only ours are timed.
"""

import json
import os
import subprocess

import numpy as np
import pytest

from widelimit.numerics.kernel import nngp_ntk

CASES = [("erf", 500), ("erf", 2000), ("relu", 500), ("relu", 2000), ("tanh", 500)]
_OTHER = """
import json, sys, time
import jax, numpy as np
jax.config.update("jax_enable_x64", True)
from neural_tangents import stax
name, n = sys.argv[1], int(sys.argv[2])
act = {"erf": stax.Erf, "relu": stax.Relu, "tanh": lambda: stax.ElementwiseNumerical(jax.numpy.tanh, deg=25)}[name]
hidden = [f for _ in range(10) for f in (stax.Dense(1, W_std=1.5, b_std=0.1), act())]
kernel = jax.jit(stax.serial(*hidden, stax.Dense(1, W_std=1.5, b_std=0.1))[2], static_argnames="get")
x = np.random.default_rng(0).standard_normal((n, 30))
run = lambda: jax.block_until_ready(tuple(kernel(x, None, get=("nngp", "ntk"))))
run()
times = []
for _ in range(3):
    start = time.perf_counter(); run(); times.append(time.perf_counter() - start)
print(json.dumps(min(times)))
"""


@pytest.mark.parametrize(("activation", "n"), CASES)
def test_ten_hidden_layers(benchmark, activation, n):
    x = np.random.default_rng(0).standard_normal((n, 30))
    nngp_ntk(x[:3], activation=activation, sigma_w=1.5, sigma_b=0.1, depth=2)  # compiled code is loaded
    got = benchmark.pedantic(
        nngp_ntk,
        (x,),
        {"activation": activation, "sigma_w": 1.5, "sigma_b": 0.1, "depth": 10},
        rounds=3,
        warmup_rounds=1,
    )
    assert got.error < 1e-8
    benchmark.extra_info["ours"] = f"{activation}, n = {n}, error bound {got.error:.1e}"
    if python := os.environ.get("WIDELIMIT_NEURAL_TANGENTS"):
        command = [python, "-W", "ignore", "-c", _OTHER, activation, str(n)]
        benchmark.extra_info["neural-tangents"] = json.loads(
            subprocess.check_output(command, text=True).splitlines()[-1]
        )


@pytest.mark.slow
def test_largest_fisher_eigenvalue_of_a_million_parameters(benchmark):
    """The dense Fisher matrix of 10^6 parameters would take 8 TB; its baseline is that it does not fit."""
    import torch

    from widelimit.theory.architecture import mlp
    from widelimit.validate.network.modules import build
    from widelimit.validate.simulate.fisher import largest_eigenvalue

    module = build(
        mlp("tanh", sigma_w=1.5, sigma_b=0.3, depth=2), (500,), width=780, outputs=10, dtype=torch.float32
    )
    x = torch.randn(100, 500, generator=torch.Generator().manual_seed(0))
    assert sum(p.numel() for p in module.parameters()) > 1e6 - 2e4
    value = benchmark.pedantic(largest_eigenvalue, (module, x), {"tolerance": 1e-4}, rounds=1)
    assert value > 0
