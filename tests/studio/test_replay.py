import math

import pytest
import torch
from PIL import Image, PngImagePlugin

from phosphene.core.errors import ImageError
from phosphene.core.images import save_png
from phosphene.studio.artifact import Artifact, read_artifact
from phosphene.studio.imagine import imagine
from phosphene.studio.replay import compare, replay, replaying
from tests.studio.fakes import make_zoo, tiny


def painted(zoo, path, **fields):
    """Paint the last picture of a recipe and save it."""
    *_, last = imagine(tiny(**fields), zoo)
    last.artifact.save(path)
    return path


def tampered(path, **changes):
    """Change the manifest in a PNG, not its pixels."""
    old = read_artifact(path)
    Artifact(old.image, old.manifest.model_copy(update=changes)).save(path)
    return path


@pytest.fixture
def photo(tmp_path):
    save_png(torch.zeros(3, 16, 16), tmp_path / "photo.png")
    return tmp_path / "photo.png"


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"count": 2},
        {"zoom": {"every": 2}, "prompt": "a ^ b"},
        {"width": 33, "height": 20, "video": "gif", "optimiser": "nadam"},
    ],
)
def test_the_same_picture(zoo, tmp_path, fields):
    verdict = replay(painted(zoo, tmp_path / "x.png", **fields), zoo)
    assert verdict.identical
    assert (verdict.max_difference, verdict.psnr_db, verdict.reasons) == (0, math.inf, ())


def test_a_stopped_picture_replays_to_where_it_stopped(zoo, tmp_path):
    steps = imagine(tiny(iterations=9), zoo, folder=tmp_path)
    for _ in range(4):
        next(steps)
    steps.close()
    steps = list(replaying(tmp_path / "green-heart-flat-7.png", zoo))
    assert len(steps) == 5
    assert steps[-1].verdict.identical


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fields", "made"),
    [
        ({"count": 2, "save_every": 2}, [0, 2, 4, 5] * 2),
        ({"zoom": {"every": 2, "angle": 20}, "save_every": 1}, [0, 1, 2, 3, 4, 5]),
        ({"width": 33, "height": 20, "save_every": 3}, [0, 3, 5]),
    ],
)
def test_every_saved_frame_replays(zoo, tmp_path, fields, made):
    list(imagine(tiny(iterations=5, learning_rate=2.0, **fields), zoo, folder=tmp_path))
    frames = sorted((tmp_path / "frames").rglob("*.png"))
    assert [int(frame.stem) for frame in frames] == made
    hashes = set()
    for frame in frames:
        *steps, last = replaying(frame, zoo)
        assert last.verdict.identical, frame
        assert last.verdict.reasons == ()
        assert (last.index, last.total) == (len(steps), len(steps) + 1)
        hashes.add(read_artifact(frame).manifest.pixel_sha256)
    assert len(hashes) == len(frames)


def test_a_picture_in_memory_replays(zoo):
    *_, last = imagine(tiny(), zoo)
    assert replay(last.artifact, zoo).identical


def test_other_weights_are_named(zoo, tmp_path):
    path = painted(zoo, tmp_path / "x.png")
    verdict = replay(path, make_zoo(tmp_path / "other", seed=1))
    assert not verdict.identical
    assert verdict.max_difference > 0
    assert 0 < verdict.psnr_db < 60
    assert [reason.split(" has changed")[0] for reason in verdict.reasons] == [
        "model 'tiny-judge'",
        "model 'tiny-vqgan'",
    ]


def test_a_changed_init_image_is_named(zoo, tmp_path, photo):
    path = painted(zoo, tmp_path / "x.png", init_image=str(photo))
    save_png(torch.ones(3, 16, 16), photo)
    verdict = replay(path, zoo)
    assert not verdict.identical
    assert any("photo.png" in reason and "has changed" in reason for reason in verdict.reasons)


def test_a_missing_init_image_is_one_line(zoo, tmp_path, photo):
    path = painted(zoo, tmp_path / "x.png", init_image=str(photo))
    photo.unlink()
    with pytest.raises(ImageError, match="no image at"):
        replay(path, zoo)


def test_changed_pixels_are_noticed(zoo, tmp_path):
    path = painted(zoo, tmp_path / "x.png")
    with Image.open(path) as image:
        image.load()
        info = PngImagePlugin.PngInfo()
        info.add_itxt("phosphene", image.info["phosphene"])
        red, green, blue = image.getpixel((3, 3))
        image.putpixel((3, 3), (red ^ 1, green, blue))
        image.save(path, pnginfo=info)
    verdict = replay(path, zoo)
    assert not verdict.identical
    assert verdict.max_difference == 1
    assert verdict.psnr_db == pytest.approx(10 * math.log10(255**2 * 3 * 16 * 16))
    assert verdict.reasons == ("the pixels were changed after it was made",)


def test_what_differs_is_listed_even_when_the_picture_is_the_same(zoo, tmp_path):
    path = painted(zoo, tmp_path / "x.png")
    platform = read_artifact(path).manifest.platform
    there = platform.model_copy(update={"torch": "1.0", "threads": 999, "device": "cuda:0"})
    tampered(path, phosphene="0.0.1", platform=there)
    verdict = replay(path, zoo)
    assert verdict.identical
    assert "made by phosphene 0.0.1" in verdict.reasons[0]
    assert [reason.split(":")[0] for reason in verdict.reasons[1:]] == [
        "torch",
        "threads",
        "device",
    ]


def test_it_computes_with_as_many_threads_as_then(zoo, tmp_path):
    path = painted(zoo, tmp_path / "x.png")
    platform = read_artifact(path).manifest.platform
    before = torch.get_num_threads()
    wanted = 2 if before == 1 else 1
    tampered(path, platform=platform.model_copy(update={"threads": wanted}))
    for _ in replaying(path, zoo):
        assert torch.get_num_threads() in (wanted, before)
    assert torch.get_num_threads() == before


def test_another_seed_is_another_picture(zoo, tmp_path):
    path = painted(zoo, tmp_path / "x.png")
    tampered(path, recipe=tiny(seed=8, learning_rate=0.1))
    assert not replay(path, zoo).identical


def test_models_that_only_one_of_the_two_used(zoo):
    *_, last = imagine(tiny(), zoo)
    old = last.artifact
    new = Artifact(old.image, old.manifest.model_copy(update={"models": {"else": "ab"}}))
    assert sorted(compare(old, new).reasons) == [
        "model 'else' was not used then",
        "model 'tiny-judge' is not used now",
        "model 'tiny-vqgan' is not used now",
    ]


def test_pictures_of_different_sizes(zoo):
    small, large = (list(imagine(tiny(width=w), zoo))[-1].artifact for w in (16, 20))
    verdict = compare(small, large)
    assert not verdict.identical
    assert verdict.max_difference == 255
