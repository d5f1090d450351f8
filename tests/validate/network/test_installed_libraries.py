"""Networks of other libraries as they build them, without weights, where those are installed (`-m libraries`)."""

import math

import pytest
import torch

from widelimit.validate.network import report

pytestmark = [pytest.mark.libraries, pytest.mark.filterwarnings("ignore")]


def checked(module, *example, covered):
    found = report(module, *example, draws=8)
    assert found.graph.method == "export" and found.graph.coverage >= covered, str(found)
    assert not [one.name for one in found.layers if one.verdict == "disagrees"], str(found)
    assert all(not math.isnan(one.q_measured) for one in found.layers)
    return found


def test_resnet18_of_torchvision():
    models = pytest.importorskip("torchvision.models", exc_type=ImportError)
    torch.manual_seed(0)
    found = checked(models.resnet18(weights=None), torch.randn(4, 3, 32, 32), covered=0.9)
    assert found.depth == 18 and len(found.blocks) > 1


def test_a_small_vision_transformer_of_timm():
    timm = pytest.importorskip("timm", exc_type=ImportError)
    torch.manual_seed(0)
    module = timm.create_model("vit_tiny_patch16_224", pretrained=False)
    found = checked(module, torch.randn(2, 3, 224, 224), covered=0.8)
    assert len(found.blocks) == 12 and all(one.normalised == "pre" for one in found.blocks)


def test_gpt2_of_transformers():
    transformers = pytest.importorskip("transformers", exc_type=ImportError)
    torch.manual_seed(0)
    settings = transformers.GPT2Config(
        n_layer=2, n_embd=128, n_head=4, vocab_size=200, n_positions=32, resid_pdrop=0.0, embd_pdrop=0.0,
        attn_pdrop=0.0, use_cache=False,
    )  # fmt: skip
    module = transformers.GPT2LMHeadModel(settings)
    found = checked(module, torch.arange(32).reshape(2, 16) % 29, covered=0.9)
    attention = [one for one in found.layers if one.op == "scaled_dot_product_attention"]
    assert len(attention) == 2 and all(one.method == "derived" for one in attention)
    assert any("lm_head" in name or "wte" in name for group in found.graph.shared for name in group)
