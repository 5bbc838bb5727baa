"""The projected discriminator: what is frozen stays so, what is mixed is mixed, heads judge."""

import pytest
import torch
from torch import Tensor, nn

from phosphene.core.errors import RecipeError
from phosphene.families.gan.projected import Mixing, ProjectedDiscriminator
from phosphene.nn.features import TAP_CHANNELS


class Pyramid(nn.Module):
    """Features of the right shapes: pooled pictures through fixed random maps."""

    def __init__(self) -> None:
        super().__init__()
        self.maps = nn.ModuleList(nn.Conv2d(3, c, 1) for c in TAP_CHANNELS)
        self.requires_grad_(False)
        self.asked = 0

    def forward(self, images: Tensor, num_maps: int = 5) -> list[Tensor]:
        self.asked = num_maps
        return [
            conv(nn.functional.avg_pool2d(images, 2 ** (i + 1)))
            for i, conv in enumerate(self.maps[:num_maps])
        ]


def judge(resolution: tuple[int, int] = (32, 32), **options: int) -> ProjectedDiscriminator:
    return ProjectedDiscriminator(Pyramid(), resolution, **{"width": 4, **options})


def test_one_logit_a_head() -> None:
    assert judge()(torch.rand(2, 3, 32, 32)).shape == (2, 4)
    assert judge((64, 32), num_heads=2)(torch.rand(2, 3, 64, 32)).shape[0] == 2
    assert judge(size=64)(torch.rand(1, 1, 32, 32)).shape == (1, 4)
    assert judge()(torch.rand(2, 4, 32, 32)).shape == (2, 8)
    large = judge((128, 128))
    assert large(torch.rand(1, 3, 128, 128)).shape == (1, 4)
    assert (large.first, large._frozen[0].asked) == (1, 5)


def test_the_heads_alone_learn_and_the_features_are_not_saved() -> None:
    made = judge()
    learning = {name.split(".")[0] for name, p in made.named_parameters() if p.requires_grad}
    assert learning == {"heads"}
    saved = {name.split(".")[0] for name in made.state_dict()}
    assert saved == {"mixing", "heads"}
    images = torch.rand(2, 3, 32, 32, requires_grad=True)
    torch.autograd.backward(made(images).sum())
    assert images.grad is not None
    assert (images.grad.flatten(1).abs().sum(1) > 0).all()
    assert all(p.grad is None for p in made._frozen[0].parameters())


def test_mixing_is_linear_and_carries_coarse_scales_to_fine_ones() -> None:
    mixing = Mixing((3, 5), (2, 4))
    fine, coarse = torch.randn(1, 3, 8, 8), torch.randn(1, 5, 4, 4)
    both = mixing([fine, coarse])
    assert [tuple(x.shape) for x in both] == [(1, 2, 8, 8), (1, 4, 4, 4)]
    apart = [mixing([fine, 0 * coarse]), mixing([0 * fine, coarse])]
    for i in range(2):
        torch.testing.assert_close(both[i], apart[0][i] + apart[1][i], atol=1e-5, rtol=1e-4)
    assert apart[1][0].abs().max() > 0  # the coarse scale is seen by the fine one
    assert apart[0][1].abs().max() == 0  # and not the other way round


def test_transparency_is_judged_on_white_and_on_black() -> None:
    made = judge().eval()
    opaque = torch.rand(1, 4, 16 * 2, 32)
    opaque[:, 3] = 1.0
    torch.testing.assert_close(made(opaque)[:, :4], made(opaque[:, :3]))
    torch.testing.assert_close(made(opaque)[:, 4:], made(opaque[:, :3]))
    clear = opaque.clone()
    clear[:, 3] = -1.0
    torch.testing.assert_close(made(clear)[:, :4], made(torch.ones(1, 3, 32, 32)))
    torch.testing.assert_close(made(clear)[:, 4:], made(-torch.ones(1, 3, 32, 32)))


def test_pictures_come_into_range_and_are_pulled_back_alone() -> None:
    images = torch.tensor([0.5, 3.0, 3.0, -3.0, -3.0]).view(5, 1, 1, 1).requires_grad_()
    bounded = judge().bound(images)
    assert bounded.flatten().tolist() == [0.5, 1.0, 1.0, -1.0, -1.0]
    slopes = torch.tensor([1.0, 1.0, -1.0, 1.0, -1.0])  # descent goes against them
    bounded.backward(slopes.view(5, 1, 1, 1))
    assert images.grad is not None
    assert images.grad.flatten().tolist() == [1.0, 1.0, 0.0, 0.0, -1.0]
    assert judge().bound(images.detach()).flatten().tolist() == [0.5, 1.0, 1.0, -1.0, -1.0]


def test_classes_are_judged_by_projection() -> None:
    """The logit is linear in the class weights."""
    made = judge(num_classes=3).eval()
    images = torch.rand(1, 3, 32, 32)
    one, two, mixed = torch.eye(3)[:1], torch.eye(3)[1:2], torch.tensor([[0.25, 0.75, 0]])
    expected = 0.25 * made(images, one) + 0.75 * made(images, two)
    torch.testing.assert_close(made(images, mixed), expected, atol=1e-5, rtol=1e-4)
    assert not torch.allclose(made(images, one), made(images, two))


@pytest.mark.slow
def test_learns_to_tell_two_kinds_of_pictures() -> None:
    made = judge()
    smooth = torch.rand(8, 3, 1, 1).expand(-1, -1, 32, 32) * 2 - 1
    rough = torch.rand(8, 3, 32, 32) * 2 - 1
    optimizer = torch.optim.Adam([p for p in made.parameters() if p.requires_grad], lr=2e-3)
    for _ in range(25):
        optimizer.zero_grad()
        real, fake = made(smooth), made(rough)
        torch.autograd.backward((1 - real).relu().mean() + (1 + fake).relu().mean())
        optimizer.step()
    assert (made(smooth).mean(1) > made(rough).mean(1).max()).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_heads": 5}, "projected_heads is 5"),
        ({"width": 1}, "projected_width is 1"),
        ({"size": 8}, "projected_size 8"),
        ({"resolution": (16, 16)}, "16 x 16 px are too small"),
    ],
)
def test_numbers_that_cannot_be(options: dict[str, int], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        judge(**options)  # type: ignore[arg-type]
