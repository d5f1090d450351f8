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


VISION = {  # of torchvision, with how much of it is derived
    "densenet121": 0.95, "efficientnet_b0": 0.9, "googlenet": 0.95, "mobilenet_v3_small": 0.95, "resnet50": 0.95,
    "vgg11": 0.85,
}  # fmt: skip


@pytest.mark.parametrize("name", VISION)
def test_convolutional_networks_of_torchvision(name):
    """Batches of few numbers a unit in the last stages: where theory is off, it is said; here it is not, or hardly."""
    models = pytest.importorskip("torchvision.models", exc_type=ImportError)
    torch.manual_seed(0)
    options = {"aux_logits": False, "init_weights": True} if name == "googlenet" else {}
    module = getattr(models, name)(weights=None, **options)
    found = report(module, torch.randn(4, 3, 64, 64), draws=8)
    assert found.graph.method == "export" and found.graph.coverage >= VISION[name], str(found)
    ratios = [one.q_measured / one.q_predicted for one in found.layers if one.q_predicted > 0]
    assert 0.95 < sorted(ratios)[len(ratios) // 2] < 1.05, str(found)


TIMM = {"convnext_atto": (2, 64, 0.95), "nf_resnet26": (4, 64, 0.95), "resmlp_12_224": (2, 224, 0.9)}


@pytest.mark.parametrize("name", TIMM)
def test_networks_of_timm(name):
    timm = pytest.importorskip("timm", exc_type=ImportError)
    torch.manual_seed(0)
    batch, size, share = TIMM[name]
    checked(timm.create_model(name, pretrained=False), torch.randn(batch, 3, size, size), covered=share)


SMALL = {"hidden_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 256}
WORDS = {**SMALL, "vocab_size": 100, "max_position_embeddings": 32}
TRANSFORMERS = {  # configuration, model, settings, how much is derived
    "bert": ("BertConfig", "BertModel", WORDS, 0.95),
    "llama": ("LlamaConfig", "LlamaForCausalLM", {**WORDS, "num_key_value_heads": 2, "use_cache": False}, 0.95),
    "vit": ("ViTConfig", "ViTModel", {**SMALL, "image_size": 32, "patch_size": 8}, 0.95),
    "written out": (
        "GPT2Config", "GPT2LMHeadModel",
        {"n_layer": 2, "n_embd": 128, "n_head": 4, "vocab_size": 100, "n_positions": 32, "use_cache": False,
         "attn_implementation": "eager"}, 0.9,
    ),
    "t5": (
        "T5Config", "T5EncoderModel",
        {"d_model": 128, "d_kv": 32, "d_ff": 256, "num_layers": 2, "num_heads": 4, "vocab_size": 100,
         "use_cache": False}, 0.85,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_small_ones_of_transformers(name):
    transformers = pytest.importorskip("transformers", exc_type=ImportError)
    config, model, settings, share = TRANSFORMERS[name]
    torch.manual_seed(0)
    module = getattr(transformers, model)(getattr(transformers, config)(**settings)).eval()
    words = torch.randint(0, 100, (2, 12), generator=torch.Generator().manual_seed(1))
    checked(module, torch.randn(2, 3, 32, 32) if name == "vit" else words, covered=share)
