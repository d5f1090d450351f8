"""Peers side by side, each where it is installed: the same values, and the CPU time of both in one run (`-s` shows it).

weightwatcher, powerlaw   exponents of the tails of weight matrices
elephant                  van Rossum's distance of spike trains
nnmt                      Siegert's rates
foolbox                   accuracy under FGSM and PGD

None is needed by widelimit: install them in an environment of their own.
"""

import statistics
import time

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from widelimit.numerics import spiking
from widelimit.validate import robustness, spectra

pytestmark = pytest.mark.filterwarnings("ignore")  # those of peers


def times_faster(name, ours, theirs, rounds=5):
    """CPU time of theirs over ours, medians of rounds that take turns; both have run once before."""
    spent = {ours: [], theirs: []}
    ours(), theirs()
    for _ in range(rounds):
        for one in (ours, theirs):
            start = time.process_time()
            one()
            spent[one].append(time.process_time() - start)
    own, other = (statistics.median(spent[one]) for one in (ours, theirs))
    print(f"\n{name}: {1e3 * own:.3g} ms, theirs {1e3 * other:.3g} ms: {other / own:.3g} times faster")
    return other / own


def heavy(rows=200, columns=400, seed=0):
    """Eigenvalues of W'W, W with heavy-tailed entries."""
    w = np.random.default_rng(seed).standard_t(2.5, (rows, columns))
    return np.linalg.svd(w, compute_uv=False)[::-1] ** 2


def test_powerlaw_has_the_same_exponents_and_a_start_that_fits_less_well():
    """Its distance, and weightwatcher's, takes the lower end of each step of the distribution alone: starts differ."""
    powerlaw = pytest.importorskip("powerlaw")
    for seed in range(3):
        values = heavy(seed=seed)
        theirs, ours = powerlaw.Fit(values, verbose=False), spectra.power_tail(values)
        there = spectra.power_tail(values, start=theirs.xmin)
        assert there.alpha == pytest.approx(theirs.alpha, rel=1e-9)
        assert there.distance >= theirs.D * (1 - 1e-9)
        assert ours.distance <= there.distance
        given = powerlaw.Fit(values, xmin=values[120], verbose=False)
        assert spectra.power_tail(values, start=values[120]).alpha == pytest.approx(
            given.power_law.alpha, rel=1e-9
        )
        pairs = f"{theirs.alpha:.4f} ({there.distance:.4f}), ours {ours.alpha:.4f} ({ours.distance:.4f})"
        print(f"\npowerlaw: exponent (distance) {pairs}")
    ratio = times_faster(
        "tail of 200 eigenvalues against powerlaw",
        lambda: spectra.power_tail(values),
        lambda: powerlaw.Fit(values, verbose=False).alpha,
        rounds=2,
    )
    assert ratio > 1


def test_weightwatcher_has_the_same_exponents():
    weightwatcher = pytest.importorskip("weightwatcher")
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Linear(400, 300), nn.ReLU(), nn.Linear(300, 200), nn.ReLU(), nn.Linear(200, 100)
    )
    watcher = weightwatcher.WeightWatcher(model=module)
    theirs = watcher.analyze()
    ours = spectra.of_module(module)
    assert len(theirs) == len(ours) == 3
    inside = 0
    for (_, row), one in zip(theirs.iterrows(), ours, strict=True):
        values = np.sort(one.eigenvalues) * max(one.shape)  # of W'W
        # its eigenvalues come from single precision, so that the first of the tail is a nearest one
        start = values[np.argmin(np.abs(values - row.xmin))]
        again = spectra.power_tail(values, start=start)
        assert again.alpha == pytest.approx(row.alpha, rel=1e-4)
        inside += one.tail.interval[0] < row.alpha < one.tail.interval[1]
        print(
            f"\n{one.name}: alpha {row.alpha:.4f}, ours there {again.alpha:.4f}, at our start {one.tail.alpha:.4f}"
        )
    assert inside >= 1  # it takes the distance at one side of each step, and so another start at times
    assert (
        times_faster(
            "three layers against weightwatcher", lambda: spectra.of_module(module), watcher.analyze, 2
        )
        > 1
    )


def test_elephant_has_the_same_distances():
    dissimilarity = pytest.importorskip("elephant.spike_train_dissimilarity")
    quantities, neo = pytest.importorskip("quantities"), pytest.importorskip("neo")
    random = np.random.default_rng(0)
    trains = [np.sort(random.uniform(0.0, 100.0, 1000)) for _ in range(10)]
    theirs = [neo.SpikeTrain(one * quantities.s, t_stop=100.0) for one in trains]
    decay, rise = 0.010, 1e-9  # of one exponential, as theirs: 4 L/(a b^2)
    tau = decay * quantities.s
    pairs = [(2 * k, 2 * k + 1) for k in range(5)]

    def own():
        return [spiking.van_rossum(trains[i], trains[j], decay=decay, rise=rise) for i, j in pairs]

    def other():
        return [dissimilarity.van_rossum_distance([theirs[i], theirs[j]], tau)[0, 1] for i, j in pairs]

    assert 4 * np.array(own()) / (decay * rise**2) == pytest.approx(np.array(other()) ** 2, rel=1e-6)
    assert times_faster("five pairs of 1,000 spikes against elephant", own, other) > 1


def test_nnmt_has_the_same_rates():
    delta = pytest.importorskip("nnmt.lif.delta")
    random = np.random.default_rng(0)
    mu, sigma = random.uniform(0.0, 30.0, 2000), random.uniform(1.0, 8.0, 2000)

    def own():
        return spiking.firing_rate(mu, threshold=15.0, tau=0.010, refractory=0.002, noise=sigma)

    def other():
        return delta._firing_rates_for_given_input(mu, sigma, 0.0, 15.0, 0.010, 0.002)

    assert own() == pytest.approx(other(), rel=1e-9)
    assert times_faster("2,000 Siegert rates against nnmt", own, other) > 1


def test_foolbox_leaves_the_same_accuracy():
    foolbox = pytest.importorskip("foolbox")
    data = load_digits()
    x = torch.tensor(data.data / 16, dtype=torch.float32)
    y = torch.tensor(data.target)
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(64, 100), nn.ReLU(), nn.Linear(100, 10))
    optimiser = torch.optim.Adam(net.parameters(), lr=5e-3)
    for _ in range(120):
        optimiser.zero_grad()
        nn.functional.cross_entropy(net(x[:1400]), y[:1400]).backward()
        optimiser.step()
    net.eval()
    test, labels, radius, steps = x[1400:], y[1400:], 0.1, 20
    model = foolbox.PyTorchModel(net, bounds=(0, 1))
    fgsm = foolbox.attacks.LinfFastGradientAttack()
    pgd = foolbox.attacks.LinfPGD(rel_stepsize=2.5 / steps, steps=steps, random_start=False)
    left = {
        name: 1 - float(attack(model, test, labels, epsilons=radius)[2].double().mean())
        for name, attack in (("FGSM", fgsm), ("PGD", pgd))
    }
    report = robustness.masking_report(
        net, test, labels, radius, box=(0.0, 1.0), steps=steps, queries=50, pairs=4
    )
    print(
        f"\nfoolbox {left}, ours",
        {name: report.under(f"{name} float32 loss") for name in left},
        report.accuracy,
    )
    assert report.under("FGSM float32 loss") == pytest.approx(left["FGSM"], abs=1e-9)
    # theirs counts where it ends, ours on its way as well
    assert left["PGD"] - 0.02 < report.under("PGD float32 loss") <= left["PGD"] + 1e-9
    assert report.accuracy <= min(left.values())
    assert report.verdict == "not masked"
