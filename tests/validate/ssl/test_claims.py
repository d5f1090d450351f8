"""Networks that learn take autograd's steps, searches find what they should, claims can fail."""

import numpy as np
import pytest
import torch

from widelimit.validate import claims
from widelimit.validate.claims.ssl import GALLERY
from widelimit.validate.harness.backend import Backend
from widelimit.validate.simulate.ssl import digits, measured, networks, searched
from widelimit.validate.simulate.ssl.networks import Setting, State

CLAIMS = claims.load("ssl")


def test_all_claims_of_the_note_are_there():
    names = (
        "invariant fixed-point collapse-threshold time-to-learn bottleneck basin ema-basin snr-filter epsilon"
    )
    assert {f"ssl.{name}" for name in (*names.split(), "alignment", "digits")} <= {
        claim.id for claim in CLAIMS
    }


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda one: one.id)
def test_wrong_theories_apply_and_derivations_are_there(claim):
    point = claim.plans["quick"].points[0]
    predicted = claim.predict(point)
    assert np.isfinite(predicted).all() and len(claim.rows(point)) == len(predicted)
    assert any(one.applies(point) for one in claim.counterfactuals)
    assert claim.derivation(point).steps


def test_a_step_is_that_of_autograd():
    """The loss by its definition, over two samples with two views each."""
    generator = torch.Generator().manual_seed(0)
    draw = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)  # noqa: E731
    means, deviations = draw(2, 3), draw(2, 3)
    views = torch.stack([means + sign * deviations for sign in (-1.0, 1.0)])
    w, p, target = draw(2, 3).requires_grad_(), draw(2, 2).requires_grad_(), draw(2, 3)
    losses = [
        ((p @ w @ views[i, k] - target @ views[j, k]) ** 2).sum() / 2
        for k in range(2) for i in range(2) for j in range(2)
    ]  # fmt: skip
    loss = sum(losses) / 8
    loss.backward()
    moments = means.mT @ means / 2, deviations.mT @ deviations / 2
    start = State(w.detach(), p.detach(), target)
    after = networks.step(start, moments, Setting(decay=0.3, rate=2.0, ema=0.7), 0.1)
    torch.testing.assert_close(after.online, start.online - 0.1 * (w.grad + 0.3 * start.online))
    torch.testing.assert_close(after.predictor, start.predictor - 0.1 * (2 * p.grad + 0.3 * start.predictor))
    torch.testing.assert_close(after.target, target + 0.07 * (start.online - target))


def test_a_rule_is_a_power_of_the_covariance():
    w = torch.randn(2, 3, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    covariance = w @ w.mT
    found = networks.ruled(w, Setting(power=0.5, floor=0.2))
    top = torch.linalg.eigvalsh(covariance)[..., -1]
    root = found - 0.2 * top[:, None, None] * torch.eye(3, dtype=torch.float64)
    torch.testing.assert_close(root @ root, covariance)
    torch.testing.assert_close(networks.ruled(w, Setting(power=1.0)), covariance)


def test_a_search_finds_where_the_answer_changes():
    for threshold, at_low in ((0.37, True), (0.02, False), (0.99, True)):

        def lives(tried, threshold=threshold, at_low=at_low):
            return ((tried < threshold) == at_low).numpy()

        found = searched._search(0.0, 1.0, at_low, (1, 2, 3), Backend(), lives)
        assert np.abs(found - threshold).max() < 1 / searched._GRID**3 + 1e-12


def test_replicates_do_not_depend_on_how_they_are_split():
    inputs = {"weight_decay": 0.1, "predictor_rate": 2.0}
    whole = measured.invariants(inputs, 20, (3, 5), Backend())
    parts = [measured.invariants(inputs, 20, (seed,), Backend()) for seed in (3, 5)]
    np.testing.assert_allclose(whole, np.concatenate(parts), rtol=1e-12)


def test_the_invariant_drifts_by_the_step_alone():
    """S14: drift falls in proportion to the step, here from 1/40 to 1/80 by half."""
    inputs = {"weight_decay": 0.0, "predictor_rate": 1.0}
    drifts = [abs(1 - measured.invariants(inputs, size, (1,), Backend())[0, 2]) for size in (200, 400, 800)]
    assert drifts[0] / drifts[1] == pytest.approx(2, rel=0.1) and drifts[1] / drifts[2] == pytest.approx(
        2, rel=0.1
    )


def test_figures_show_networks_on_their_theory():
    figures = {one.name: one for one in GALLERY}
    assert set(figures) == {"phase-diagram", "collapse", "basin", "rules"}
    rules = figures["rules"].compute("quick")
    for rule in ("learned", "directpred", "directcopy"):
        np.testing.assert_allclose(rules[f"{rule} dots"], rules[f"{rule} theory"][:, ::16], atol=0.01)
    border = figures["basin"].compute("quick")
    assert np.isfinite(border["border"]).all() and (border["moves_s"][:, -1] > 0.3).any()


def test_rules_of_digits_are_powers_with_a_floor():
    x = torch.randn(2, 6, 64, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    moment = x.mT @ x
    top = torch.linalg.eigvalsh(moment)[..., -1, None, None]
    eye = torch.eye(64, dtype=torch.float64)
    copied = digits._ruled(moment, "directcopy")
    torch.testing.assert_close(copied, moment + digits.FLOOR * top * eye, rtol=1e-9, atol=1e-9)
    root = digits._ruled(moment, "directpred") - digits.FLOOR * top * eye
    torch.testing.assert_close(root @ root, moment, rtol=1e-6, atol=1e-5)
    torch.testing.assert_close(digits._ruled(moment, "no predictor")[1], eye)


def test_digits_move_by_a_pixel_and_accuracy_counts_neighbours():
    pictures, labels = digits.images()
    assert pictures.shape == (1797, 10, 10) and not pictures[:, 0].any() and not pictures[..., -1].any()
    assert abs((pictures[:, 1:-1, 1:-1] ** 2).mean() - 1) < 1e-12
    known = torch.nn.functional.one_hot(torch.as_tensor(labels), 10).double()[None]
    assert digits._accuracy(known).item() == 1.0
    assert digits._accuracy(torch.zeros(1, 1797, 3, dtype=torch.float64)).item() < 0.2
