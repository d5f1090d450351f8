"""Descents whose path integrals are summed step by step, and tasks learnt one after another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.numerics.results import by_value
from widelimit.validate.simulate.kernel import normals

if TYPE_CHECKING:
    import torch

    from widelimit.validate.harness.backend import Backend

_CHAINS = 2000  # one-dimensional descents a replicate
_STARTS = 4000
TASKS, _STEPS, _BATCH, _RATE = 5, 400, 64, 1e-3


def curvature(inputs: Any, backend: Backend) -> torch.Tensor:
    """The curvature of a point: a fixed matrix with eigenvalues from `least` to 1 in a basis of its own."""
    import torch

    size = int(inputs["parameters"])
    basis, _ = torch.linalg.qr(normals(7, backend)(size, size))
    values = torch.linspace(float(inputs["least"]), 1.0, size, dtype=backend.dtype, device=backend.device)
    return (basis * values) @ basis.T


def start(inputs: Any, backend: Backend) -> torch.Tensor:
    """The displacement that a descent starts from."""
    return normals(8, backend)(int(inputs["parameters"]))


def descent(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Path integrals of all parameters by heavy-ball descent to rest."""
    hessian, x = curvature(inputs, backend), start(inputs, backend)
    rate, momentum = float(inputs["learning_rate"]), float(inputs.get("momentum", 0.0))
    velocity, omega = x * 0, x * 0
    for _ in range(20_000):
        gradient = hessian @ x
        velocity = momentum * velocity - rate * gradient
        omega = omega - gradient * velocity
        x = x + velocity
        if float(x.abs().max() + velocity.abs().max()) < 1e-15:
            break
    return omega.cpu().numpy()


def energy(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Sum of omega of a torch optimiser, over the loss lost and half of Delta'H Delta, measured beside it."""
    import torch

    hessian = curvature(inputs, backend)
    x = start(inputs, backend).requires_grad_()
    optimiser = getattr(torch.optim, str(inputs["optimiser"]))([x], lr=float(inputs["learning_rate"]))
    omega, bent, first = 0.0, 0.0, float(x.detach() @ hessian @ x.detach() / 2)
    for _ in range(60):
        optimiser.zero_grad()
        (x @ hessian @ x / 2).backward()
        before, gradient = x.detach().clone(), torch.as_tensor(x.grad).clone()
        optimiser.step()
        moved = x.detach() - before
        omega -= float(gradient @ moved)
        bent += float(moved @ hessian @ moved / 2)
    last = float(x.detach() @ hessian @ x.detach() / 2)
    return np.array([omega / (first - last + bent)])


def exceeding(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Share of Gaussian starts whose importance (by the gradient flow) exceeds x in size, times sqrt(x)."""
    import torch

    hessian = curvature(inputs, backend)
    normal = normals(seed, backend)
    values, vectors = torch.linalg.eigh(hessian)
    starts = normal(_STARTS, len(values))
    inside = starts @ vectors
    kernel = values[:, None] * values / (values[:, None] + values)
    paths = vectors[0] * inside
    omega = torch.einsum("na,ab,nb->n", paths, kernel, paths)
    sizes = omega.abs() / starts[:, 0] ** 2
    x = float(inputs["x"])
    return np.array([math.sqrt(x) * float((sizes > x).double().mean())])


def noise_of_sgd(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """omega of SGD with noisy gradients, averaged over many descents."""
    normal = normals(seed, backend)
    bent, rate, noise = (float(inputs[name]) for name in ("curvature", "learning_rate", "noise"))
    x, omega = normal(_CHAINS) * 0 + 1.0, 0.0
    for _ in range(int(inputs["steps"])):
        gradient = bent * x + noise * normal(_CHAINS)
        omega += rate * float((gradient**2).mean())
        x = x - rate * gradient
    return np.array([omega])


def noise_of_adam(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """omega a step of torch's Adam whose gradients are noise, behind a start of a hundred steps."""
    import torch

    normal, noise = normals(seed, backend), float(inputs["noise"])
    x = torch.zeros(_CHAINS, dtype=backend.dtype, device=backend.device, requires_grad=True)
    optimiser = torch.optim.Adam(
        [x], lr=float(inputs["learning_rate"]), betas=(float(inputs["beta_1"]), 0.999)
    )
    omega, steps = 0.0, 200
    for step in range(100 + steps):
        x.grad = noise * normal(_CHAINS)
        before = x.detach().clone()
        optimiser.step()
        if step >= 100:
            omega -= float((x.grad * (x.detach() - before)).mean())
    return np.array([omega / steps])


def two_tasks(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Losses of both tasks where gradient descent on the second and a penalty c sum O (theta - theta_A)^2 ends."""
    first = curvature(inputs, backend)
    second = first.flip(0, 1)
    one, strength = start(inputs, backend), float(inputs["strength"])
    x = one.clone()
    weights = first.diagonal() * strength
    for _ in range(20_000):
        slope = second @ x + 2 * weights * (x - one)
        x = x - 0.3 * slope
        if float(slope.abs().max()) < 1e-14:
            break
    away = x - one
    return np.array([float(away @ first @ away / 2), float(x @ second @ x / 2)])


def diagonal_price(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Old and new loss behind the diagonal penalty, and their sum at the joint optimum: two Wishart matrices."""
    import torch

    normal = normals(seed, backend)
    samples = round(size / float(inputs["aspect"]))
    first, second = (x @ x.T / samples for x in (normal(size, samples), normal(size, samples)))
    one = normal(size)
    one = one / one.norm()
    found = []
    for penalty in (float(inputs["strength"]) * torch.diag(first.diagonal()), first):
        x = torch.linalg.solve(second + penalty, penalty @ one)
        found.append((float((x - one) @ first @ (x - one) / 2), float(x @ second @ x / 2)))
    return np.array([*found[0], sum(found[1])])


def permuted_digits(inputs: Any, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Mean test accuracy over five permuted-digits tasks, three numbers a seed.

    That by SI less that of fine-tuning, that by SI less that by EWC, and the log-log slope of the first task's path
    integrals on its Fisher information. All networks (three for each seed) are one batch.
    """
    rough = replace(backend, precision="float32")
    nets = _Networks.drawn(seeds, rough)
    strengths = [0.0, float(inputs["si_strength"]), float(inputs["ewc_strength"]) / 2]
    tasks = [_Task.drawn(seed, rough) for seed in seeds]
    slopes = np.zeros(len(seeds))
    for number in range(TASKS):
        images, labels = _together([one.training(number) for one in tasks])
        omega = nets.learn(images, labels, strengths, [one.batches for one in tasks])
        fisher = nets.fisher(images, labels)
        if number == 0:
            slopes = nets.slopes(omega, fisher)
        nets.hold(omega, fisher)
    right = [nets.accuracy(*_together([one.test(number) for one in tasks])) for number in range(TASKS)]
    free, si, ewc = np.mean(right, axis=0).reshape(len(seeds), 3).T
    return np.stack([si - free, si - ewc, slopes], axis=1)


@by_value
@dataclass
class _Task:
    """The digits in a random order, and the permutations of their pixels; `batches` draws minibatches."""

    images: torch.Tensor
    labels: torch.Tensor
    pixels: list[torch.Tensor]
    batches: torch.Generator

    @staticmethod
    def drawn(seed: int, backend: Backend) -> _Task:
        import torch
        from sklearn.datasets import load_digits

        data, generator = load_digits(), backend.generator(seed)
        images = torch.as_tensor(data.data / 16.0, dtype=backend.dtype, device=backend.device)
        labels = torch.as_tensor(data.target, device=backend.device)
        order = torch.randperm(len(labels), generator=generator, device=backend.device)
        pixels = [torch.randperm(64, generator=generator, device=backend.device) for _ in range(TASKS)]
        return _Task(images[order], labels[order], pixels, backend.generator(seed + 1))

    def training(self, number: int) -> tuple[torch.Tensor, torch.Tensor]:
        return self.images[500:][:, self.pixels[number]], self.labels[500:]

    def test(self, number: int) -> tuple[torch.Tensor, torch.Tensor]:
        return self.images[:500][:, self.pixels[number]], self.labels[:500]


def _together(parts: list[tuple[torch.Tensor, torch.Tensor]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Data of all seeds, each three times: for the three methods."""
    import torch

    images, labels = (torch.stack([part[k] for part in parts]).repeat_interleave(3, dim=0) for k in (0, 1))
    return images, labels


@by_value
@dataclass
class _Networks:
    """A batch of networks 64-100-10: weights and biases of both layers, what is held of each, and where."""

    weights: list[torch.Tensor]
    held: list[torch.Tensor]
    anchor: list[torch.Tensor]

    @staticmethod
    def drawn(seeds: Sequence[int], backend: Backend) -> _Networks:
        """Draw three equal networks a seed, in torch's uniform way."""
        import torch

        shapes = ((100, 64), (100,), (10, 100), (10,))
        scales = (1 / 8, 1 / 8, 1 / 10, 1 / 10)
        each = []
        for seed in seeds:
            generator = backend.generator(seed + 2)
            draws = [
                scale
                * (2 * torch.rand(shape, generator=generator, dtype=backend.dtype, device=backend.device) - 1)
                for shape, scale in zip(shapes, scales, strict=True)
            ]
            each += [draws] * 3
        weights = [torch.stack(part).requires_grad_() for part in zip(*each, strict=True)]
        return _Networks(
            weights, [torch.zeros_like(w) for w in weights], [w.detach().clone() for w in weights]
        )

    def hidden(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        import torch

        first, shift, second, top = self.weights
        h = torch.baddbmm(shift[:, None], x, first.transpose(1, 2)).relu()
        return h, torch.baddbmm(top[:, None], h, second.transpose(1, 2))

    def learn(
        self, x: torch.Tensor, y: torch.Tensor, strengths: list[float], batches: list[torch.Generator]
    ) -> list[torch.Tensor]:
        """Train a task by Adam behind the penalties c O (w - anchor)^2; the path integrals of the task's gradient."""
        import torch

        optimiser = torch.optim.Adam(self.weights, lr=_RATE)
        omega = [torch.zeros_like(w) for w in self.weights]
        factors = torch.tensor(strengths * len(batches), dtype=x.dtype, device=x.device)
        for _ in range(_STEPS):
            drawn = [torch.randint(x.shape[1], (_BATCH,), generator=g, device=x.device) for g in batches]
            chosen = torch.stack(drawn).repeat_interleave(3, dim=0)
            images = torch.gather(x, 1, chosen[..., None].expand(-1, -1, x.shape[2]))
            labels = torch.gather(y, 1, chosen)
            loss = torch.nn.functional.cross_entropy(
                self.hidden(images)[1].flatten(0, 1), labels.flatten(), reduction="sum"
            )
            optimiser.zero_grad()
            (loss / _BATCH).backward()
            gradients: list[Any] = [w.grad for w in self.weights]
            own = [one.clone() for one in gradients]
            before = [w.detach().clone() for w in self.weights]
            with torch.no_grad():
                for w, slope, held, anchor in zip(
                    self.weights, gradients, self.held, self.anchor, strict=True
                ):
                    slope += 2 * factors.reshape(-1, *(1,) * (w.dim() - 1)) * held * (w - anchor)
            optimiser.step()
            for total, gradient, w, old in zip(omega, own, self.weights, before, strict=True):
                total -= gradient * (w.detach() - old)
        return omega

    def fisher(self, x: torch.Tensor, y: torch.Tensor) -> list[torch.Tensor]:
        """Mean squared gradients of 300 single samples (true labels): E (delta a)^2 of every weight."""
        import torch

        x, y = x[:, :300], y[:, :300]
        with torch.no_grad():
            h, out = self.hidden(x)
            top = out.softmax(2) - torch.nn.functional.one_hot(y, 10)
            below = (top @ self.weights[2]) * (h > 0)

            def squares(delta: torch.Tensor, inputs: torch.Tensor) -> list[torch.Tensor]:
                square = delta**2
                return [square.transpose(1, 2) @ inputs**2 / x.shape[1], square.mean(1)]

            return [*squares(below, x), *squares(top, h)]

    def hold(self, omega: list[torch.Tensor], fisher: list[torch.Tensor]) -> None:
        """Add the importance of a task: none, omega/(Delta^2 + 0.1), Fisher information for the three methods."""
        import torch

        for k, w in enumerate(self.weights):
            here = w.detach()
            gained = omega[k] / ((here - self.anchor[k]) ** 2 + 0.1)
            zero = torch.zeros_like(gained)
            kind = torch.arange(len(w), device=w.device).remainder(3).reshape(-1, *(1,) * (w.dim() - 1))
            more = torch.where(kind == 1, gained, torch.where(kind == 2, fisher[k], zero))
            self.held[k] = (self.held[k] + more).clamp(min=0)
            self.anchor[k] = here.clone()

    def slopes(self, omega: list[torch.Tensor], fisher: list[torch.Tensor]) -> np.ndarray:
        """Least squares of log omega on log Fisher information, where both are positive, of the networks by SI."""
        import torch

        found = []
        for index in range(1, len(self.weights[0]), 3):
            one, two = (torch.cat([part[index].flatten() for part in parts]) for parts in (omega, fisher))
            both = (one > 0) & (two > 1e-12)
            a, b = two[both].log().double(), one[both].log().double()
            a, b = a - a.mean(), b - b.mean()
            found.append(float((a * b).sum() / (a * a).sum()))
        return np.array(found)

    def accuracy(self, x: torch.Tensor, y: torch.Tensor) -> np.ndarray:
        import torch

        with torch.no_grad():
            return (self.hidden(x)[1].argmax(2) == y).double().mean(1).cpu().numpy()
