"""Weights of a user's module: noise is taken for noise, what is none is named, scales carry their errors."""

import copy
import math
import re

import numpy as np
import pytest
import torch
from scipy.linalg import circulant, hadamard
from torch import nn

from widelimit.theory.errors import ArgumentError
from widelimit.validate.network import ModuleError, from_torch
from widelimit.validate.network import weights as network_weights
from widelimit.validate.network.layers import every, read
from widelimit.validate.network.modules import LastStep
from widelimit.validate.network.noise import matrix_finding, vector_finding
from widelimit.validate.network.walk import walk

ALPHA, N = 1e-9, 256
RNG = np.random.default_rng(5)
Linear, ReLU, Sequential = nn.Linear, nn.ReLU, nn.Sequential


@pytest.fixture(autouse=True)
def the_same_numbers():
    """In whatever order the tests run."""
    RNG.bit_generator.state = np.random.default_rng(5).bit_generator.state


def normal(*shape):
    return RNG.standard_normal(shape)


def symmetric():
    a = normal(N, N)
    return a + a.T


def centred_rows():
    a = normal(N, N)
    return a - a.mean(axis=1, keepdims=True)


def smooth():
    a = normal(N, N)
    return a + 0.3 * np.roll(a, 1, axis=1)


def repeated():
    a = normal(N // 2, N)
    return np.vstack([a, a[:1]])


def householder():
    v = normal(N)
    return np.eye(N) - 2 * np.outer(v, v) / (v @ v)


STRUCTURED = {
    "multiple of the identity": lambda: 0.3 * np.eye(N),
    "is diagonal": lambda: np.diag(normal(N)),
    "is sparse: 99": lambda: np.eye(N)[RNG.permutation(N)],
    "is sparse: 75": lambda: np.kron(np.eye(4), normal(N // 4, N // 4)),
    "is sparse: 49": lambda: np.triu(normal(N, N)),
    "holds the number 1 alone": lambda: np.ones((N, N)),
    "holds zero alone": lambda: np.zeros((N, N)),
    "not centred: the mean of its entries is 0.79": lambda: np.abs(normal(N, N)),
    "diagonal that is not centred": lambda: np.eye(N) + 0.01 * normal(N, N),
    "diagonal that is not centred, ": householder,
    r"correlated \(low rank, or trained\): squared cosines between them are 5": lambda: normal(N, 5) @ normal(5, N),
    r"correlated \(low rank, or trained\): squared cosines between them are [12]\.": lambda: (
        normal(N, N) + 4 * np.outer(normal(N), normal(N)) / N**0.5
    ),
    "closer to orthogonal than chance and no random rotation": lambda: hadamard(N) * RNG.choice([-1.0, 1.0], N),
    "^is symmetric": symmetric,
    "rows that sum to zero": centred_rows,
    "columns that sum to zero": lambda: centred_rows().T,
    "rows of different scales": lambda: normal(N, N) * np.exp(0.5 * normal(N, 1)),
    "few large entries": lambda: RNG.standard_cauchy((N, N)),
    "neighbouring entries with the correlation": smooth,
    "a diagonal|rows that sum": lambda: circulant(normal(N)),
    "two rows with the correlation 1": repeated,
}  # fmt: skip


@pytest.mark.parametrize("finding", STRUCTURED)
def test_what_is_no_noise_is_named(finding):
    found = matrix_finding(np.asarray(STRUCTURED[finding](), float), ALPHA)
    assert re.search(finding, found.text), found


def test_random_rotations_are_told_from_other_orthogonal_matrices():
    for shape in ((N, N), (N, 20), (20, N)):
        rotation = torch.nn.init.orthogonal_(torch.empty(shape)).double().numpy()
        assert matrix_finding(rotation, ALPHA).orthogonal
    assert not matrix_finding(normal(N, N), ALPHA).orthogonal


LAWS = {
    "normal": lambda s: RNG.standard_normal(s), "uniform": lambda s: RNG.uniform(-1, 1, s),
    "signs": lambda s: RNG.choice([-1.0, 1.0], s), "clipped": lambda s: np.clip(RNG.standard_normal(s), -1, 1),
}  # fmt: skip
SHAPES = [
    (2, 8),
    (8, 2),
    (8, 8),
    (1, 64),
    (64, 1),
    (3, 50),
    (100, 2),
    (2, 100),
    (64, 64),
    (40, 100),
    (1, 1),
    (4, 3),
]


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("shape", SHAPES)
def test_noise_of_any_shape_is_noise(law, shape):
    """At 1e-7 for each of some 15 tests, the 48 cases of 30 matrices raise an alarm in 2 of 1000 runs at most."""
    for _ in range(30):
        assert matrix_finding(LAWS[law](shape), 1e-7).text == ""
        assert vector_finding(LAWS[law](shape[0] * shape[1]), 1e-7) in ("", "holds the number 1 alone")


def drawn(rng):
    """A module of random architecture, initialised in one of torch's ways."""
    features, kind = int(rng.choice([1, 2, 3, 10, 50])), rng.integers(0, 5)
    layers, width = [], features
    if kind == 0:
        channels = int(rng.choice([32, 48]))
        layers = [
            nn.Conv2d(features, channels, 3, padding=1),
            ReLU(),
            nn.Conv2d(channels, 32, 3, padding=1),
            nn.Flatten(),
        ]
        width = 32 * 4
    elif kind == 1:
        layers, width = [LastStep(nn.RNN(features, 64, batch_first=True))], 64
    for out in map(int, rng.choice([32, 40, 64, 100, 200], int(rng.integers(1, 5)))):
        layers += [Linear(width, out), ReLU()]
        width = out
    module = Sequential(*layers, Linear(width, int(rng.choice([1, 2, 10]))))
    ways = (
        lambda t: None, nn.init.kaiming_normal_, nn.init.xavier_uniform_, lambda t: nn.init.trunc_normal_(t, std=0.5),
        nn.init.normal_, nn.init.orthogonal_,
    )  # fmt: skip
    way = ways[rng.integers(len(ways))]
    for tensor in module.parameters():
        if tensor.dim() > 1:
            way(tensor)
    return module


def alarms(count, seed):
    rng, found = np.random.default_rng(seed), []
    torch.manual_seed(seed)
    for _ in range(count):
        places, _ = walk(drawn(rng))
        layers, _ = read(places, network_weights.Declared(None, None))
        findings, _ = network_weights.noise([one.weights for one in every(layers) if one.weights is not None])
        found += findings[:1]
    return found


def test_initialised_networks_raise_no_alarm():
    assert alarms(120, seed=1) == []


@pytest.mark.slow
def test_the_rate_of_false_alarms(monkeypatch):
    """Thousand networks at a level of 1e-2: ten are allowed for; one or none is seen, the bounds are not tight."""
    monkeypatch.setattr(network_weights, "FALSE_ALARM", 1e-2)
    assert len(alarms(1000, seed=2)) <= 10


def three(width=N, features=8, outputs=1):
    return Sequential(Linear(features, width), ReLU(), Linear(width, width), ReLU(), Linear(width, outputs))


@pytest.mark.parametrize(
    ("spoil", "match"),
    [
        (lambda m: nn.init.eye_(m[2].weight), r"layer 2 \(Linear\): weight is a multiple of the identity"),
        (lambda m: nn.init.sparse_(m[2].weight, 0.9), r"layer 2 \(Linear\): weight is sparse"),
        (lambda m: nn.init.uniform_(m[0].weight), r"layer 0 \(Linear\): weight is not centred"),
        (lambda m: nn.init.constant_(m[0].bias, 0.1), r"layer 0 \(Linear\): bias holds the number 0.1 alone"),
        (lambda m: nn.init.uniform_(m[2].bias), r"layer 2 \(Linear\): bias is not centred"),
        (lambda m: m[2].weight.data.copy_(m[2].weight.data @ m[2].weight.data), "trained"),
        (
            lambda m: m[0].weight.data.__setitem__((3, 1), math.nan),
            r"layer 0: weight holds NaN \(1 of 2048\)",
        ),
        (lambda m: m[2].bias.data.fill_(-math.inf), "layer 2: bias holds inf"),
        (lambda m: nn.init.zeros_(m[4].weight), r"Layer '4' \(Linear\) .* holds zero alone"),
    ],
)
def test_the_layer_and_the_finding_are_named(spoil, match):
    torch.manual_seed(0)
    module = three()
    spoil(module)
    with pytest.raises(ModuleError, match=match):
        from_torch(module)


def test_copies_and_draws_from_one_seed_are_found():
    module = three()
    again = Sequential(*module[:3], ReLU(), copy.deepcopy(module[2]), ReLU(), module[4])
    seeded = []
    for sizes in ((8, N), (N, N), (N, 2 * N), (2 * N, 1)):
        torch.manual_seed(3)
        seeded += [Linear(*sizes), ReLU()]
    turned = copy.deepcopy(again)
    turned[4].weight.data = -turned[4].weight.data.t().clone()
    for copied in (again, turned, Sequential(*seeded[:-1])):
        with pytest.raises(ModuleError, match=r"layers . and .: weight and weight are not independent"):
            from_torch(copied)


def test_trained_weights_are_found_and_may_be_taken_as_if_random():
    torch.manual_seed(0)
    module, x = three(64, 20, 3), torch.randn(200, 20)
    optimiser = torch.optim.Adam(module.parameters(), 3e-3)
    for _ in range(150):
        loss = nn.functional.cross_entropy(module(x), (x[:, 0] > 0).long() + (x[:, 1] > 0).long())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with pytest.raises(ModuleError, match=r'trained.*weights="as_if_random"'):
        from_torch(module)
    net = from_torch(module, weights="as_if_random")
    assert net.notes[0].startswith("As if random: layer ") and np.isfinite(net.kernels(x[:3]).ntk).all()
    with pytest.raises(ArgumentError, match=r"`weights` must be one of 'random', 'as_if_random'"):
        from_torch(module, weights="trained")


def test_a_recurrent_layer_with_the_identity_is_no_noise():
    """The note of the issue: the kernels of noise are .470 where this network has 6.95."""
    cell = nn.RNN(4, N, nonlinearity="relu", batch_first=True)
    nn.init.eye_(cell.weight_hh_l0)
    module = Sequential(LastStep(cell), Linear(N, 1))
    with pytest.raises(ModuleError, match=r"layer 0 \(RNN\): weight_hh_l0 is a multiple of the identity"):
        from_torch(module)


def test_orthogonal_weights_have_the_kernels_of_noise():
    """Against finite networks; the label says what is not the same."""
    torch.manual_seed(1)
    x, found = torch.randn(2, 20, dtype=torch.float64), []
    for _ in range(30):
        module = three(200, 20, 200).double()
        for layer in module[::2]:
            nn.init.orthogonal_(
                layer.weight, math.sqrt(2) * max(1, layer.out_features / layer.in_features) ** 0.5
            )
            nn.init.zeros_(layer.bias)
        out = module(x).detach()
        found.append((out @ out.T / 200).numpy())
    net = from_torch(module)
    assert any("Random rotations (orthogonal weights) in layer 0, 2, 4" in note for note in net.notes)
    error = np.std(found, axis=0, ddof=1) / math.sqrt(30)
    expected = net.kernels(x).nngp
    assert (np.abs(np.mean(found, axis=0) - expected) < 4 * error + expected.max() / 200).all()


def test_scales_carry_their_errors_and_advice():
    """Standard errors against the scatter of estimates; one bias tells next to nothing, and the note says so."""
    nets = []
    for seed in range(40):
        torch.manual_seed(seed)
        nets.append(from_torch(three(64)))
    for name in ("sigma_w", "sigma_b"):
        seen = np.array([getattr(net.scales[1], name) for net in nets])
        said = np.mean([getattr(net.scales[1], f"{name}_error") for net in nets])
        assert 0.7 < said / seen.std(ddof=1) < 1.4  # 40 networks: the scatter is known to 11 per cent
    readout = nets[0].scales[-1]
    assert readout.layer == "4" and math.isclose(readout.sigma_b_error / readout.sigma_b, math.sqrt(0.5))
    assert any("Layer 4: sigma_b" in note and "71 per cent; declare it" in note for note in nets[0].notes)
    declared = from_torch(three(64), sigma_w=[1.0, None, 1.5], sigma_b=0.0)
    assert [s.sigma_w_error > 0 for s in declared.scales] == [False, True, False]
    assert [s.sigma_w for s in declared.scales][::2] == [1.0, 1.5] and declared.sigma_b == 0.0
    assert "layer 0 sigma_w 1 (0.5" in declared.notes[0]
    with pytest.raises(ArgumentError, match=r"`sigma_w` must be a number or 3 of them.* but holds 2"):
        from_torch(three(64), sigma_w=[1.0, 2.0])


def test_units_of_few_uniform_weights_are_not_gaussian_and_the_note_says_so():
    assert any("excess kurtosis of -0.1" in note for note in from_torch(three(N, features=8)).notes)
    module = three(N, features=8)
    nn.init.normal_(module[0].weight, std=0.3)
    assert not any("excess kurtosis" in note for note in from_torch(module).notes)
