"""Stages lie between a start and the picture; the loss is the angle to the way there."""

import pytest
import torch
from torch import Tensor

from phosphene.core.rng import Rng
from phosphene.prompting import drawing
from phosphene.prompting.drawing import misdirection, on_the_way


def pictures(count: int = 6, size: int = 32) -> Tensor:
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_stages_and_directions_are_keyed() -> None:
    a, b = on_the_way(pictures(), Rng((3,))), on_the_way(pictures(), Rng((3,)))
    assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True))
    assert not torch.equal(a[0], on_the_way(pictures(), Rng((4,)))[0])


def test_the_way_leads_to_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without noise, a stage and its direction add up to the picture."""
    monkeypatch.setattr(drawing, "NOISE_SIGMA", 0.0)
    x = pictures()
    stages, wanted = on_the_way(x, Rng((0,)))
    torch.testing.assert_close(stages + wanted, x)
    assert float(stages.abs().max()) <= 1.0 + 1e-6
    # nowhere is the picture reached: (1 - t) of the way is left at least
    assert float(wanted.abs().mean()) > (1 - drawing.LAST_T) * 0.1


def test_noise_is_on_the_stage_and_not_in_the_direction() -> None:
    x = pictures(64, 16)
    stages, wanted = on_the_way(x, Rng((1,)))
    noise = stages + wanted - x
    sigma = noise.flatten(1).std(dim=1)
    assert 0.3 < float(sigma.mean()) < 0.7  # uniform in [0, 1]
    assert float(sigma.max()) <= 1.1
    assert abs(float(noise.mean())) < 0.02


def test_starts_are_patches_or_other_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "NOISE_SIGMA", 0.0)
    monkeypatch.setattr(drawing, "LAST_T", 0.0)
    monkeypatch.setattr(drawing, "BLURRED_PROB", 0.0)
    x = pictures(200, 8)
    stages, _ = on_the_way(x, Rng((2,)))
    others = [bool(torch.equal(stages[i], x[i - 1])) for i in range(len(x))]
    assert abs(sum(others) / len(others) - (1 - drawing.PATCHED_PROB)) < 0.1


def test_misdirection_is_one_minus_the_cosine() -> None:
    wanted = torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    for factor, expected in ((2.5, 0.0), (-0.1, 2.0)):
        loss, cosine = misdirection(factor * wanted, wanted)
        assert float(loss) == pytest.approx(expected, abs=1e-5)
        assert float(cosine) == pytest.approx(1 - expected, abs=1e-5)


def test_fine_texture_is_free() -> None:
    """A chequerboard of single px vanishes in every pool: it costs nothing."""
    wanted = torch.ones(1, 3, 16, 16)
    rows = torch.arange(16)
    checks = ((rows[:, None] + rows[None]) % 2 * 2 - 1).float().expand(1, 3, 16, 16)
    loss, _ = misdirection(wanted + 50 * checks, wanted)
    assert float(loss) == pytest.approx(0.0, abs=1e-5)
