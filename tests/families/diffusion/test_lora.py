"""LoRAs in all spellings change the weights by the formula, and at strength 0 nothing."""

import json

import pytest
import torch
from safetensors.torch import save_file

from phosphene.core.errors import CheckpointError, UnsafeModel, Unsupported, WeightsError
from phosphene.core.rng import Rng
from phosphene.families.diffusion.components import load_parts
from phosphene.families.diffusion.lora import SETTINGS_KEY, LoRA, apply_lora
from tests.families.diffusion.test_pipeline import commission, load, painted

RANK = 2
BLOCK = "down_blocks.1.attentions.0.transformer_blocks.0.attn1"
TEXT = "encoder.layers.0.self_attn.q_proj"


@pytest.fixture
def modules(folders):
    return load_parts(folders["sd"], torch.float32).modules


def pair(layer, seed: int = 0):
    """Random A and B for a layer."""
    rows, columns = layer.weight.shape[:2]
    kernel = layer.weight.shape[2:]
    rng = Rng((seed,))
    down = rng.fork("down").normal(RANK, columns, *kernel)[0]
    up = rng.fork("up").normal(rows, RANK, *(1 for _ in kernel))[0]
    return down, up


def spellings(name: str):
    """(A, B, alpha) of the query matrix of a block and of the text encoder, by kind of file."""
    under, text = BLOCK.replace(".", "_"), TEXT.replace(".", "_")
    return {
        "peft": [(f"unet.{BLOCK}.to_q", ".lora_A.weight", ".lora_B.weight"),
                 (f"text_encoder.text_model.{TEXT}", ".lora_A.weight", ".lora_B.weight")],
        "old": [(f"unet.{BLOCK}.processor.to_q", "_lora.down.weight", "_lora.up.weight"),
                (f"text_encoder.text_model.{TEXT}", ".lora_linear_layer.down.weight",
                 ".lora_linear_layer.up.weight")],
        "kohya": [(f"lora_unet_{under}_to_q", ".lora_down.weight", ".lora_up.weight"),
                  (f"lora_te_text_model_{text}", ".lora_down.weight", ".lora_up.weight")],
    }[name]  # fmt: skip


def layers(modules):
    return (
        modules["unet"].get_submodule(f"{BLOCK}.to_q"),
        modules["text_encoder"].get_submodule(TEXT),
    )


@pytest.mark.parametrize("kind", ["peft", "old", "kohya"])
@pytest.mark.parametrize("alpha", [None, 1.0])
def test_the_formula_in_every_spelling(modules, tmp_path, kind, alpha):
    tensors, wanted = {}, []
    for (name, down_name, up_name), layer in zip(spellings(kind), layers(modules), strict=True):
        down, up = pair(layer)
        tensors |= {name + down_name: down, name + up_name: up}
        if alpha is not None:
            tensors[f"{name}.alpha"] = torch.tensor(alpha)
        scale = 0.8 * (1 if alpha is None else alpha / RANK)
        wanted.append(layer.weight + scale * up @ down)
    save_file(tensors, tmp_path / "x.safetensors")
    others = {k: v.clone() for k, v in modules["unet"].state_dict().items() if "to_q" not in k}
    assert apply_lora(modules, LoRA(tmp_path / "x.safetensors", 0.8)) == 2
    for layer, weight in zip(layers(modules), wanted, strict=True):
        torch.testing.assert_close(layer.weight, weight)
    state = modules["unet"].state_dict()
    assert all(torch.equal(state[key], value) for key, value in others.items())


def test_convolutions_and_output_layers(modules, tmp_path):
    unet = modules["unet"]
    conv = unet.get_submodule("down_blocks.0.resnets.0.conv1")
    out = unet.get_submodule(f"{BLOCK}.to_out.0")
    (conv_down, conv_up), (down, up) = pair(conv), pair(out, 1)
    tensors = {
        "unet.down_blocks.0.resnets.0.conv1.lora_A.weight": conv_down,
        "unet.down_blocks.0.resnets.0.conv1.lora_B.weight": conv_up,
        f"unet.{BLOCK}.processor.to_out_lora.down.weight": down,
        f"unet.{BLOCK}.processor.to_out_lora.up.weight": up,
    }
    pixels = torch.randn(1, conv.weight.shape[1], 5, 5)
    wanted = conv(pixels) + torch.conv2d(torch.conv2d(pixels, conv_down, padding=1), conv_up)
    wanted_out = out.weight + up @ down
    save_file(tensors, tmp_path / "x.safetensors")
    assert apply_lora(modules, LoRA(tmp_path / "x.safetensors")) == 2
    torch.testing.assert_close(conv(pixels), wanted, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(out.weight, wanted_out)


def test_alphas_in_the_metadata(modules, tmp_path):
    layer = layers(modules)[0]
    down, up = pair(layer)
    tensors = {f"unet.{BLOCK}.to_q.lora_A.weight": down, f"unet.{BLOCK}.to_q.lora_B.weight": up}
    path = tmp_path / "x.safetensors"
    stated = {"unet.lora_alpha": 8, "unet.r": RANK, "unet.use_dora": False}
    save_file(tensors, path, {SETTINGS_KEY: json.dumps(stated)})
    wanted = layer.weight + 8 / RANK * up @ down
    apply_lora(modules, LoRA(path))
    torch.testing.assert_close(layer.weight, wanted)
    save_file(tensors, path, {SETTINGS_KEY: json.dumps({**stated, "unet.use_rslora": True})})
    with pytest.raises(Unsupported, match=r"'unet.use_rslora'"):
        apply_lora(modules, LoRA(path))
    save_file(tensors, path, {SETTINGS_KEY: "["})
    with pytest.raises(CheckpointError, match="settings cannot be read"):
        apply_lora(modules, LoRA(path))


def test_blocks_counted_as_the_xl_code_counts_them(folders, tmp_path):
    """Files trained with kohya-ss for XL name input_blocks; diffusers translates."""
    from diffusers import UNet2DConditionModel

    config = {**load_parts(folders["xl"], torch.float32).modules["unet"].config}
    config |= {"layers_per_block": 2}
    unet = UNet2DConditionModel.from_config(config)
    layer = unet.get_submodule("down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q")
    down, up = pair(layer)
    name = "lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q"
    path = tmp_path / "x.safetensors"
    save_file(
        {
            f"{name}.lora_down.weight": down,
            f"{name}.lora_up.weight": up,
            f"{name}.alpha": torch.tensor(1.0),
        },
        path,
    )
    wanted = layer.weight + up @ down / RANK
    assert apply_lora({"unet": unet}, LoRA(path)) == 1
    torch.testing.assert_close(layer.weight, wanted)


@pytest.mark.slow
def test_pictures_change_and_at_strength_0_do_not(folders, tmp_path):
    plain = load(folders["sd"])
    down, up = pair(layers({k: plain.networks[k] for k in ("unet", "text_encoder")})[0])
    path = tmp_path / "x.safetensors"
    save_file(
        {
            f"unet.{BLOCK}.to_q.lora_A.weight": down,
            f"unet.{BLOCK}.to_q.lora_B.weight": up,
        },
        path,
    )
    seen = painted(plain, commission())
    assert torch.equal(painted(load(folders["sd"], loras=[[str(path), 0.0]]), commission()), seen)
    half = painted(load(folders["sd"], loras=[[str(path), 0.5]]), commission())
    whole = painted(load(folders["sd"], loras=[[str(path), 1.0]]), commission())
    twice = painted(load(folders["sd"], loras=[[str(path), 0.5]] * 2), commission())
    assert not torch.equal(half, seen)
    assert not torch.equal(half, whole)
    torch.testing.assert_close(twice, whole, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("names", "shape", "error", "said"),
    [
        ((f"unet.{BLOCK}.to_q.lora_A.weight",), (2, 16), CheckpointError, "incomplete"),
        (("unet.nothing.lora_A.weight", "unet.nothing.lora_B.weight"), (16, 16), CheckpointError,
         "changes 'unet_nothing', which this model does not have"),
        ((f"unet.{BLOCK}.to_q.lora_A.weight", f"unet.{BLOCK}.to_q.lora_B.weight"), (3, 5),
         CheckpointError, "does not fit"),
        (("unet.x.dora_scale",), (1,), Unsupported, "DoRA"),
        (("unet.conv_in.weight",), (3,), Unsupported, "no part of a LoRA"),
    ],
)  # fmt: skip
def test_files_that_do_not_fit_change_nothing(modules, tmp_path, names, shape, error, said):
    before = {key: value.clone() for key, value in modules["unet"].state_dict().items()}
    path = tmp_path / "x.safetensors"
    save_file({name: torch.ones(shape) for name in names}, path)
    with pytest.raises(error, match=said) as caught:
        apply_lora(modules, LoRA(path))
    assert "\n" not in str(caught.value)
    state = modules["unet"].state_dict()
    assert all(torch.equal(state[key], value) for key, value in before.items())


def test_pickles_and_missing_files(modules, tmp_path):
    (tmp_path / "x.safetensors").write_bytes(b"\x80\x04 a pickle in disguise")
    with pytest.raises(UnsafeModel):
        apply_lora(modules, LoRA(tmp_path / "x.safetensors"))
    with pytest.raises(WeightsError):
        apply_lora(modules, LoRA(tmp_path / "none.safetensors"))
