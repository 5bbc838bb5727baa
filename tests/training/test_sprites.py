import json

import numpy as np
import pytest
from PIL import Image, ImageDraw

from phosphene.core.errors import ImageError, RecipeError
from phosphene.training.sprites import RECOLOURS, SpriteShelf, Subject, read_subjects, recolour


def disc(colour):
    image = Image.new("RGBA", (32, 32))
    ImageDraw.Draw(image).ellipse((2, 2, 29, 29), fill=colour)
    return image


def subject(label, group="objects", subgroup="tool", names=()):
    return Subject(label, label, names, (), group, subgroup, ("flat",), False)


def test_sprites_are_cropped_measured_and_kept(emoji_set):
    shelf = SpriteShelf(emoji_set)
    gift = shelf.sprite("flat", "wrapped-gift")
    assert max(gift.image.size) < 48
    assert gift.image.getchannel("A").getbbox() == (0, 0, *gift.image.size)
    assert gift.colour[2] > gift.colour[0]
    assert gift.vividness > 0.9
    assert shelf.sprite("flat", "wrapped-gift") is gift


def test_a_missing_sprite_is_an_image_error(emoji_set):
    with pytest.raises(ImageError, match="no image at"):
        SpriteShelf(emoji_set).sprite("flat", "unheard-of")


def test_grey_is_not_vivid(tmp_path):
    folder = tmp_path / "sprites" / "flat"
    folder.mkdir(parents=True)
    disc((130, 130, 130, 255)).save(folder / "coin.png")
    assert SpriteShelf(tmp_path).sprite("flat", "coin").vividness == 0


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("red", "r>g r>b"),
        ("green", "g>r g>b"),
        ("blue", "b>r b>g"),
        ("purple", "r>g b>g"),
        ("yellow", "r>b g>b"),
        ("golden", "r>b g>b"),
        ("turquoise", "g>r b>r"),
        ("pink", "r>g b>g"),
        ("orange", "r>g g>b"),
    ],
)
@pytest.mark.parametrize("before", [(220, 60, 50, 255), (40, 90, 210, 255)])
def test_recolouring_gives_the_named_colour(name, expected, before):
    pixel = np.asarray(recolour(disc(before), name))[16, 16].astype(int)
    value = dict(zip("rgb", pixel, strict=False))
    for claim in expected.split():
        assert value[claim[0]] > value[claim[2]] + 20, (name, pixel)


@pytest.mark.parametrize("name", RECOLOURS)
def test_recolouring_keeps_the_outline_and_greys(name):
    image = disc((220, 60, 50, 255))
    ImageDraw.Draw(image).rectangle((12, 12, 19, 19), fill=(128, 128, 128, 255))
    painted = recolour(image, name)
    assert painted.mode == "RGBA"
    assert painted.getchannel("A").tobytes() == image.getchannel("A").tobytes()
    grey = np.asarray(painted)[16, 16, :3].astype(int)
    assert np.ptp(grey) <= 4


def test_black_and_white_has_no_colour():
    pixels = np.asarray(recolour(disc((220, 60, 50, 255)), "black and white"))
    assert np.ptp(pixels[16, 16, :3]) == 0


def test_a_rainbow_has_many():
    pixels = np.asarray(recolour(disc((220, 60, 50, 255)), "rainbow").convert("RGB").convert("HSV"))
    assert np.ptp(pixels[16, 4:28, 0].astype(int)) > 60


def test_colours_already_told_stay():
    assert subject("green apple").coloured
    assert subject("apple", names=("red fruit",)).coloured
    assert subject("waving hand", "people-body").coloured
    assert not subject("dog face").coloured


def test_what_has_a_side_is_not_mirrored():
    assert not subject("left-facing fist").mirrors
    assert not subject("memo", subgroup="book-paper").mirrors
    assert subject("dog face").mirrors


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"version": 1}', '{"version": 1, "concepts": {"a": {}}}']
)
def test_a_broken_index_is_one_line(tmp_path, content):
    (tmp_path / "index.json").write_text(content)
    with pytest.raises(RecipeError, match="no emoji set at"):
        read_subjects(tmp_path)


def test_another_version_is_refused(tmp_path):
    (tmp_path / "index.json").write_text(json.dumps({"version": 2, "concepts": {}}))
    with pytest.raises(RecipeError, match="version 2"):
        read_subjects(tmp_path)
