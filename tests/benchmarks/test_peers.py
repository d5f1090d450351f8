"""Peers side by side, each where it is installed: the same values, and the CPU time of both in one run (`-s` shows it).

weightwatcher, powerlaw   exponents of the tails of weight matrices
elephant                  van Rossum's distance of spike trains
nnmt                      Siegert's rates
foolbox                   accuracy under FGSM and PGD
mup                       how the first step moves with the width
LSUV                      (no package: twelve lines below) scales of deep networks, measured on a batch

None is needed by widelimit: install them in an environment of their own.
"""

import itertools
import math
import statistics
import time

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from widelimit.numerics import meanfield, spiking
from widelimit.numerics.network import first_step
from widelimit.validate import robustness, spectra
from widelimit.validate.network import advise, report

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


def mlp(width, readout):
    return nn.Sequential(
        nn.Linear(4, width, bias=False),
        nn.Tanh(),
        nn.Linear(width, width, bias=False),
        nn.Tanh(),
        readout(width),
    )


def changed(module, optimiser, x):
    """Changes of the second layer's units and of the output by one step up the output itself, over the rate."""
    units = [module[:3](x).detach(), module(x).detach()]
    (-module(x)).sum().backward()
    optimiser.step()
    moved = module[:3](x) - units[0], module(x) - units[1]
    return [float(one.square().mean().sqrt()) for one in moved]


def slopes(build, draws=40, width=128):
    """Powers of the width, from one to its double: ratios of means over draws."""
    x = torch.ones(1, 4, dtype=torch.float64)
    sizes = [np.mean([changed(*build(n), x) for _ in range(draws)], axis=0) for n in (width, 2 * width)]
    return np.log2(sizes[1] / sizes[0])


@pytest.mark.parametrize("kind", ["sgd", "adam"])
def test_mup_moves_as_predicted(kind):
    """Theirs stays, plain torch moves by the predicted powers: the coordinate check without running it."""
    mup = pytest.importorskip("mup")
    torch.manual_seed(0)
    rate = 1e-7

    def theirs(width):
        def readout(n):
            return mup.MuReadout(n, 1, bias=False, readout_zero_init=False)

        module = mlp(width, readout)
        mup.set_base_shapes(module, mlp(16, readout), delta=mlp(32, readout))
        for one in (module[0], module[2]):
            mup.init.normal_(one.weight, std=one.in_features**-0.5 if one is module[0] else 0.25)
        module = module.double()
        rates = {"sgd": mup.MuSGD, "adam": mup.MuAdam}[kind]
        more = {} if kind == "sgd" else {"eps": 0.0}
        return module, rates(module.parameters(), lr=rate, **more)

    def plain(width):
        module = mlp(width, lambda n: nn.Linear(n, 1, bias=False)).double()
        for one in module[::2]:
            nn.init.normal_(one.weight, std=one.in_features**-0.5)
        if kind == "sgd":
            return module, torch.optim.SGD(module.parameters(), lr=rate)
        return module, torch.optim.Adam(module.parameters(), lr=rate, eps=1e-300)

    for name, build in (("mu-p", theirs), ("standard", plain)):
        measured = slopes(build)
        found = first_step("tanh", 128, parametrisation=name, optimiser=kind, inputs=4)
        want = [found.hidden_slope, found.output_slope]
        print(f"\n{kind}, {name}: measured {measured.round(3)}, predicted {np.round(want, 3)}")
        assert measured == pytest.approx(want, abs=0.1)


def lsuv(module, x):
    """Orthogonal weights, then each layer's divided by the standard deviation of what it gives (Mishkin and Matas)."""
    module = module.double()
    with torch.no_grad():
        for index, one in enumerate(module):
            if isinstance(one, nn.Linear):
                nn.init.orthogonal_(one.weight)
                nn.init.zeros_(one.bias)
                one.weight /= module[: index + 1](x).std()
    return module


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_lsuv_measures_what_mean_field_predicts_and_advice_goes_on(activation):
    """LSUV's scale is (E phi(z)^2)^(-1/2), without data; that is criticality for ReLU, and chaos for tanh."""
    width, depth = 512, 12
    torch.manual_seed(0)
    phi = {"relu": nn.ReLU, "tanh": nn.Tanh}[activation]
    each = [[nn.Linear(width, width), phi()] for _ in range(depth)]
    module = nn.Sequential(*itertools.chain(*each), nn.Linear(width, width))
    x = torch.randn(256, width, dtype=torch.float64)
    found = advise(report(module.double(), x, draws=2))
    advised = found.apply(module)
    scales = [
        float(one.weight.square().sum() / width) ** 0.5
        for one in lsuv(module, x)
        if isinstance(one, nn.Linear)
    ]
    z = np.linspace(-10, 10, 4001)
    values = {"relu": np.maximum(z, 0), "tanh": np.tanh(z)}[activation]
    own = float((values**2 * np.exp(-(z**2) / 2)).sum() * (z[1] - z[0]) / math.sqrt(2 * math.pi))
    assert scales[3:-1] == pytest.approx([own**-0.5] * (depth - 3), rel=0.03)
    chi = meanfield.solve(activation, sigma_w=own**-0.5).chi_1
    given = [float(one.weight.square().sum() / width) ** 0.5 for one in advised if isinstance(one, nn.Linear)]
    print(f"\n{activation}: LSUV {np.mean(scales[3:-1]):.4f}, chi {chi:.3f}; advice {given[3]:.4f}")
    if activation == "relu":
        assert chi == pytest.approx(1.0) and given[3] == pytest.approx(math.sqrt(2), rel=1e-3)
    else:
        assert chi > 1.15 and given[3] < 1.1  # squared gradients would grow by a sixth a layer
