"""ProGAN: growth and fading, even rates, the spread channel, closed forms."""

import pytest
import torch

from phosphene.core.errors import CheckpointError, RecipeError
from phosphene.core.rng import Rng
from phosphene.families.gan.progan import (
    Discriminator,
    EvenConv,
    Generator,
    ProGANConfig,
    build,
    pixel_norm,
    spread_channel,
)
from phosphene.families.gan.settings import GANTraining
from phosphene.families.gan.training import GANLearner
from phosphene.training.augment import NoAugment
from tests.shelf import NoShelf

TINY = {"z_dim": 5, "width": 8, "base_width": 8, "class_dim": 3}


def test_the_schedule() -> None:
    """Three resolutions; the last has half of the run, and each is faded in by half of its time."""
    config = ProGANConfig(resolution=16, **TINY)
    assert config.base == (4, 4, 2)
    stages = [config.stage(p) for p in (0.0, 0.24, 0.25, 0.3125, 0.375, 0.5, 0.625, 0.75, 1.0)]
    levels, fades = zip(*stages, strict=True)
    assert levels == (0, 0, 1, 1, 1, 2, 2, 2, 2)
    assert fades == pytest.approx((1, 1, 0, 0.5, 1, 0, 0.5, 1, 1))
    uneven = ProGANConfig(resolution=16, shares=(2.0, 1.0, 1.0), **TINY)
    assert [uneven.stage(p)[0] for p in (0.4, 0.6, 0.8)] == [0, 1, 2]


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("resolution", [8, 32, (16, 24)])
def test_sizes_at_every_stage(resolution: int | tuple[int, int], channels: int) -> None:
    config = ProGANConfig(resolution=resolution, channels=channels, num_classes=2, **TINY)
    network, judge = Generator(config), Discriminator(config)
    classes = torch.eye(2)
    for progress in (0.0, 0.3, 0.45, 0.6, 1.0):
        network.grow(progress)
        judge.grow(progress)
        images = network(torch.ones(2, 5), classes)
        assert images.shape == (2, channels, *config.sides)
        assert judge(images, classes).shape == (2,)
        assert judge.match(images).shape == images.shape


def test_fading_is_continuous() -> None:
    """Just after a doubling the picture is the enlarged old one; just before the next, all new."""
    config = ProGANConfig(resolution=16, **TINY)
    network, z = Generator(config), torch.ones(1, 5)
    network.level, network.fade = 0, 1.0
    small = network(z)
    network.level, network.fade = 1, 0.0
    torch.testing.assert_close(network(z), small)
    network.fade = 0.5
    middle = network(z)
    network.fade = 1.0
    torch.testing.assert_close(middle, (small + network(z)) / 2)
    judge, images = Discriminator(config), torch.rand(2, 3, 16, 16)
    judge.level, judge.fade = 0, 1.0
    before = judge(images)
    judge.level, judge.fade = 1, 0.0
    torch.testing.assert_close(judge(images), before)


def test_real_pictures_are_made_as_coarse() -> None:
    judge, images = Discriminator(ProGANConfig(resolution=16, **TINY)), torch.rand(2, 3, 16, 16)
    judge.level = 0
    coarse = judge.match(images)
    torch.testing.assert_close(coarse[:, :, ::4, ::4], torch.nn.functional.avg_pool2d(images, 4))
    assert torch.equal(coarse[:, :, :4, :4], coarse[:, :, :1, :1].expand(-1, -1, 4, 4))
    judge.level, judge.fade = 2, 0.5
    half = torch.nn.functional.avg_pool2d(images, 2).repeat_interleave(2, 2).repeat_interleave(2, 3)
    torch.testing.assert_close(judge.match(images), (images + half) / 2)
    judge.fade = 1.0
    assert torch.equal(judge.match(images), images)


def test_even_convolutions_keep_the_variance() -> None:
    """Weights of deviation 1, scaled by gain / sqrt(fan-in): an input of variance 1 stays so."""
    conv = EvenConv(64, 256, 3, gain=1.0)
    assert abs(float(conv.weight.detach().std()) - 1) < 0.01
    out = conv(torch.randn(4, 64, 16, 16)).detach()[:, :, 1:-1, 1:-1]
    assert abs(float(out.std()) - 1) < 0.05


def test_pixel_norm() -> None:
    x = torch.randn(2, 7, 3, 3) * 5
    torch.testing.assert_close(
        pixel_norm(x).square().mean(1), torch.ones(2, 3, 3), atol=1e-4, rtol=0
    )


def test_the_spread_channel() -> None:
    """Zero for equal pictures; for x and -x the mean of |x|; groups of four do not mix."""
    x = torch.rand(1, 3, 4, 4)
    same = spread_channel(x.expand(2, -1, -1, -1))
    assert same.shape == (2, 4, 4, 4)
    assert same[:, 3].max() < 1.1e-4
    torch.testing.assert_close(
        spread_channel(torch.cat([x, -x]))[0, 3, 0, 0], x.abs().mean(), atol=1e-4, rtol=0
    )
    batch = torch.rand(8, 3, 4, 4)
    whole = spread_channel(batch)[:, 3, 0, 0]
    torch.testing.assert_close(whole[:2].repeat(4), whole)  # members of a group lie two apart
    torch.testing.assert_close(whole[:1], spread_channel(batch[::2])[:1, 3, 0, 0])


def test_each_sample_is_its_own() -> None:
    config = ProGANConfig(resolution=8, num_classes=2, **TINY)
    made = build(Generator(config).state_dict(), config.to_dict(), NoShelf())
    condition = made.condition_of(["0", {"0": 0.5, "1": 0.5}])
    together = made.decode(made.draw(Rng((1, 2))), condition)
    for i in range(2):
        own = made.condition_of(condition.classes[i : i + 1])
        alone = made.decode(made.draw(Rng((i + 1,))), own)
        torch.testing.assert_close(together[i : i + 1], alone, atol=1e-5, rtol=0)


def test_the_learner_lets_it_grow() -> None:
    config = ProGANConfig(resolution=16, **TINY)
    settings = GANTraining(loss="wasserstein", gp_weight=10.0, bf16=False)
    student = GANLearner(
        Generator(config),
        Generator(config),
        Discriminator(config),
        settings,
        NoAugment(),
        config=config.to_dict(),
    )
    rng = Rng((0,))
    batch = {"images": torch.arange(4 * 3 * 256).remainder(255).view(4, 3, 16, 16).byte()}
    levels = []
    for i in range(8):
        student.step(batch, i, 8, rng.fork(i))
        assert student.network.level == student.discriminator.level
        assert student.average.network.level == student.network.level
        levels.append(student.network.level)
    assert levels == [0, 0, 1, 1, 2, 2, 2, 2]
    network, _ = student.export()
    assert (network.level, network.fade) == (2, 1.0)


def test_configs_that_cannot_be() -> None:
    with pytest.raises(RecipeError, match="ProGAN resolution 50"):
        ProGANConfig(resolution=50)
    with pytest.raises(RecipeError, match="one above 0 for each of the 3 resolutions"):
        ProGANConfig(resolution=16, shares=(1.0,))
    with pytest.raises(CheckpointError, match="width is 0"):
        ProGANConfig.from_dict({"width": 0})
