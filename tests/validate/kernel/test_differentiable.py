"""Scales of layers by autograd: against differences, and learnt on digits better than those they start from."""

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal
from sklearn.datasets import load_digits

from widelimit.numerics.kernel import nngp_ntk
from widelimit.theory.errors import WidelimitError
from widelimit.validate import kernel

X = np.random.default_rng(0).standard_normal((5, 3))


@pytest.mark.parametrize("layers", [False, True])
def test_against_differences(layers):
    w, b = (
        torch.full((3,) if layers else (), one, dtype=torch.float64, requires_grad=True) for one in (1.3, 0.2)
    )
    torch.autograd.gradcheck(
        lambda w, b: kernel.nngp(X, sigma_w=w, sigma_b=b, activation="tanh", depth=2), (w, b)
    )
    torch.autograd.gradcheck(lambda w, b: kernel.nngp(X, X[:2], sigma_w=w, sigma_b=b, depth=2), (w, b))


def test_values_and_types():
    got = kernel.nngp(torch.as_tensor(X), sigma_w=1.3, sigma_b=0.2, activation="erf", depth=2)
    assert (got.numpy() == nngp_ntk(X, activation="erf", sigma_w=1.3, sigma_b=0.2, depth=2).nngp).all()
    single = torch.tensor(1.3, requires_grad=True)
    kernel.nngp(X, sigma_w=single).sum().backward()
    assert single.grad.dtype == torch.float32


def test_likelihood():
    k = nngp_ntk(X, sigma_w=1.3, sigma_b=0.2).nngp
    y = np.random.default_rng(1).standard_normal((5, 2))
    want = sum(multivariate_normal(cov=k + 0.3 * np.eye(5)).logpdf(y[:, j]) for j in range(2))
    assert float(kernel.log_likelihood(torch.as_tensor(k), y, noise=0.3)) == pytest.approx(want, rel=1e-12)


def test_scales_learnt_on_digits():
    """Descent on the marginal likelihood raises it, and what is not used to learn is predicted better."""
    x, labels = load_digits(return_X_y=True)
    x, y = x / 16 - 0.5, np.eye(10)[labels] - 0.1
    start = torch.log(torch.tensor([0.5, 0.5, 0.5, 0.05], dtype=torch.float64)).requires_grad_()
    optimizer = torch.optim.Adam([start], lr=0.15)

    def likelihood(log):
        w, noise = log[:3].exp(), log[3].exp()
        return kernel.log_likelihood(
            kernel.nngp(x[:150], sigma_w=w, sigma_b=0.1, activation="erf", depth=2), y[:150], noise=noise
        )

    def held_out(log):
        w, noise = log[:3].exp().detach(), float(log[3].detach().exp())
        k, cross = (
            kernel.nngp(one, x[:150], sigma_w=w, sigma_b=0.1, activation="erf", depth=2).numpy()
            for one in (x[:150], x[150:700])
        )
        guess = cross @ np.linalg.solve(k + noise * np.eye(150), y[:150])
        return float(((guess - y[150:700]) ** 2).mean())

    first, error = float(likelihood(start).detach()), held_out(start)
    for _ in range(30):
        optimizer.zero_grad()
        (-likelihood(start)).backward()
        optimizer.step()
    assert float(likelihood(start).detach()) > first + 100
    assert held_out(start) < 0.9 * error


@pytest.mark.parametrize(
    "wrong",
    [
        {"x1": torch.eye(3, requires_grad=True)}, {"x2": torch.eye(3, requires_grad=True)}, {"sigma_w": -1.0},
        {"sigma_w": torch.tensor(1)}, {"sigma_w": torch.ones(3)}, {"sigma_w": torch.ones(2, 2)}, {"sigma_b": "1"},
        {"activation": "nothing(x)"}, {"depth": 1.5}, {"x2": np.eye(2)}, {"sigma_w": torch.tensor(float("nan"))},
    ],
)  # fmt: skip
def test_bad_input(wrong):
    with pytest.raises(WidelimitError):
        kernel.nngp(**{"x1": X, "sigma_w": 1.0, **wrong})


def test_bad_likelihood():
    eye = torch.eye(2)
    for bad in (
        (eye[0], [1.0, 0.0], 1.0),
        (eye, [1.0], 1.0),
        (-eye, [1.0, 0.0], 0.1),
        (eye, [1.0, 0.0], -1.0),
    ):
        with pytest.raises(WidelimitError):
            kernel.log_likelihood(bad[0], bad[1], noise=bad[2])
