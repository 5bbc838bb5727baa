"""Room: what does not fit is refused before anything starts; what fits is not."""

import re

import pytest
import torch

from phosphene.core.errors import RecipeError
from phosphene.studio import room
from phosphene.studio.imagine import imagine
from phosphene.studio.replay import replay
from phosphene.studio.room import check_room, estimate
from phosphene.studio.stage import set_stage
from tests.studio.fakes import tiny

MIB = 2**20


@pytest.fixture
def there(monkeypatch):
    """Fake how much memory there is."""

    def fake(size: int | None) -> None:
        monkeypatch.setattr(room, "available_memory", lambda device: size)

    return fake


@pytest.mark.slow
def test_a_picture_too_large_is_refused_and_nothing_starts(zoo, tmp_path, there):
    there(64 * MIB)
    recipe = tiny(width=4096, height=2048)
    with pytest.raises(RecipeError) as caught:
        list(imagine(recipe, zoo, folder=tmp_path / "run"))
    assert not list(tmp_path.iterdir())
    said = re.fullmatch(
        r"a picture of 4096 x 2048 px needs about (\d+\.\d) GiB of memory, and 0\.1 GiB are "
        r"available; the largest size of this shape that fits is (\d+) x (\d+)",
        str(caught.value),
    )
    assert said is not None
    assert float(said[1]) > 1
    width, height = int(said[2]), int(said[3])
    assert width % 4 == height % 4 == 0  # whole codes
    assert width / height == pytest.approx(2, rel=0.1)
    stage = set_stage(tiny(width=width, height=height), zoo)
    assert 0.6 * 64 * MIB < estimate(stage, height, width) <= 64 * MIB


@pytest.mark.slow
def test_nothing_fits(zoo, there):
    there(1000)
    with pytest.raises(RecipeError, match="available; free some memory"):
        check_room(set_stage(tiny(), zoo))


@pytest.mark.slow
def test_a_replay_is_refused_too(zoo, there):
    *_, last = imagine(tiny(), zoo)
    there(1000)
    with pytest.raises(RecipeError, match="needs about"):
        replay(last.artifact, zoo)


@pytest.mark.parametrize("size", [None, 2**40])
def test_what_fits_or_cannot_be_known_is_not_rehearsed(zoo, there, monkeypatch, size):
    there(size)
    monkeypatch.setattr(room, "estimate", None)
    check_room(set_stage(tiny(width=512, height=512), zoo))


def test_what_cannot_be_rehearsed_is_not_refused(zoo, there, monkeypatch):
    def unknown(*_: object) -> int:
        raise NotImplementedError("aten::odd has no meta kernel")

    there(1000)
    monkeypatch.setattr(room, "rehearsed", unknown)
    check_room(set_stage(tiny(), zoo))


@pytest.mark.slow
def test_the_estimate_grows_as_what_it_is_made_of(zoo):
    """Attention by the square of the area, once it outweighs the rest; views by their number."""
    stage = set_stage(tiny(), zoo)
    assert estimate(stage, 2048, 2048) == pytest.approx(16 * estimate(stage, 1024, 1024), rel=0.05)
    more = set_stage(tiny(num_cutouts=200), zoo)
    assert estimate(more, 16, 16) > 5 * estimate(stage, 16, 16)
    several = set_stage(tiny(start="best-of"), zoo)
    assert estimate(several, 512, 512) == pytest.approx(4 * estimate(stage, 512, 512), rel=0.05)


@pytest.mark.slow
def test_gradients_may_be_switched_off_outside(zoo):
    stage = set_stage(tiny(), zoo)
    with torch.no_grad():
        inside = estimate(stage, 256, 256)
    assert inside == estimate(stage, 256, 256)
