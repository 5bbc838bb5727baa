"""The discriminators: the paper's shapes, the projection, and a game small enough to win."""

import pytest
import torch
import torch.nn.functional as F

from phosphene.core.errors import RecipeError
from phosphene.families.gan.biggan import BigGAN
from phosphene.families.gan.biggan_config import BigGANConfig
from phosphene.families.gan.biggan_discriminator import Discriminator
from phosphene.families.gan.biggan_layers import DBlock, DeepDBlock, SelfAttention
from phosphene.nn.adversarial import hinge_d, hinge_g
from phosphene.nn.spectral import add_spectral_norm, fold_spectral_norm
from tests.families.gan.biggan_shapes import DEEP, PLAIN, config


def published(resolution: int, deep: bool) -> list[str]:
    with torch.device("meta"):
        blocks = Discriminator(BigGANConfig.published(resolution, deep)).blocks
    said = []
    for block in blocks:
        if isinstance(block, DBlock | DeepDBlock):
            before = block.conv1.in_channels
            after = (block.conv2 if isinstance(block, DBlock) else block.conv4).out_channels
            said.append(f"{before}-{after}{' down' * block.down}")
        else:
            said.append("attention" if isinstance(block, SelfAttention) else "stem")
    return said


def test_the_papers_discriminators() -> None:
    """Tables 4 (128 px, ch = 96) and 7 (BigGAN-deep 128 px, ch = 128)."""
    assert published(128, False) == [
        "3-96 down", "attention", "96-192 down", "192-384 down", "384-768 down", "768-1536 down",
        "1536-1536",
    ]  # fmt: skip
    assert published(128, True) == [
        "stem", "128-256 down", "256-256", "attention", "256-512 down", "512-512",
        "512-1024 down", "1024-1024", "1024-2048 down", "2048-2048", "2048-2048 down", "2048-2048",
    ]  # fmt: skip


@pytest.mark.parametrize("changes", [PLAIN, DEEP, {"num_classes": 0}, {"resolution": (16, 32)}])
def test_a_logit_each(changes: dict[str, object]) -> None:
    torch.manual_seed(0)
    shape = config(**changes)
    judge = Discriminator(shape)
    images = torch.randn(3, shape.channels, *shape.sides)
    if shape.num_classes == 0:
        assert judge(images).shape == (3, 1)
        return
    classes = torch.eye(shape.num_classes)[:3]
    logits = judge(images, classes)
    assert logits.shape == (3, 1)
    assert torch.allclose(judge(images[1:2], classes[1:2]), logits[1:2], atol=1e-3)
    with pytest.raises(RecipeError, match="judges pictures of classes"):
        judge(images)


def test_the_projection_is_linear_in_the_classes() -> None:
    torch.manual_seed(0)
    judge = Discriminator(config())
    images = torch.randn(1, 3, 16, 16)
    first, second, mixed = (
        judge(images, torch.tensor([c])) for c in ([1.0, 0, 0], [0.0, 1, 0], [0.3, 0.7, 0])
    )
    torch.testing.assert_close(mixed, 0.3 * first + 0.7 * second, atol=1e-4, rtol=1e-4)
    assert (first - second).abs().item() > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("deep", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_learns_two_colours_by_class(deep: bool) -> None:
    """A few dozen steps of hinge loss with spectral norm: class 0 becomes dark, class 1 light."""
    torch.manual_seed(1 if deep else 0)
    small = {"num_classes": 2, "channel_mults": (2, 2), "resolution": 8, "z_dim": 8, "width": 4}
    shape = config(**{**(DEEP if deep else PLAIN), **small, "attention_resolutions": ()})
    maker, judge = BigGAN(shape), Discriminator(shape)
    for network in (maker, judge):
        add_spectral_norm(network, skip=(maker.shared,))
    fast = torch.optim.Adam(judge.parameters(), 4e-3, betas=(0.0, 0.99))
    slow = torch.optim.Adam(maker.parameters(), 2e-3, betas=(0.0, 0.99))
    classes = F.one_hot(torch.arange(8) % 2, 2).float()
    real = (classes[:, 1] * 1.2 - 0.6)[:, None, None, None].expand(-1, 3, 8, 8)
    for _ in range(100 if deep else 30):  # the deep one has twice the layers
        fake = maker(torch.randn(8, 8), classes)
        fast.zero_grad()
        torch.autograd.backward(hinge_d(judge(real, classes), judge(fake.detach(), classes)))
        fast.step()
        slow.zero_grad()
        torch.autograd.backward(hinge_g(judge(fake, classes)))
        slow.step()
    fold_spectral_norm(maker)
    maker.train()  # the batch's own averages
    with torch.no_grad():
        painted = maker(torch.randn(8, 8), classes).mean((1, 2, 3))
    dark, light = painted[::2].mean(), painted[1::2].mean()
    assert light - dark > 0.5, (dark, light)
