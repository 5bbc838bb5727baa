import io

import pytest
from PIL import Image

from phosphene.core.errors import RecipeError
from phosphene.studio.artifact import read_artifact
from phosphene.studio.picture import Picture, imagine
from tests.studio.fakes import tiny

FIELDS = tiny().model_dump(exclude={"kind", "prompt", "seed"})


@pytest.fixture(scope="module")
def picture(zoo) -> Picture:
    return imagine("green heart | flat", seed=7, zoo=zoo, **FIELDS)


def test_it_is_an_image_that_knows_its_recipe(picture):
    assert picture.image.size == (16, 16)
    assert picture.image.mode == "RGB"
    assert picture.seed == 7
    assert picture.recipe.prompt == "green heart | flat"
    assert picture.recipe.iterations == 6
    assert repr(picture) == "<Picture 'green heart | flat', seed 7, 16 x 16 px>"


def test_it_shows_itself_in_a_notebook(picture):
    with Image.open(io.BytesIO(picture._repr_png_())) as shown:
        assert shown.format == "PNG"
        assert shown.convert("RGB").tobytes() == picture.image.tobytes()


def test_it_is_saved_with_its_recipe(picture, tmp_path):
    path = picture.save(str(tmp_path / "heart.png"))
    assert read_artifact(path).manifest == picture.manifest
    with pytest.raises(RecipeError, match="to carry their recipe"):
        picture.save(tmp_path / "heart.jpg")


def test_it_replays(picture, zoo):
    assert picture.replay(zoo).identical


def test_a_seed_is_drawn(zoo):
    a, b = (imagine("x", zoo=zoo, **{**FIELDS, "iterations": 1}) for _ in range(2))
    assert a.seed != b.seed


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"iteratons": 3}, "did you mean 'iterations'"),
        ({"width": 0}, "width: 0 should be"),
        ({"count": 2}, "one picture"),
    ],
)
def test_mistakes(zoo, fields, said):
    with pytest.raises(RecipeError, match=said):
        imagine("x", zoo=zoo, **fields)


def test_one_picture_is_not_all_alternatives(zoo):
    with pytest.raises(RecipeError, match="gives one picture"):
        imagine("{a|b}", zoo=zoo, **{**FIELDS, "alternatives": "all"})
