"""Candidates are ranked as their perceptors see them, each counting its weight."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from phosphene.prompting.ranking import Ranking


class Compass:
    """Sees the mean of the first two channels as a direction; texts are angles in degrees."""

    def __init__(self, input_size: int, turned: float = 0.0) -> None:
        self.input_size, self.turned = input_size, turned

    def encode_image(self, images: Tensor) -> Tensor:
        assert images.shape[-2:] == (self.input_size, self.input_size)
        return F.normalize(images[:, :2].mean(dim=(2, 3)), dim=1)

    def encode_text(self, texts: list[str]) -> Tensor:
        angles = torch.tensor([math.radians(float(text) + self.turned) for text in texts])
        return torch.stack([angles.cos(), angles.sin()], dim=1)


def heading(*degrees: float) -> Tensor:
    """Pictures of one colour, whose direction is an angle."""
    angles = torch.tensor([math.radians(each) for each in degrees])
    colour = torch.stack([angles.cos(), angles.sin(), torch.zeros(len(angles))], dim=1)
    return colour[:, :, None, None].expand(-1, -1, 16, 16).contiguous()


def test_half_the_squared_angle() -> None:
    got = Ranking(((Compass(8), 1.0),), "30")(heading(30, 75, 210))
    wanted = [0, math.radians(45) ** 2 / 2, math.pi**2 / 2]
    assert got.tolist() == pytest.approx(wanted, abs=1e-4)
    assert int(got.argmin()) == 0


def test_several_judges_add_up_by_weight() -> None:
    images, judges = heading(10, 50), (Compass(8), Compass(4, turned=40))
    both = Ranking(((judges[0], 1.0), (judges[1], 3.0)), "10")(images)
    apart = [Ranking(((judge, 1.0),), "10")(images) for judge in judges]
    torch.testing.assert_close(both, apart[0] + 3 * apart[1])
    assert int(both.argmin()) == 1
    assert int(apart[0].argmin()) == 0
