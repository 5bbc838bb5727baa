"""The BigGAN converters: the same pictures as the published package and as a plain forward."""

import itertools
import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from phosphene.core.errors import CheckpointError, PhospheneError, RecipeError, UnsafeModel
from phosphene.core.weights import read_weights
from phosphene.families.gan.biggan import BigGAN, BigGANGenerator
from phosphene.families.gan.biggan_config import BigGANConfig
from phosphene.zoo.biggan import ajbrock_shape, huggingface_shape, read_biggan
from phosphene.zoo.convert import convert_biggan
from phosphene.zoo.zoo import Zoo
from tests.zoo.biggan_reference import Ajbrock, huggingface, published_package, written

TOLERANCE = 1e-4


def opened(checkpoint: Path, folder: Path, config: Path | None = None) -> BigGANGenerator:
    """The way of a user: convert, then load it by its name."""
    convert_biggan(checkpoint, config, "my-biggan", folder / "home")
    model = Zoo(folder / "home").load("my-biggan")
    assert isinstance(model, BigGANGenerator)
    return model


def inputs(model: BigGANGenerator) -> tuple[Tensor, Tensor]:
    """z, and classes: one of them, an even mixture, weights that do not sum to one."""
    torch.manual_seed(4)
    classes = torch.zeros(3, model.num_classes)
    classes[0, 1] = 1
    classes[1, :2] = 0.5
    classes[2] = torch.randn(model.num_classes) * 0.4
    return torch.randn(3, model.z_dim), classes


def assert_same(found: Tensor, wanted: Tensor) -> None:
    assert wanted.std() > 0.02, "a constant would prove nothing"
    assert (wanted[0] - wanted[1]).abs().mean() > 0.005
    torch.testing.assert_close(found, wanted, atol=TOLERANCE, rtol=0)


# --- pytorch-pretrained-biggan

HF_SHAPES = {
    "as at 128 px": ((16, 16, 8, 4, 2, 1), 8, {}),
    "attention early": ((16, 8, 4, 2, 1), 2, {}),
    "without attention, another eps": ((16, 8, 4, 2, 1), 8, {"eps": 0.02}),
}


@pytest.mark.parametrize("name", HF_SHAPES)
@torch.no_grad()
def test_agrees_with_the_published_package(name: str, tmp_path: Path) -> None:
    mults, attention, changes = HF_SHAPES[name]
    theirs, shape = huggingface(mults, attention, **changes)
    model = opened(written(theirs, shape, tmp_path / "theirs"), tmp_path)
    z, classes = inputs(model)
    # rows, between rows, and 0.7, which rounding puts just below its row
    pictures = []
    for truncation in (1.0, 0.4) if len(mults) > 5 else (1.0, 0.4, 0.7, 0.33, 0.05):
        wanted = theirs(z, classes, truncation)
        assert_same(model.network(z, classes, truncation), wanted)
        assert_same(model.at_truncation(truncation).network(z, classes), wanted)
        pictures.append(wanted)
    assert (pictures[0] - pictures[1]).abs().mean() > 0.01


@pytest.mark.slow
@torch.no_grad()
def test_agrees_at_full_width(tmp_path: Path) -> None:
    full = {"z_dim": 128, "class_embed_dim": 128, "channel_width": 128, "num_classes": 1000,
            "n_stats": 51}  # fmt: skip
    theirs, shape = huggingface((16, 16, 8, 4, 2, 1), 8, **full)
    model = opened(written(theirs, shape, tmp_path / "theirs"), tmp_path)
    network = model.network
    assert isinstance(network, BigGAN)
    assert network.config == BigGANConfig.published(128, deep=True)
    assert model.class_names[1] == "goldfish"
    z, classes = inputs(model)
    assert_same(network(z, classes, 0.5), theirs(z, classes, 0.5))


def test_the_published_configs_are_known(tmp_path: Path) -> None:
    """Names, shapes and config of all three, without their weights."""
    _, config = published_package()
    mults = {
        128: (16, 16, 8, 4, 2, 1),
        256: (16, 16, 8, 8, 4, 2, 1),
        512: (16, 16, 8, 8, 4, 2, 1, 1),
    }
    for side, widths in mults.items():
        layers = [
            layer for a, b in itertools.pairwise(widths) for layer in ((False, a, a), (True, a, b))
        ]
        path = tmp_path / "config.json"
        path.write_text(config.BigGANConfig(output_dim=side, layers=layers).to_json_string())
        assert huggingface_shape(path) == BigGANConfig.published(side, deep=True)


def test_a_checkpoint_file_and_its_config(tmp_path: Path) -> None:
    theirs, shape = huggingface((16, 8, 4, 2, 1), 4)
    folder = written(theirs, shape, tmp_path / "theirs")
    config = (folder / "config.json").rename(tmp_path / "named.json")
    tensors, values = read_biggan(folder / "pytorch_model.bin", config)
    assert values["num_classes"] == 5
    assert "class_names" not in values
    assert not any("_orig" in name or "_u" in name for name in tensors)
    with pytest.raises(RecipeError, match=r"cannot read the config .*no such file"):
        read_biggan(folder)


# --- BigGAN-PyTorch

AJBROCK = {
    "as published": Ajbrock(),
    "flat z": Ajbrock(hierarchical=False),
    "no attention, averages of mybn": Ajbrock(attention=None, averages="bn.stored_"),
    "averages across devices": Ajbrock(averages="bn.running_"),
    "no spectral norm": Ajbrock(normalised=False),
    "no shared embedding": Ajbrock(embed_dim=0, hierarchical=False),
    "three stages": Ajbrock(widths=(32, 16, 8, 8), attention=0, z_dim=16),
    "deep": Ajbrock(widths=(16, 16, 8), deep=True, depth=2, z_dim=7),
}


@pytest.mark.parametrize("name", AJBROCK)
@torch.no_grad()
def test_agrees_with_the_plain_forward(name: str, tmp_path: Path) -> None:
    shape = AJBROCK[name]
    weights = shape.weights()
    checkpoint = tmp_path / "G_ema.pth"
    torch.save(weights, checkpoint)
    model = opened(checkpoint, tmp_path)
    assert (model.z_dim, model.num_classes) == (shape.z_dim, 5)
    z, classes = inputs(model)
    assert_same(model.network(z, classes), shape.paint(weights, z, classes))


def test_the_published_shape_is_read_off(tmp_path: Path) -> None:
    """The 138k weights of BigGAN-PyTorch: 128 px, ch = 96, z of 120, shared embedding of 128."""
    shape = Ajbrock(widths=(16 * 96, 16 * 96, 8 * 96, 4 * 96, 2 * 96, 96), attention=3,
                    num_classes=1000, embed_dim=128, z_dim=120, normalised=False)  # fmt: skip
    with torch.device("meta"):
        weights = shape.weights()
    assert ajbrock_shape(weights, "x") == BigGANConfig.published(128)


def test_from_several_devices(tmp_path: Path) -> None:
    shape = Ajbrock()
    weights = {f"module.{name}": value for name, value in shape.weights().items()}
    torch.save({"state_dict": weights}, tmp_path / "G.pth")
    tensors, values = read_biggan(tmp_path / "G.pth")
    with torch.device("meta"):
        network = BigGAN(BigGANConfig.from_dict(values))
    assert tensors.keys() == network.state_dict().keys()


# --- what is written, and what is refused


def test_thousand_classes_get_their_names(tmp_path: Path) -> None:
    torch.save(Ajbrock(num_classes=1000).weights(), tmp_path / "G.pth")
    card = convert_biggan(tmp_path / "G.pth", None, "named", tmp_path / "home", torch.float16)
    assert (card.family, card.arch, card.size) == ("gan", "biggan", 16)
    model = Zoo(tmp_path / "home").load("named")
    assert model.class_index("goldfish") == 1
    tensors, values = read_weights(tmp_path / "home" / "models" / "named" / "model.safetensors")
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float16}
    assert values["class_names"][999] == "toilet tissue"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"layers": [[False, 16, 16], [True, 16, 8], [True, 8, 4], [True, 4, 2]]}, "stages of two"),
        ({"layers": [[False, 16, 16], [True, 16, 8]]}, "stages of two"),  # their last norm takes 1
        ({"layers": [[False, 16, 16]]}, "layers: List should have at least 2"),
        ({"attention_layer_position": 3}, "stages of two"),
        ({"attention_layer_position": 0}, "stages of two"),
        ({"class_embed_dim": 4}, "stages of two"),
        ({"z_dim": "eight"}, "z_dim: Input should be"),
        ({"output_dim": 20}, "resolution 20 is not a multiple of 16"),
        ({"extra": 1}, "extra: Extra inputs"),
    ],
)
def test_a_config_that_is_refused(change: dict[str, object], reason: str, tmp_path: Path) -> None:
    layers = [layer for a in (16, 8, 4, 2) for layer in ((False, a, a), (True, a, a // 2))]
    values = {"output_dim": 64, "z_dim": 8, "class_embed_dim": 8, "channel_width": 8,
              "num_classes": 5, "layers": layers, "attention_layer_position": 2, "eps": 1e-4,
              "n_stats": 11}  # fmt: skip
    path = tmp_path / "config.json"
    path.write_text(json.dumps(values))
    assert huggingface_shape(path).attention_resolutions == (8,)
    path.write_text(json.dumps({**values, **change}))
    with pytest.raises(RecipeError, match=reason) as caught:
        huggingface_shape(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["{", "[" * 100_000, "\xff", "[]", ""])
def test_a_file_that_is_no_config(text: str, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(text)
    with pytest.raises(RecipeError, match=r"not JSON|not a BigGAN-deep"):
        huggingface_shape(path)


@pytest.mark.parametrize(
    ("change", "error", "reason"),
    [
        ({"linear.weight": torch.ones(3)}, CheckpointError, "does not have the shapes"),
        ({"blocks.0.0.conv1.weight": None}, CheckpointError, "not a tensor by name"),
        ({"blocks.1.0.conv3.weight": torch.ones(1)}, CheckpointError, "unknown stages.1.0.conv3"),
        ({"blocks.0.0.bn2.gain.weight": torch.ones(2, 2)}, CheckpointError, "mis-shaped stages"),
        ({"shared.weight": torch.ones(5)}, CheckpointError, "does not have the shapes"),
        ({"output_layer.0.gain": nn.Identity}, UnsafeModel, "Identity"),
    ],
)
def test_a_checkpoint_that_does_not_fit(
    change: dict[str, object], error: type[PhospheneError], reason: str, tmp_path: Path
) -> None:
    torch.save({"state_dict": {**Ajbrock().weights(), **change}}, tmp_path / "G.pth")
    with pytest.raises(error, match=reason) as caught:
        read_biggan(tmp_path / "G.pth")
    assert "\n" not in str(caught.value)


def test_what_is_no_biggan(tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    torch.save({"weight": torch.ones(1)}, path)
    with pytest.raises(CheckpointError, match=r"is no generator of"):
        read_biggan(path)
    torch.save({"state_dict": [1]}, path)
    with pytest.raises(CheckpointError, match=r"not a table"):
        read_biggan(path)
    torch.save(Ajbrock().weights(), path)
    with pytest.raises(RecipeError, match=r"give no config"):
        read_biggan(path, tmp_path / "config.json")


def test_spectral_norm_that_is_half_there(tmp_path: Path) -> None:
    theirs, shape = huggingface((16, 8, 4, 2, 1), 4)
    folder = written(theirs, shape, tmp_path)
    state = theirs.state_dict()
    del state["generator.gen_z.weight_v"]
    torch.save(state, folder / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=r"lacks generator.gen_z.weight_u or .weight_v"):
        read_biggan(folder)
