"""Walks that begin where a picture is."""

import pytest
import torch

from phosphene.core.errors import ImageError, RecipeError
from phosphene.studio.craft import Painted
from phosphene.studio.recipe import Breed, Edit, Sample, Walk
from phosphene.studio.replay import replay
from phosphene.studio.run import run
from tests.studio.gan_kinds import save_kind


def last(recipe, zoo):
    *_, step = run(recipe, zoo)
    assert isinstance(step, Painted)
    return step.artifact


def stroll(model, path):
    return Walk(model=model, path=path, seed=1, num_frames=3, num_shown=3, even=False)


@pytest.mark.parametrize("arch", ["dcgan", "stylegan2"])
def test_a_walk_begins_at_a_picture_and_replays(zoo, tmp_path, arch):
    model = save_kind(tmp_path, arch)
    child = last(Breed(model=model, parents=("3", "4"), children=1, seed=2, layout="files"), zoo)
    child.save(tmp_path / "a.png")
    track = "z" if arch == "dcgan" else "w"
    strip = last(stroll(model, f'{track} = "{tmp_path / "a.png"}" ~ 8'), zoo)
    first = strip.image[:, 2:18, 2:18]
    torch.testing.assert_close(first, child.image, atol=1e-4, rtol=1e-4)
    assert list(strip.manifest.inputs) == [str(tmp_path / "a.png")]
    assert replay(strip, zoo).identical


def test_a_sample_is_its_seed(zoo, tmp_path):
    model = save_kind(tmp_path, "dcgan")
    last(Sample(model=model, seed=5), zoo).save(tmp_path / "five.png")
    by_picture = last(stroll(model, f'z = "{tmp_path / "five.png"}" ~ 8'), zoo)
    assert torch.equal(by_picture.image, last(stroll(model, "z = 5 ~ 8"), zoo).image)


def test_mistakes(zoo, tmp_path):
    model = save_kind(tmp_path, "dcgan")
    with pytest.raises(ImageError, match=r"cannot read 'none\.png'"):
        last(stroll(model, "z = none.png ~ 8"), zoo)
    other = save_kind(tmp_path, "biggan")
    last(Sample(model=other, seed=5), zoo).save(tmp_path / "fox.png")
    with pytest.raises(RecipeError, match="is of the model"):
        last(stroll(model, f'z = "{tmp_path / "fox.png"}" ~ 8'), zoo)
    with pytest.raises(RecipeError, match="is no seed"):
        last(stroll(model, "noise = a.png"), zoo)


@pytest.mark.parametrize("arch", ["dcgan", "stylegan2"])
def test_a_walk_moves_along_the_directions_that_edit_finds(zoo, tmp_path, arch):
    model = save_kind(tmp_path, arch)
    noise = "; noise = 5" if arch == "stylegan2" else ""
    moved = last(stroll(model, f"z = 5; move = 0*pc0 ~ 2*pc1 - 0.5*sefa0{noise}"), zoo)
    edited = last(Edit(model=model, seed=5, directions=("pc1:2", "sefa0:-0.5")), zoo)
    side = edited.image.shape[-1]
    torch.testing.assert_close(moved.image[:, 2 : 2 + side, -2 - side : -2], edited.image)
    plain = last(Sample(model=model, seed=5), zoo)
    torch.testing.assert_close(moved.image[:, 2 : 2 + side, 2 : 2 + side], plain.image)
    assert (edited.image - plain.image).abs().max() > 0.01
    assert replay(moved, zoo).identical
    with pytest.raises(RecipeError, match="directions of"):
        last(stroll(model, "move = pc9000"), zoo)
