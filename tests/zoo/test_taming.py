"""The taming converter: the same codes and pictures as two independent implementations."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from phosphene.core.errors import CheckpointError, PhospheneError, RecipeError, UnsafeModel
from phosphene.core.latent import Latent, Space
from phosphene.families.tokens.vqgan import VQGAN
from phosphene.zoo.convert import convert_taming
from phosphene.zoo.taming import read_config, read_taming
from phosphene.zoo.zoo import Zoo
from tests.zoo.taming_reference import Reference, Shape, Weights, drawn_weights, published

TAMING, GUMBEL = "taming.models.vqgan.VQModel", "taming.models.vqgan.GumbelVQ"
LATENT = "ldm.models.autoencoder.VQModelInterface"
TOLERANCE = 1e-4
# The published shapes, a quarter as wide and at a quarter of the resolution.
SMALL = {
    "f16-1024": Shape(TAMING, 32, (1, 1, 2, 2, 4), (4,), 64, 64, 64, 64),
    "f16-16384": Shape(TAMING, 32, (1, 1, 2, 2, 4), (4,), 64, 64, 1024, 64),
    "f8-16384": Shape(TAMING, 32, (1, 1, 2, 4), (8,), 64, 64, 1024, 64),
    "f8-gumbel-8192": Shape(GUMBEL, 32, (1, 1, 2, 4), (8,), 64, 64, 512, 64),
    "ldm-f8-256": Shape(LATENT, 32, (1, 2, 2, 4), (8,), 4, 4, 256, 64),
    "ldm-f4": Shape(LATENT, 32, (1, 2, 4), (), 3, 3, 512, 64),
    "two attention levels, one block": Shape(TAMING, 32, (1, 2, 3), (32, 16), 16, 8, 32, 64, 1),
}
FULL = Shape(TAMING, 128, (1, 1, 2, 2, 4), (16,), 256, 256, 1024)


def opened(shape: Shape, weights: Weights, folder: Path) -> VQGAN:
    """The way of a user: convert, then load it by its name."""
    convert_taming(*published(shape, weights, folder), "my-vqgan", folder)
    model = Zoo(folder).load("my-vqgan")
    assert isinstance(model, VQGAN)
    return model


def pictures(height: int, width: int, count: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.rand(count, 3, height, width, generator=generator) * 2 - 1


def assert_agrees(model: VQGAN, shape: Shape, weights: Weights, images: Tensor) -> None:
    reference = Reference(shape, weights)
    features = reference.features(images)
    tokens = reference.tokens(features)
    wanted = reference.paint(tokens)
    codes = model.encode(images)
    found = model.tokens(codes).expect(Space.TOKENS)
    assert torch.equal(found, tokens)
    assert len(tokens.unique()) > 4, "a constant would prove nothing"
    entries = reference.table[tokens].permute(0, 3, 1, 2)
    expected = entries if shape.gumbel else features
    torch.testing.assert_close(codes.data, expected, atol=TOLERANCE, rtol=TOLERANCE)
    for latent in (Latent(Space.TOKENS, found), model.snap(codes)):
        painted = model.decode(latent)
        assert painted.shape == images.shape
        torch.testing.assert_close(painted, wanted, atol=TOLERANCE, rtol=TOLERANCE)


@pytest.mark.parametrize("name", SMALL)
@torch.no_grad()
def test_agrees_with_the_plain_forward(name: str, tmp_path: Path) -> None:
    shape = SMALL[name]
    weights = drawn_weights(shape)
    model = opened(shape, weights, tmp_path)
    assert_agrees(model, shape, weights, pictures(64, 96))


@pytest.mark.slow
@torch.no_grad()
def test_agrees_at_full_width(tmp_path: Path) -> None:
    weights = drawn_weights(FULL)
    model = opened(FULL, weights, tmp_path)
    assert_agrees(model, FULL, weights, pictures(256, 256, 1))
    assert_agrees_with_diffusers(model, FULL, weights, pictures(256, 256, 1))


def diffusers_names(weights: Weights, levels: int) -> Weights:
    """The state dict of diffusers' VQModel: other names, its decoder counted from the bottom."""
    renamed: Weights = {}
    for name, value in weights.items():
        side, *parts = name.split(".")
        if side in ("encoder", "decoder") and parts[0] in ("down", "up"):
            level = int(parts[1]) if side == "encoder" else levels - 1 - int(parts[1])
            kind, rest = parts[2], parts[3:]
            group = {"block": "resnets", "attn": "attentions"}.get(kind, f"{kind}rs.0")
            parts = [f"{parts[0]}_blocks", str(level), *group.split("."), *rest]
        elif side in ("encoder", "decoder") and parts[0] == "mid":
            kind, number = parts[1].split("_")
            group = "resnets" if kind == "block" else "attentions"
            parts = ["mid_block", group, str(int(number) - 1), *parts[2:]]
        leaf = ".".join([side, *parts]).replace("nin_shortcut", "conv_shortcut")
        leaf = leaf.replace(".norm_out.", ".conv_norm_out.")
        if ".attentions." in leaf:
            leaf = leaf.replace(".norm.", ".group_norm.").replace(".proj_out.", ".to_out.0.")
            for letter in "qkv":
                leaf = leaf.replace(f".{letter}.", f".to_{letter}.")
        linear = ".attentions." in leaf and value.ndim == 4
        renamed[leaf] = value.flatten(1) if linear else value
    return renamed


@torch.no_grad()
def assert_agrees_with_diffusers(
    model: VQGAN, shape: Shape, weights: Weights, images: Tensor
) -> None:
    from diffusers import VQModel

    levels = len(shape.ch_mult)
    attends = [shape.resolution >> i in shape.attn_resolutions for i in range(levels)]
    theirs = VQModel(
        down_block_types=tuple(f"{'Attn' * a}DownEncoderBlock2D" for a in attends),
        up_block_types=tuple(f"{'Attn' * a}UpDecoderBlock2D" for a in reversed(attends)),
        block_out_channels=tuple(shape.ch * mult for mult in shape.ch_mult),
        layers_per_block=shape.num_res_blocks,
        latent_channels=shape.z_channels,
        num_vq_embeddings=shape.n_embed,
        norm_num_groups=32,
        vq_embed_dim=shape.embed_dim,
    ).eval()
    theirs.load_state_dict(diffusers_names(weights, levels))
    features = theirs.encode(images).latents
    tokens = theirs.quantize(features)[2][2].view(len(images), *features.shape[2:])
    codes = model.encode(images)
    assert torch.equal(model.tokens(codes).data, tokens)
    torch.testing.assert_close(codes.data, features, atol=TOLERANCE, rtol=TOLERANCE)
    painted = model.decode(model.snap(codes))
    wanted = theirs.decode(features).sample
    torch.testing.assert_close(painted, wanted, atol=TOLERANCE, rtol=TOLERANCE)


@pytest.mark.parametrize("name", ["f16-1024", "f8-16384", "ldm-f8-256", "ldm-f4"])
def test_agrees_with_diffusers(name: str, tmp_path: Path) -> None:
    shape = SMALL[name]
    weights = drawn_weights(shape, seed=2)
    model = opened(shape, weights, tmp_path)
    assert_agrees_with_diffusers(model, shape, weights, pictures(64, 96))


@pytest.mark.parametrize(
    "holder",
    [
        "taming.models.cond_transformer.Net2NetTransformer",
        "ldm.models.diffusion.ddpm.LatentDiffusion",
    ],
)
def test_the_vqgan_inside_another_model(holder: str, tmp_path: Path) -> None:
    shape = SMALL["ldm-f4"]
    weights = drawn_weights(shape)
    checkpoint, config = published(shape, weights, tmp_path, prefix="first_stage_model.")
    inner = "\n".join(f"    {line}" for line in shape.yaml().splitlines() if line != "model:")
    inner = inner.partition("    data:")[0]
    config.write_text(f"model:\n  target: {holder}\n  params:\n    first_stage_config:\n{inner}")
    tensors, values = read_taming(checkpoint, config)
    assert values["codebook_size"] == shape.n_embed
    assert tensors.keys() == weights.keys()


def test_a_bare_state_dict(tmp_path: Path) -> None:
    shape = SMALL["ldm-f4"]
    weights = drawn_weights(shape)
    checkpoint, config = published(shape, weights, tmp_path)
    torch.save(weights, checkpoint, _use_new_zipfile_serialization=False)
    assert read_taming(checkpoint, config)[0].keys() == weights.keys()


def test_the_published_configs_are_known(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(FULL.yaml())
    config, prefix = read_config(path)
    assert (config.factor, config.codebook_size, config.embed_dim, prefix) == (16, 1024, 256, "")
    with torch.device("meta"):
        network = VQGAN(config)
    weights = drawn_weights(SMALL["f16-1024"])
    assert network.state_dict().keys() == weights.keys()


CHANGES = {
    "out of a table": (TAMING, "os.system", "describes a 'os.system', not a VQGAN"),
    "near a name": (TAMING, "taming.models.vqgan.VQModels", "did you mean"),
    "object": ("target: " + TAMING, "target: !!python/object/apply:os.system [ls]", "YAML"),
    "python name": ("  target: " + TAMING, "  x: !!python/name:os.system", "YAML"),
    "no target": ("  target: " + TAMING, "  x: 1", "no model.target"),
    "unknown key": ("dropout: 0.0", "dropout: 0.0\n      skip: 1", "ddconfig.skip: Extra"),
    "other attention": ("dropout: 0.0", "attn_type: linear", "attn_type: Input should be"),
    "double": ("double_z: false", "double_z: true", "double_z: Input should be False"),
    "segmentation": ("in_channels: 3", "in_channels: 183", "in_channels: Input should be 3"),
    "text for a number": ("ch: 32", "ch: wide", "ddconfig.ch: Input should be"),
    "negative": ("ch: 32", "ch: -32", "ddconfig.ch: Input should be"),
    "huge": ("ch: 32", "ch: 1000000", "VQGAN channels is 1000000"),
    "odd width": ("ch: 32", "ch: 40", "do not split into 32 groups"),
    "many levels": ("[1, 2, 4]", str([1] * 11), "ddconfig.ch_mult: Tuple should have at most"),
    "no levels": ("[1, 2, 4]", "[]", "channel_mults is empty"),
    "no params": ("  params:\n    embed", "  y:\n    embed", "no section 'params'"),
    "a list": ("\nmodel:", "\n- model:\n  ", "YAML|no section"),
    "tabs": ("  target", "\ttarget", "not a plain YAML file"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_config_that_is_refused(change: str, tmp_path: Path) -> None:
    before, after, reason = CHANGES[change]
    text = SMALL["ldm-f4"].yaml().replace(LATENT, TAMING)
    assert before in text
    path = tmp_path / "x.yaml"
    path.write_text(text.replace(before, after))
    with pytest.raises(RecipeError, match=reason) as caught:
        read_config(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400 + len(str(path))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no section 'model'"),
        (b"\xff\xfe\x00", "YAML"),
        (b"[" * 10_000, "YAML"),
        (b"a: " + b"x" * 2**16, "beyond 64 kB"),
        (b"a: &a [1,1]\nb: &b [*a,*a]\nmodel: *b", "no section 'model'"),
    ],
)
def test_a_file_that_is_no_config(content: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(content)
    with pytest.raises(RecipeError, match=reason):
        read_config(path)
    with pytest.raises(RecipeError, match="no such file"):
        read_config(tmp_path / "absent.yaml")


def test_a_gumbel_config_must_be_consistent(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(SMALL["f8-gumbel-8192"].yaml().replace("embed_dim: 64", "embed_dim: 32"))
    with pytest.raises(RecipeError, match="embed_dim equal to z_channels"):
        read_config(path)


@pytest.mark.parametrize(
    ("change", "error", "reason"),
    [
        ({"quant_conv.weight": torch.ones(1)}, CheckpointError, "mis-shaped quant_conv.weight"),
        ({"encoder.new.weight": torch.ones(1)}, CheckpointError, "unknown encoder.new.weight"),
        ({"quant_conv.bias": torch.ones(3).long()}, CheckpointError, "not a tensor of real"),
        ({"quant_conv.bias": "text"}, CheckpointError, "not a tensor of real"),
        ({"quant_conv.bias": nn.Identity}, UnsafeModel, "Identity"),
    ],
)
def test_a_checkpoint_that_does_not_fit(
    change: dict[str, object], error: type[PhospheneError], reason: str, tmp_path: Path
) -> None:
    shape = SMALL["ldm-f4"]
    checkpoint, config = published(shape, drawn_weights(shape), tmp_path)
    torch.save({"state_dict": {**drawn_weights(shape), **change}}, checkpoint)
    with pytest.raises(error, match=reason) as caught:
        read_taming(checkpoint, config)
    assert "\n" not in str(caught.value)


def test_nothing_to_convert(tmp_path: Path) -> None:
    shape = SMALL["ldm-f4"]
    checkpoint, config = published(shape, {}, tmp_path)
    with pytest.raises(CheckpointError, match="lacks"):
        read_taming(checkpoint, config)
    torch.save({"state_dict": [1]}, checkpoint)
    with pytest.raises(CheckpointError, match="not a table"):
        read_taming(checkpoint, config)
