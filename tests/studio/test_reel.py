"""Frames in a folder: found again if they are whole, of this film, and fit the frame before."""

import pytest
import torch

from phosphene.core.errors import RecipeError, StorageError
from phosphene.core.images import open_image, save_png
from phosphene.studio.artifact import Platform, Surroundings, artifact_of
from phosphene.studio.recipe import Animate, Imagine
from phosphene.studio.reel import BEFORE, Reel, following

FILM = Animate(of=Imagine(prompt="a fox", seed=7), num_frames=3, prompts={2: "an owl"})
HERE = Platform(torch="2", threads=1, machine="m", isa="i", device="cpu", dtype="float32")
MADE_IN = Surroundings(models={"painter": "a" * 64}, inputs={}, platform=HERE)


def frame(number, before=None, film=FILM, made_in=MADE_IN):
    """A frame that says that it goes on from another."""
    image = torch.full((3, 16, 16), number / 10)
    recipe = film.until(number)
    return artifact_of(image, recipe, number, 5, following(made_in, before), frame=True)


@pytest.fixture
def reel(tmp_path):
    """A folder with frames 0 and 1 in it, opened to go on."""
    begun = Reel(tmp_path / "run", FILM, resume=False)
    begun.keep(0, frame(0))
    begun.keep(1, frame(1, frame(0)))
    return Reel(tmp_path / "run", FILM, resume=True)


def test_what_was_kept_is_found(reel):
    first = reel.find(0, MADE_IN)
    assert first.manifest == frame(0).manifest
    second = reel.find(1, following(MADE_IN, first))
    assert second.manifest.inputs == {BEFORE: first.manifest.pixel_sha256}
    assert reel.find(2, following(MADE_IN, second)) is None
    assert [path.name for path in reel.paths()] == ["000000.png", "000001.png", "000002.png"]


def test_a_frame_that_went_on_from_another_is_not_found(reel):
    assert reel.find(1, following(MADE_IN, frame(2))) is None
    assert reel.find(1, MADE_IN) is None


@pytest.mark.parametrize(
    "other",
    [
        frame(0, film=FILM.model_copy(update={"zoom": "1.5"})),
        frame(1),
        artifact_of(torch.zeros(3, 16, 16), FILM, 0, 5, MADE_IN),
    ],
    ids=["of another film", "another frame", "no frame"],
)
def test_what_is_not_that_frame_of_this_film(reel, other):
    reel.keep(0, other)
    assert reel.find(0, MADE_IN) is None


def test_what_is_damaged(reel):
    path = reel.paths()[0]
    whole = path.read_bytes()
    save_png(open_image(path) + 0.1, path, frame(0).manifest.model_dump_json())
    assert reel.find(0, MADE_IN) is None
    for damaged in (whole[:-30], whole[: len(whole) // 2], b"", b"no picture"):
        path.write_bytes(damaged)
        assert reel.find(0, MADE_IN) is None
    path.write_bytes(whole)
    assert reel.find(0, MADE_IN) is not None


@pytest.mark.parametrize(
    ("now", "said"),
    [
        ({"models": {"painter": "b" * 64}}, "model 'painter' has changed"),
        ({"inputs": {"a.png": "b" * 64}}, "picture 'a.png' was not used then"),
    ],
)
def test_other_weights_or_pictures_are_refused(reel, now, said):
    with pytest.raises(RecipeError, match=f"cannot resume .*{said}"):
        reel.find(0, MADE_IN.model_copy(update=now))


def test_another_platform_is_mentioned_once(reel):
    there = MADE_IN.model_copy(update={"platform": HERE.model_copy(update={"threads": 4})})
    assert reel.caution(reel.find(0, there).manifest, MADE_IN) == ()
    (line,) = reel.caution(reel.find(0, there).manifest, there)
    assert "threads: made with 1, here 4" in line
    assert reel.caution(reel.find(0, there).manifest, there) == ()


def test_a_folder_holds_one_film(reel, tmp_path):
    with pytest.raises(StorageError, match="another run"):
        Reel(tmp_path / "run", FILM.model_copy(update={"fps": 3}), resume=True)
    with pytest.raises(StorageError, match="another run"):
        Reel(tmp_path / "run", FILM, resume=False)


def test_without_a_folder_nothing_is_kept():
    reel = Reel(None, FILM, resume=True)
    reel.keep(0, frame(0))
    assert reel.find(0, MADE_IN) is None
    assert reel.paths() == []
