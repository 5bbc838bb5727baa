"""StyleGAN2's configurations: published widths, odd sizes, clear refusals."""

import json

import pytest

from phosphene.core.errors import CheckpointError, RecipeError
from phosphene.families.gan.stylegan2_config import NAMED, StyleGAN2Config

named = StyleGAN2Config.named


def test_the_paper_is_the_default() -> None:
    config = StyleGAN2Config(resolution=1024)
    assert config.widths() == [512, 512, 512, 512, 512, 256, 128, 64, 32]
    assert config.num_ws == 18
    assert (config.mapping_layers, config.mapping_lr, config.w_dim) == (8, 0.01, 512)


def test_published_configurations() -> None:
    assert named("paper256").widths() == [512, 512, 512, 512, 256, 128, 64]
    assert named("paper1024").sides == (1024, 1024)
    assert named("auto", resolution=128).channel_base == 16384
    assert named("auto", resolution=512).channel_base == 32768
    assert named("auto", resolution=512, channel_base=64 * 128).channel_base == 8192
    cifar = named("cifar")
    assert (cifar.d_architecture, cifar.mapping_layers, cifar.num_ws) == ("plain", 2, 8)
    assert named("paper256").group_size == 8
    assert all(named(name).conv_clamp == 256 for name in NAMED if name != "small")
    assert max(named("small", resolution=128).widths()) == 128


@pytest.mark.parametrize("side", [32, 64, 128, 256, 512, 1024])
def test_every_resolution(side: int) -> None:
    config = StyleGAN2Config(resolution=side)
    assert config.levels[0] == (4, 4)
    assert config.levels[-1] == (side, side)
    assert len(config.widths()) == len(config.levels) == config.num_ws // 2


def test_beside_the_square() -> None:
    config = StyleGAN2Config(resolution=(64, 96), channel_base=512, d_channel_base=1024)
    assert config.levels == [(4, 6), (8, 12), (16, 24), (32, 48), (64, 96)]
    assert config.widths() == [128, 64, 32, 16, 8]
    assert config.widths(discriminator=True)[-1] == 16


@pytest.mark.parametrize("name", NAMED)
def test_configs_survive_json(name: str) -> None:
    made = named(name, resolution=(64, 96))
    assert StyleGAN2Config.from_dict(json.loads(json.dumps(made.to_dict()))) == made


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"resolution": 100}, "100 x 100 is not a map of 4 to 16 px doubled"),
        ({"resolution": 4}, "4 x 4 is not a map"),
        ({"resolution": (32, 256)}, "32 x 256 is not a map"),
        ({"resolution": 8192}, "resolution is 8192"),
        ({"w_dim": 0}, "w_dim is 0"),
        ({"mapping_layers": 0}, "mapping_layers is 0"),
        ({"channel_base": 8}, "channel_base 8 leaves no channels at 256 px; use at least 256"),
        ({"d_channel_base": 8}, "channel_base 8 leaves no channels"),
        ({"d_channel_base": "x"}, "d_channel_base"),
        ({"architecture": "resnet"}, "architecture"),
        ({"layer_noise": 1}, "layer_noise"),
        ({"mapping_lr": 0}, "mapping_lr is 0; it must be a number from"),
        ({"mapping_lr": float("nan")}, "mapping_lr is nan"),
        ({"conv_clamp": True}, "conv_clamp is True"),
        ({"channels": 2}, "channels is '2'"),
        ({"num_classes": -1}, "num_classes is -1"),
        ({"depth": 3}, "depth"),
    ],
)
def test_what_cannot_be(changes: dict[str, object], reason: str) -> None:
    with pytest.raises(RecipeError, match=reason) as caught:
        named("stylegan2", **changes)
    assert "\n" not in str(caught.value)
    with pytest.raises(CheckpointError, match="not a StyleGAN2Config"):
        StyleGAN2Config.from_dict(changes)


def test_an_unknown_name() -> None:
    with pytest.raises(RecipeError, match="did you mean 'paper256'"):
        named("paper255")
