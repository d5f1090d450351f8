"""Networks that learn images: tasks, the kernel along the way, linearised networks, and the claims about them."""

import numpy as np
import pytest

from widelimit.validate.claims.kernel.evolution import IMPROVEMENT, VELOCITY
from widelimit.validate.harness.backend import Backend


@pytest.mark.parametrize("name", ["digits", "sum", "parity"])
def test_tasks_of_images_keep_training_and_test_apart(name):
    from widelimit.validate.simulate.kernel.images import task

    backend = Backend()
    given = task(name, 300, 200, backend.generator(1), backend)
    assert len(given.images) == len(given.labels) == 500 and int(given.labels.max()) < given.classes
    halves = given.images.reshape(500, -1, 64)
    trained, tested = (
        {tuple(v.tolist()) for v in part.reshape(-1, 64)} for part in (halves[:300], halves[300:])
    )
    assert not trained & tested
    if name != "digits":  # labels from images read one by one, by nearest neighbours in the whole collection
        from sklearn.datasets import load_digits

        data = load_digits()
        pixels = (data.data - data.data.mean()) / data.data.std()
        found = [data.target[np.abs(pixels - v.numpy()).sum(axis=1).argmin()] for v in halves.reshape(-1, 64)]
        total = np.array(found).reshape(-1, 2).sum(axis=1)
        assert np.array_equal(given.labels.numpy(), total % (10 if name == "sum" else 2))


def test_a_linearised_network_is_the_first_order_of_the_network():
    """f + J dw against the network moved by dw: the difference falls as the square of dw; J' by autograd."""
    from dataclasses import replace

    import torch

    from widelimit.validate.simulate.kernel import evolution

    inputs = {"task": "parity", "width": 24, "depth": 2, "train": 40, "test": 20}
    net, given, generator = evolution._start(inputs, 3, Backend())
    model, rows = evolution._Linearised.around(net, given.images), torch.arange(60)
    for p in (*model.weights, *model.biases):
        p.copy_(torch.randn(p.shape, generator=generator) * 1e-4)
    moved = replace(
        net,
        weights=[w + d for w, d in zip(net.weights, model.weights, strict=True)],
        biases=[b + d for b, d in zip(net.biases, model.biases, strict=True)],
    )
    start, end = net.forward(given.images)[0], moved.forward(given.images)[0]
    assert (model.outputs(rows) - end).abs().max() < 0.02 * (end - start).abs().max()

    leaves = [p.detach().clone().requires_grad_() for p in (*net.weights, *net.biases)]
    free = replace(net, weights=leaves[:3], biases=leaves[3:])
    batch = torch.arange(16)
    loss = torch.nn.functional.cross_entropy(free.forward(given.images[batch])[0], given.labels[batch])
    for mine, theirs in zip(
        evolution._gradients(net, given, batch), torch.autograd.grad(loss, leaves), strict=True
    ):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-6)


def test_the_kernel_of_a_network_in_training_holds_all_its_gradients():
    """Against the Jacobian by autograd."""
    import torch

    from widelimit.validate.simulate.kernel import evolution

    inputs = {"task": "digits", "width": 12, "depth": 2, "train": 10, "test": 5}
    net, given, _ = evolution._start(inputs, 3, Backend())
    x, leaves = given.images[:4], [p.requires_grad_() for p in (*net.weights, *net.biases)]
    f = net.forward(x)[0].T.reshape(-1)  # all outputs of all images, output by output
    rows = [
        torch.cat([g.reshape(-1) for g in torch.autograd.grad(v, leaves, retain_graph=True)]).double()
        for v in f
    ]
    jacobian = torch.stack(rows)
    kernel = evolution.tangent_kernel(net, x).detach()
    torch.testing.assert_close(kernel, jacobian @ jacobian.T, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_a_kernel_learns_and_slows_down():
    """Small networks: errors fall, the kernel turns most at first, and what it learned is worth more (fort2020deep)."""
    from widelimit.validate.simulate.kernel.evolution import learn, turn

    inputs = {"task": "parity", "width": 64, "depth": 2, "train": 1500, "test": 1000}
    learned = learn(inputs, 1, Backend(), 4, (0, 4))
    assert learned.error[0] > 0.4 > 0.3 > learned.error[-1]
    assert learned.linearised[4] < 0.8 * learned.linearised[0] < 0.4
    alone = learn(inputs, 1, Backend(), 4, (4,))  # what is linearised before does not touch what comes after
    assert alone.linearised[4] == learned.linearised[4] and np.array_equal(alone.error, learned.error)
    turning = turn({**inputs, "task": "digits", "train": 640}, 1, Backend(), 5)
    assert turning.distance[0] < 1e-12 and len(turning.velocity) == 12 == len(turning.epochs) - 1
    assert np.allclose(np.diff(turning.epochs), 0.4, rtol=1e-12)
    assert turning.velocity[-1] < turning.velocity[0] / 5


@pytest.mark.parametrize("claim", [VELOCITY, IMPROVEMENT], ids=lambda claim: claim.id)
def test_claims_of_learning_kernels_repeat_and_tell_their_wrong_theories(claim):
    inputs = {"task": "digits", "train": 200, "test": 300, "width": 64, "depth": 1}
    both = claim.simulate(inputs, 0, [5, 6], Backend())
    assert np.array_equal(both[1:], claim.simulate(inputs, 0, [6], Backend())) and np.isfinite(both).all()
    predicted = claim.predict(inputs)
    assert both.shape == (2, len(predicted)) == (2, len(claim.rows(inputs)))
    wrong = np.array([one.predict(inputs) for one in claim.counterfactuals])
    assert (np.abs(wrong - predicted).max(axis=0) > claim.margin * predicted).all()
