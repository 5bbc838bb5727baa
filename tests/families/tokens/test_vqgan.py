"""The VQGAN: what holds by construction, whatever the weights."""

import hashlib
import json

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from phosphene.core.errors import CheckpointError, LatentMismatch, RecipeError
from phosphene.core.latent import Latent, Space
from phosphene.core.protocols import Autoencoder
from phosphene.families.tokens.vqgan import VQGAN, VQGANConfig, build
from tests.shelf import NoShelf

BASE = VQGANConfig(
    resolution=16,
    channels=8,
    channel_mults=(1, 2),
    num_res_blocks=1,
    attention_resolutions=(8,),
    z_channels=6,
    embed_dim=4,
    codebook_size=24,
)

KINDS = ("euclidean", "cosine", "gumbel")


def config(**changes: object) -> VQGANConfig:
    return VQGANConfig.from_dict({**BASE.to_dict(), **changes})


@pytest.fixture(params=KINDS)
def model(request: pytest.FixtureRequest) -> VQGAN:
    torch.manual_seed(1)
    made = VQGAN(config(codebook=request.param)).requires_grad_(False)
    torch.nn.init.normal_(made.quantize.embedding.weight)  # spread, so that codes differ
    return made


def drawn_tokens(model: VQGAN, rows: int = 5, columns: int = 7) -> Latent:
    return Latent(Space.TOKENS, torch.randint(model.config.codebook_size, (2, rows, columns)))


def drawn_codes(model: VQGAN) -> Tensor:
    codes = torch.randn(2, model.config.embed_dim, 5, 7)
    return F.normalize(codes, dim=1) if model.config.codebook == "cosine" else codes


# --- config


def test_defaults_are_the_published_f16() -> None:
    assert VQGANConfig().factor == 16
    assert config(patch_size=2).factor == 4


@pytest.mark.parametrize("changes", [{}, {"codebook": "cosine"}, {"norm_groups": 4}])
def test_config_survives_json(changes: dict[str, object]) -> None:
    made = config(**changes)
    assert VQGANConfig.from_dict(json.loads(json.dumps(made.to_dict()))) == made


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"channels": 0}, "channels is 0; it must be a whole number from 1 to 4,096"),
        ({"channels": 8.0}, "channels"),
        ({"channels": True}, "channels is True"),
        ({"embed_dim": 10**9}, "embed_dim is 1000000000"),
        ({"channel_mults": []}, "channel_mults is empty"),
        ({"channel_mults": 3}, "channel_mults"),
        ({"channel_mults": [1] * 11}, "channel_mults is not a list of at most 10"),
        ({"channel_mults": [1, "2"]}, "channel_mults"),
        ({"shortcut": "yes"}, "shortcut"),
        ({"channel_mults": [16_000]}, "128000 channels do not split"),
        ({"codebook": "gumball"}, "codebook"),
        ({"norm_groups": 3}, "8 channels do not split into 3 groups"),
        ({"norm_groups": 0}, "norm_groups is 0"),
        ({"channels": 2}, "2 channels do not split into 0 groups"),
        ({"colour": 1}, "unexpected keyword argument 'colour'"),
    ],
)
def test_config_out_of_range(changes: dict[str, object], reason: str) -> None:
    with pytest.raises(CheckpointError, match=reason) as caught:
        config(**changes)
    assert "\n" not in str(caught.value)


def test_a_recipe_with_a_bad_config_is_the_users() -> None:
    with pytest.raises(RecipeError, match="resolution is 0"):
        VQGANConfig(resolution=0)


EMBEDDED = VQGANConfig(
    resolution=128,
    channels=64,
    channel_mults=(1, 2, 3),
    num_res_blocks=1,
    attention_resolutions=(),
    z_channels=192,
    embed_dim=8,
    codebook_size=2048,
    patch_size=2,
    shortcut=True,
)


def test_names_and_shapes_of_the_embedded_model_stand() -> None:
    """Weights in the wild depend on them; a change needs a converter and a new number here."""
    network = VQGAN(EMBEDDED)
    listing = "\n".join(f"{k} {list(v.shape)}" for k, v in network.state_dict().items())
    assert hashlib.sha256(listing.encode()).hexdigest()[:16] == "d0c10cc12aae80f0"
    assert network.encoder.down[0].block[0].norm1.num_groups == 16
    assert network.factor == 8


# --- shapes and spaces


def test_is_an_autoencoder_of_any_size(model: VQGAN) -> None:
    assert isinstance(model, Autoencoder)
    codes = model.encode(torch.rand(2, 3, 10, 14) * 2 - 1)
    assert (codes.space, tuple(codes.data.shape)) == (Space.CODES, (2, 4, 5, 7))
    tokens = model.tokens(codes)
    assert (tokens.space, tuple(tokens.data.shape)) == (Space.TOKENS, (2, 5, 7))
    assert model.decode(codes).shape == model.decode(tokens).shape == (2, 3, 10, 14)
    assert model.spec.vocab == 24


def test_grid_of_rounds_up(model: VQGAN) -> None:
    assert model.factor == 2
    assert model.grid_of(16, 17) == (8, 9)


def test_patches_fold_into_channels() -> None:
    folded = VQGAN(config(patch_size=2)).requires_grad_(False)
    codes = folded.encode(torch.rand(1, 3, 8, 12))
    assert codes.data.shape == (1, 4, 2, 3)
    assert folded.decode(codes).shape == (1, 3, 8, 12)


def test_the_shortcut_is_linear_in_the_pixels_of_a_code() -> None:
    """With all else silent, a code's features are a linear map of its patch, and back."""
    model = VQGAN(config(shortcut=True, patch_size=2)).requires_grad_(False)
    for silent in (model.encoder.conv_out, model.decoder.conv_out):
        torch.nn.init.zeros_(silent.weight)
        torch.nn.init.zeros_(silent.bias)  # type: ignore[arg-type]
    images, other = torch.rand(2, 1, 3, 8, 12)
    bias = model.encoder.shortcut.bias[:, None, None]
    features = [model.encoder(x) - bias for x in (images, other, images + other)]
    assert features[0].shape == (1, 6, 2, 3)
    torch.testing.assert_close(features[0] + features[1], features[2], atol=1e-5, rtol=1e-5)
    changed = images.clone()
    changed[:, :, :4, :4] = 0
    difference = (model.encoder(changed) - model.encoder(images)).abs().sum(1)
    assert difference[0, 0, 0] > 0
    assert difference[0, 1:].abs().max() == difference[0, :, 1:].abs().max() == 0
    assert model.decoder(features[0]).shape == (1, 3, 8, 12)


def test_other_spaces_are_refused(model: VQGAN) -> None:
    latent = Latent(Space.Z, torch.zeros(1, 4))
    for use in (model.decode, model.snap, model.tokens, model.confine):
        with pytest.raises(LatentMismatch):
            use(latent)


def test_bf16_weights_take_and_give_float32(model: VQGAN) -> None:
    model.bfloat16()
    codes = model.encode(torch.rand(1, 3, 8, 8))
    assert codes.data.dtype == model.decode(codes).dtype == torch.float32


def test_samples_of_a_batch_are_independent(model: VQGAN) -> None:
    images = torch.rand(3, 3, 8, 12) * 2 - 1
    codes = model.encode(images)
    painted = model.decode(codes)
    for i in range(3):
        alone = model.encode(images[i : i + 1])
        torch.testing.assert_close(alone.data, codes.data[i : i + 1])
        torch.testing.assert_close(model.decode(alone), painted[i : i + 1], atol=1e-5, rtol=1e-4)


# --- the codebook


def test_snap_leaves_entries_where_they_are(model: VQGAN) -> None:
    tokens = drawn_tokens(model)
    codes = Latent(Space.CODES, model.quantize.lookup(tokens.data))
    torch.testing.assert_close(model.snap(codes).data, codes.data)
    assert torch.equal(model.tokens(codes).data, tokens.data)
    torch.testing.assert_close(model.confine(codes).data, codes.data)


def test_snap_finds_the_nearest(model: VQGAN) -> None:
    codes = drawn_codes(model)
    table = model.quantize.entries()
    distances = torch.cdist(codes.permute(0, 2, 3, 1).reshape(-1, 4), table)
    nearest = table[distances.argmin(1)].view(2, 5, 7, 4).permute(0, 3, 1, 2)
    torch.testing.assert_close(model.snap(Latent(Space.CODES, codes)).data, nearest)


def test_snap_twice_is_snap(model: VQGAN) -> None:
    once = model.snap(Latent(Space.CODES, drawn_codes(model)))
    torch.testing.assert_close(model.snap(once).data, once.data)


def test_tokens_paint_what_snapped_codes_paint(model: VQGAN) -> None:
    codes = Latent(Space.CODES, drawn_codes(model))
    by_tokens, by_codes = model.decode(model.tokens(codes)), model.decode(model.snap(codes))
    torch.testing.assert_close(by_tokens, by_codes, atol=1e-5, rtol=1e-4)


def test_gradient_passes_straight_through(model: VQGAN) -> None:
    codes = drawn_codes(model) * 1.5
    push = torch.randn_like(codes)
    snapped = codes.clone().requires_grad_()
    (found,) = torch.autograd.grad(model.snap(Latent(Space.CODES, snapped)).data, snapped, push)
    if model.config.codebook != "cosine":
        assert torch.equal(found, push)
        return
    plain = codes.clone().requires_grad_()
    (wanted,) = torch.autograd.grad(F.normalize(plain, dim=1), plain, push)
    torch.testing.assert_close(found, wanted)


def test_decode_is_differentiable(model: VQGAN) -> None:
    codes = drawn_codes(model).requires_grad_()
    model.decode(Latent(Space.CODES, codes)).square().sum().backward()
    assert codes.grad is not None
    assert (codes.grad != 0).float().mean() > 0.99


def test_cosine_codes_have_unit_length() -> None:
    model = VQGAN(config(codebook="cosine")).requires_grad_(False)
    ones = torch.ones(1, 4, 4)
    images = torch.rand(1, 3, 8, 8)
    for codes in (
        model.encode(images),
        model.confine(Latent(Space.CODES, torch.randn(1, 4, 4, 4))),
    ):
        torch.testing.assert_close(codes.data.norm(dim=1), ones)
    torch.testing.assert_close(model.quantize.entries().norm(dim=1), torch.ones(24))


def test_gumbel_codes_are_the_likeliest_entries() -> None:
    model = VQGAN(config(codebook="gumbel")).requires_grad_(False)
    images = torch.rand(1, 3, 8, 8)
    logits = model.quantize.proj(model.quant_conv(model.encoder(images)))
    codes = model.encode(images)
    assert torch.equal(model.tokens(codes).data, logits.argmax(1))
    torch.testing.assert_close(model.snap(codes).data, codes.data)


def test_confine_is_a_projection(model: VQGAN) -> None:
    codes = Latent(Space.CODES, drawn_codes(model) * 5)
    once = model.confine(codes)
    torch.testing.assert_close(model.confine(once).data, once.data)


def test_nearest_is_exact_under_autocast() -> None:
    model = VQGAN(config(codebook="cosine", embed_dim=8, codebook_size=2048))
    codes = F.normalize(torch.randn(1, 8, 16, 16), dim=1)
    wanted = model.quantize.nearest(codes)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(model.quantize.nearest(codes), wanted)


# --- for the zoo


def test_build(model: VQGAN) -> None:
    values = {"family": "tokens", "arch": "vqgan", "size": 16, **model.config.to_dict()}
    built = build(model.state_dict(), json.loads(json.dumps(values)), NoShelf())
    assert built.config == model.config
    assert not built.training
    assert not any(parameter.requires_grad for parameter in built.parameters())
    images = torch.rand(1, 3, 8, 8)
    torch.testing.assert_close(built.encode(images).data, model.encode(images).data)


def test_build_refuses_what_does_not_fit(model: VQGAN) -> None:
    with pytest.raises(CheckpointError, match="not a VQGAN config"):
        build(model.state_dict(), {"width": 3}, NoShelf())
    other = {**model.config.to_dict(), "z_channels": 5}
    with pytest.raises(CheckpointError, match="mis-shaped"):
        build(model.state_dict(), other, NoShelf())
