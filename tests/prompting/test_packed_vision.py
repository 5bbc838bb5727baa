"""The packed tower against the transformers library's own, on random CLIP and SigLIP towers."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import (
    CLIPVisionConfig,
    CLIPVisionModel,
    SiglipVisionConfig,
    SiglipVisionModel,
)

from phosphene.prompting.packed_vision import PackedVision, pack_vision

SHAPE = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "image_size": 24,
    "patch_size": 8,
}
SHAPES: dict[str, dict[str, Any]] = {
    "plain": {},
    "gelu": {"hidden_act": "gelu"},
    "silu": {"hidden_act": "silu"},
    "quick gelu": {"hidden_act": "quick_gelu"},
    "one layer, one head": {"num_hidden_layers": 1, "num_attention_heads": 1},
    "heads of an odd width": {"hidden_size": 20, "num_attention_heads": 4},
    "patches that leave a rest": {"image_size": 27},
    "one patch": {"image_size": 8},
}


def tower(kind: str, **shape: Any) -> Any:
    """A frozen tower whose every tensor is drawn, also biases and norms."""
    config, model = {
        "clip": (CLIPVisionConfig, CLIPVisionModel),
        "siglip": (SiglipVisionConfig, SiglipVisionModel),
    }[kind]
    vision = model(config(**{**SHAPE, **shape}))
    vision.set_attn_implementation("eager")
    for name, parameter in vision.named_parameters():
        centre = 1.0 if "norm" in name and name.endswith("weight") else 0.0
        spread = 0.1 if parameter.ndim == 1 else parameter[0].numel() ** -0.5
        nn.init.normal_(parameter, centre, spread)
    return vision.eval().requires_grad_(False)


def library(vision: Any, pixels: Tensor) -> Tensor:
    pooled: Tensor = vision(pixel_values=pixels).pooler_output
    return pooled


def packed(vision: Any) -> PackedVision:
    found = pack_vision(vision)
    assert found is not None
    return found


def seen_and_gradient(see: Any, pixels: Tensor) -> tuple[Tensor, Tensor]:
    leaf = pixels.clone().requires_grad_()
    seen: Tensor = see(leaf)
    direction = torch.linspace(-1, 1, seen.numel()).view_as(seen)
    (gradient,) = torch.autograd.grad(seen.float(), leaf, direction)
    return seen.detach(), gradient


@pytest.mark.parametrize("kind", ["clip", "siglip"])
@pytest.mark.parametrize("shape", SHAPES)
def test_same_features_and_gradients_in_full_precision(kind: str, shape: str) -> None:
    vision = tower(kind, **SHAPES[shape])
    side = vision.config.image_size
    pixels = torch.randn(3, 3, side, side)
    wanted = seen_and_gradient(lambda x: library(vision, x), pixels)
    found = seen_and_gradient(packed(vision), pixels)
    for ours, theirs in zip(found, wanted, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["clip", "siglip"])
def test_as_exact_as_the_library_in_bf16(kind: str) -> None:
    vision = tower(kind).bfloat16()  # the weights are rounded once, for all three
    pixels = torch.randn(4, 3, 24, 24).bfloat16().float()
    ours = seen_and_gradient(packed(vision), pixels)
    theirs = seen_and_gradient(lambda x: library(vision, x.bfloat16()), pixels)
    exact = seen_and_gradient(lambda x: library(vision.double(), x.double()), pixels)
    for found, reference, truth in zip(ours, theirs, exact, strict=True):
        error, allowed = ((v.double() - truth).norm() / truth.norm() for v in (found, reference))
        assert error < max(1.5 * allowed, 0.02)


@pytest.mark.parametrize("kind", ["clip", "siglip"])
def test_the_tower_keeps_its_tensors_and_holds_no_second_copy(kind: str) -> None:
    vision = tower(kind)
    before = {name: tensor.clone() for name, tensor in vision.state_dict().items()}
    pixels = torch.randn(1, 3, 24, 24)
    wanted = library(vision, pixels)
    tower_now = packed(vision)
    after = vision.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert torch.equal(library(vision, pixels), wanted)
    assert not tower_now.state_dict()
    assert not list(tower_now.parameters())
    shared = {p.untyped_storage().data_ptr() for p in vision.parameters()}
    assert {b.untyped_storage().data_ptr() for b in tower_now.buffers()} <= shared


def test_moves_to_another_precision_together() -> None:
    both = nn.ModuleDict({"vision": tower("clip")})
    both["packed"] = packed(both["vision"])
    both.double()
    pixels = torch.randn(1, 3, 24, 24).double()
    torch.testing.assert_close(both["packed"](pixels), library(both["vision"], pixels))


def test_no_gradient_is_asked_of_what_is_frozen() -> None:
    vision = tower("clip")
    packed(vision)(torch.randn(1, 3, 24, 24).requires_grad_()).sum().backward()
    assert all(p.grad is None for p in vision.parameters())


class Adapted(nn.Linear):
    """A linear map with something added, as adapters do."""

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight, self.bias) + 1


def test_what_is_not_built_as_expected_is_left_to_the_library() -> None:
    adapted = tower("clip")
    attention = adapted.encoder.layers[1].self_attn
    attention.q_proj = Adapted(32, 32).requires_grad_(False)
    learning = tower("clip")
    learning.encoder.layers[0].mlp.fc1.requires_grad_(True)
    training = tower("siglip").train()
    headless = tower("siglip", vision_use_head=False)
    hooked = tower("clip")
    hooked.encoder.layers[0].mlp.fc1.register_forward_hook(lambda *_: None)
    for vision in (adapted, learning, training, headless, hooked, nn.Linear(2, 2)):
        assert pack_vision(vision) is None
