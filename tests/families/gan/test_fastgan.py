"""FastGAN: shapes, gating by coarse maps, redrawing, classes, batch independence."""

import pytest
import torch

from phosphene.core.errors import CheckpointError, RecipeError
from phosphene.core.rng import Rng
from phosphene.families.gan.fastgan import (
    Discriminator,
    Excitation,
    FastGANConfig,
    Generator,
    build,
)
from tests.shelf import NoShelf

TINY = {"z_dim": 6, "width": 4, "d_width": 4}


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("resolution", [32, 64, (48, 32)])
def test_sizes_and_channels(resolution: int | tuple[int, int], channels: int) -> None:
    config = FastGANConfig(resolution=resolution, channels=channels, **TINY)
    network, judge = Generator(config), Discriminator(config)
    images = network(torch.ones(2, 6))
    assert images.shape == (2, channels, *config.sides)
    assert images.abs().max() <= 1
    assert judge(images).shape == (2,)
    assert judge.aside(images).ndim == 0


def test_levels_are_gated_by_those_sixteen_times_as_coarse() -> None:
    assert set(Generator(FastGANConfig(resolution=32, **TINY)).excitations) == set()
    network = Generator(FastGANConfig(resolution=128, **TINY))
    assert set(network.excitations) == {"4", "5"}
    assert network.config.widths(64) == [1024, 512, 256, 128, 128, 64]


def test_a_gate_scales_whole_channels() -> None:
    """y = sigmoid(...) x: one number a channel between 0 and 1, from the coarse map alone."""
    gate = Excitation(3, 5)
    coarse, fine = torch.randn(2, 3, 8, 8), torch.rand(2, 5, 16, 16) + 1
    ratio = (gate(coarse, fine) / fine).detach()
    torch.testing.assert_close(ratio, ratio[:, :, :1, :1].expand_as(ratio))
    assert 0 < float(ratio.min()) < float(ratio.max()) < 1
    torch.testing.assert_close(gate(coarse, 2 * fine), 2 * gate(coarse, fine))


@pytest.mark.slow
def test_redrawing_is_learnt_and_reaches_the_features() -> None:
    """`aside` is the error against the picture made small; training on it alone lowers it."""
    config = FastGANConfig(resolution=32, z_dim=6, width=4, d_width=16)
    judge = Discriminator(config)
    images = torch.zeros(2, 3, 32, 32)
    images[0, :, 16:] = 1.0
    optimizer = torch.optim.Adam(judge.parameters(), lr=1e-2)
    losses = []
    for _ in range(25):
        optimizer.zero_grad()
        loss = judge.aside(images)
        torch.autograd.backward(loss)
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.3 * losses[0]
    assert judge.look.parametrizations.weight.original.grad.abs().sum() > 0


def test_each_sample_is_its_own_and_classes_mix() -> None:
    config = FastGANConfig(resolution=32, num_classes=3, **TINY)
    made = build(Generator(config).state_dict(), config.to_dict(), NoShelf())
    rng = Rng((1, 2, 3))
    condition = made.condition_of(["0", "2", {"0": 0.5, "1": 0.5}])
    together = made.decode(made.draw(rng), condition)
    for i in range(3):
        own = made.condition_of(condition.classes[i : i + 1])
        alone = made.decode(made.draw(Rng((i + 1,))), own)
        torch.testing.assert_close(together[i : i + 1], alone, atol=1e-5, rtol=0)
    z = made.draw(Rng((1,)))
    first, second = (made.decode(z, made.condition_of([name])) for name in ("0", "2"))
    assert not torch.allclose(first, second)
    # a z that is longer points the same way
    torch.testing.assert_close(
        made.decode(z.with_data(3 * z.data), made.condition_of(["0"])), first, atol=1e-5, rtol=0
    )


def test_the_discriminator_projects_on_the_class() -> None:
    judge = Discriminator(FastGANConfig(resolution=32, num_classes=2, **TINY)).eval()
    images, one, two = torch.rand(2, 3, 32, 32), *torch.eye(2)[:, None].expand(-1, 2, -1)
    pooled = judge.halvings(judge.look(images)).mean(dim=(2, 3))
    expected = pooled @ (judge.embedding.weight[0] - judge.embedding.weight[1])
    torch.testing.assert_close(judge(images, one) - judge(images, two), expected)


@pytest.mark.parametrize("resolution", [16, 50, (32, 512)])
def test_resolutions_that_cannot_be(resolution: int | tuple[int, int]) -> None:
    with pytest.raises(RecipeError, match="FastGAN resolution"):
        FastGANConfig(resolution=resolution)


def test_configs_that_cannot_be() -> None:
    with pytest.raises(CheckpointError, match="width is 1"):
        FastGANConfig.from_dict({"width": 1})
    with pytest.raises(CheckpointError, match="does not fit Generator"):
        build({}, FastGANConfig(resolution=32, **TINY).to_dict(), NoShelf())
