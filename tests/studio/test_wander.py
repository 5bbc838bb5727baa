"""Wandering, from Python."""

import gc

import pytest
from PIL import Image

import phosphene
from phosphene.core.errors import RecipeError
from tests.studio.gan_zoo import gan_zoo, save_styled


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    home = tmp_path_factory.mktemp("gans")
    zoo, animals, _ = gan_zoo(home)
    return zoo, animals, str(save_styled(home / "styled.safetensors"))


def test_walk(models, tmp_path):
    zoo, animals, _ = models
    fields = {"num_frames": 4, "even": False, "video": "gif", "keep_frames": True}
    strip = phosphene.walk(animals, "breed(fox, owl)", seed=3, zoo=zoo, **fields)
    assert strip.image.size == (4 * 18 + 2, 20)
    assert repr(strip) == "<Picture 'animals walk', seed 3, 74 x 20 px>"
    strip.save(tmp_path / "a" / "x.png")
    strip.save(tmp_path / "b" / "y.png")
    with Image.open(tmp_path / "a" / "x.gif") as film:
        assert film.n_frames == 4
    assert len(list((tmp_path / "b" / "y-frames").iterdir())) == 4
    assert strip.replay(zoo).identical


def test_its_files_are_there_as_long_as_the_picture(models):
    zoo, animals, _ = models
    strip = phosphene.walk(animals, "z = 1 ~ 2", zoo=zoo, num_frames=2, even=False, video="gif")
    folder = strip._shelf.path
    assert folder.is_dir()
    del strip
    gc.collect()
    assert not folder.exists()


def test_where_no_path_is_named_it_goes_from_the_seed_and_back(models):
    zoo, animals, _ = models
    strip = phosphene.walk(animals, seed=3, zoo=zoo, num_frames=2, even=False)
    assert strip.recipe.path == "z = 3 ~ 4 ~ 5 ~ 6 : curve; loop"


def test_mix(models):
    zoo, _, styled = models
    made = phosphene.mix(styled, [1, 2], "5-6", "0-1", zoo=zoo, truncation_psi=0.5)
    assert made.recipe.rows == "1,2"
    assert made.replay(zoo).identical


def test_sheet(models):
    zoo, _, styled = models
    made = phosphene.sheet("psi=0:1:2", "seed=0-1", model=styled, zoo=zoo)
    assert made.recipe.of.model == styled
    assert made.replay(zoo).identical
    with pytest.raises(RecipeError, match="did you mean 'truncation_psi'"):
        phosphene.sheet("seed=0-1", model=styled, zoo=zoo, trunkation_psi=0.5)
