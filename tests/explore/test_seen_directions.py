"""Directions of what is seen: a linear painter's are its singular vectors."""

import pytest
import torch

from phosphene.core.errors import LatentMismatch, RecipeError
from phosphene.core.rng import Rng
from phosphene.explore.seen_directions import seen_directions

SIZE, PIXELS = 6, 20


def whitened(count):
    z = Rng((0,)).normal(count, SIZE)[0].double()
    z = z - z.mean(0)
    return (z @ torch.linalg.inv(torch.linalg.cholesky(torch.cov(z.T))).T).float()


def test_a_linear_painter_gives_its_singular_vectors():
    u = torch.linalg.qr(Rng((1,)).normal(PIXELS, SIZE)[0]).Q
    v = torch.linalg.qr(Rng((2,)).normal(SIZE, SIZE)[0]).Q
    sizes = torch.tensor([5.0, 3, 2, 1, 0.5, 0.1])
    z = whitened(400)
    pictures = z @ (u * sizes @ v.T).T + 3
    found = seen_directions(zip(z.split(64), pictures.split(64), strict=True), 3)
    for i, direction in enumerate(found):
        assert direction.name == f"pc{i}"
        assert abs(float(direction.vector @ v[:, i])) == pytest.approx(1, abs=1e-4)
        assert direction.share == pytest.approx(float(sizes[i] ** 2 / (sizes**2).sum()), rel=1e-3)
        assert direction.deviation == pytest.approx(1, rel=1e-2)


def test_a_direction_leads_up_its_component():
    z = Rng((3,)).normal(2000, SIZE)[0]
    # bent, so that only the mean gradient tells
    pictures = torch.tanh(2 * z[:, :1] + z[:, 1:2]).expand(-1, PIXELS)
    (direction,) = seen_directions([(z, pictures)], 1)
    wanted = torch.tensor([2.0, 1, 0, 0, 0, 0]) / 5**0.5
    assert abs(float(direction.vector @ wanted)) > 0.99


def test_mistakes():
    z = Rng((3,)).normal(8, SIZE)[0]
    with pytest.raises(LatentMismatch, match="8 latents with 7"):
        seen_directions([(z, torch.zeros(7, 4))], 1)
    with pytest.raises(RecipeError, match="all pictures look the same"):
        seen_directions([(z, torch.zeros(8, 4))], 1)
    with pytest.raises(RecipeError, match="9 directions of 4"):
        seen_directions([(z, torch.randn(8, 4))], 9)
    with pytest.raises(RecipeError, match="draw at least 2"):
        seen_directions([], 1)
