"""``widelimit network``: exit statuses, the page, JSON, and what is refused."""

import json
import math

import pytest
import torch
from torch import nn

from widelimit.theory.errors import ArgumentError, StoreError
from widelimit.validate.cli import main
from widelimit.validate.network import report

FILE = """
import torch
from torch import nn

def make():
    return nn.Sequential(nn.Linear(16, 128), nn.Tanh(), nn.Linear(128, 128), nn.Tanh(), nn.Linear(128, 3))

def deep():
    return nn.Sequential(*[one for _ in range(12) for one in (nn.Linear(16, 16), nn.Tanh())])

def words():
    return nn.Sequential(nn.Embedding(50, 64), nn.Linear(64, 3))

def boom():
    raise RuntimeError("no module today")

def none():
    return 3

def takes(width):
    return nn.Linear(16, width)
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "my_model.py"
    path.write_text(FILE)
    return path


def test_a_network_that_agrees(file, tmp_path, capsys):
    page = tmp_path / "page.html"
    assert main(["network", f"{file}:make", "--input-shape", "4,16", "--html", str(page), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["agrees"] and found["trainable"] and found["depth"] == 3 and found["draws"] == 8
    assert [one["op"] for one in found["layers"]] == ["linear", "tanh", "linear", "tanh", "linear"]
    text = page.read_text()
    for words in ("Is it trainable at this depth?", "What limits it?", "What to change?", found["answer"]):
        assert words in text
    assert text.count("<tr>") == 6 and "src=" not in text and "http" not in text


def test_a_network_that_cannot_be_trained_at_its_depth(file, capsys):
    assert main(["network", f"{file}:deep", "--input-shape", "4,16", "--draws", "3"]) == 1
    assert "No, not trainable" in capsys.readouterr().out


def test_whole_numbers(file, capsys):
    shape = ["--input-shape", "2,6", "--input-dtype", "long"]
    assert main(["network", f"{file}:words", *shape, "--high", "50", "--draws", "2", "--no-gradients"]) in (
        0,
        1,
    )
    assert main(["network", f"{file}:words", *shape]) == 2
    assert "`high` must be a positive whole number" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("target", "shape", "words"),
    [
        ("{}", "4,16", "must be FILE.py:factory"),
        ("{}:", "4,16", "must be FILE.py:factory"),
        ("{}:absent", "4,16", "has no function absent"),
        ("no_such_file.py:make", "4,16", "is not there"),
        ("{}:boom", "4,16", "RuntimeError: no module today"),
        ("{}:takes", "4,16", "without arguments"),
        ("{}:none", "4,16", "must be a torch module"),
        ("{}:make", "4,a", "whole numbers with commas"),
        ("{}:make", "4,0", "positive sizes"),
        ("{}:make", "999999999,999999999", "fit into memory"),
        ("{}:make", "4,15", "must be what the module runs on"),
    ],
)
def test_wrong_requests(file, target, shape, words, capsys):
    assert main(["network", target.format(file), "--input-shape", shape]) == 2
    assert words in capsys.readouterr().err


def test_a_factory_that_fails_shows_the_users_own_lines(file, capsys):
    assert main(["network", f"{file}:boom", "--input-shape", "4,16"]) == 2
    err = capsys.readouterr().err
    assert "my_model.py" in err and 'raise RuntimeError("no module today")' in err


def test_a_page_holds_names_as_text():
    class Strange(nn.Module):
        def __init__(self):
            super().__init__()
            self.add_module("<script>alert(1)</script>", nn.Linear(8, 64))

        def forward(self, x):
            return getattr(self, "<script>alert(1)</script>")(x)

    from widelimit.validate.network.graph.page import page

    found = report(Strange(), torch.randn(3, 8), draws=2)
    assert "<script>" not in page(found)


def test_files_that_cannot_be_written(tmp_path):
    found = report(nn.Linear(8, 64), torch.randn(3, 8), draws=2, gradients=False)
    assert all(math.isnan(one.g_measured) and math.isnan(one.g_predicted) for one in found.layers)
    for write in (found.to_html, found.to_json):
        with pytest.raises(StoreError):
            write(tmp_path / "absent" / "file")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"draws": 1}, "`draws`"),
        ({"draws": 2.5}, "`draws`"),
        ({"draws": True}, "`draws`"),
        ({"seed": -1}, "`seed`"),
        ({"gradients": "yes"}, "`gradients`"),
        ({"factory": 3}, "`factory` must be a function"),
        ({"factory": lambda width: nn.Linear(8, width)}, "without arguments"),
        ({"factory": lambda: 3}, "must return a torch module"),
        ({"factory": lambda: nn.Linear(8, 65)}, "of the same names and shapes"),
        ({"factory": lambda: 1 / 0}, "ZeroDivisionError"),
    ],
)
def test_wrong_arguments(arguments, words):
    with pytest.raises(ArgumentError, match=words):
        report(nn.Linear(8, 64), torch.randn(3, 8), **arguments)


def seeded_net(frozen=False):
    torch.manual_seed(7)
    first = nn.Linear(8, 64)
    if frozen:
        torch.seed()
    return nn.Sequential(first, nn.ReLU(), nn.Linear(64, 64))


def test_a_factory_that_sets_a_seed_gives_no_draws():
    """Errors would be 0 and every layer disagree: numbers are permuted, and that is said."""
    x = torch.randn(8, 8, generator=torch.Generator().manual_seed(0))
    found = report(seeded_net(), x, factory=seeded_net, draws=8)
    assert found.agrees and all(layer.q_error > 0 for layer in found.layers)
    assert any("same weights at every call" in one for one in found.warnings)
    part = report(seeded_net(), x, factory=lambda: seeded_net(frozen=True), draws=4)
    assert any("the same 0.bias at every call" in one for one in part.warnings)


def test_the_page_says_how_far_measured_numbers_are(tmp_path):
    found = report(seeded_net(), torch.randn(8, 8, generator=torch.Generator().manual_seed(0)), draws=4)
    path = tmp_path / "page.html"
    found.to_html(path)
    text = path.read_text()
    for layer in found.layers:
        assert ", ".join(f"{name} {part}" for name, part in layer.deviations.items()) == layer.within
        assert all(part in text for part in layer.deviations.values())
    assert "s.e." in text and "@media print" in text
