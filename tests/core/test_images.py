"""Images: value ranges, layout, and the recipe inside a PNG."""

import hashlib
import json
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from phosphene.core.errors import ImageError, RecipeError, StorageError
from phosphene.core.images import (
    MAX_RECIPE_BYTES,
    fit,
    from_pil,
    from_uint8,
    grid,
    on_white,
    opaque,
    open_image,
    pixel_hash,
    png_bytes,
    read_recipe,
    resize,
    save_png,
    to_pil,
    to_uint8,
)

sizes = st.integers(1, 9)


@st.composite
def pixels(draw, channels=(1, 3, 4)) -> Tensor:
    """uint8 pictures, c h w."""
    shape = draw(st.sampled_from(channels)), draw(sizes), draw(sizes)
    count = shape[0] * shape[1] * shape[2]
    values = draw(st.binary(min_size=count, max_size=count))
    return torch.from_numpy(np.frombuffer(values, np.uint8).copy()).view(shape)


# ---- value ranges


def test_every_byte_survives_the_round_trip():
    every = torch.arange(256, dtype=torch.uint8).view(1, 16, 16)
    assert torch.equal(to_uint8(from_uint8(every)), every)


def test_the_ends_of_the_range():
    ends = from_uint8(torch.tensor([0, 255], dtype=torch.uint8).view(1, 1, 2))
    assert ends.flatten().tolist() == [-1, 1]
    outside = torch.tensor([-9.0, -1.0, 0.0, 1.0, 9.0, torch.inf, -torch.inf]).view(1, 1, 7)
    assert to_uint8(outside).flatten().tolist() == [0, 0, 128, 255, 255, 255, 0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_any_float_can_be_written(dtype):
    images = torch.linspace(-1, 1, 48, dtype=dtype, requires_grad=True).view(1, 3, 4, 4)
    out = to_uint8(images)
    assert out.dtype == torch.uint8
    assert not out.requires_grad
    assert (out.min(), out.max()) == (0, 255)


@given(picture=pixels())
def test_pil_round_trip(picture):
    mode = {1: "L", 3: "RGB", 4: "RGBA"}[len(picture)]
    image = to_pil(from_uint8(picture))
    assert image.mode == mode
    assert image.size == (picture.shape[2], picture.shape[1])
    assert torch.equal(to_uint8(from_pil(image, mode)), picture)


@given(picture=pixels((3,)))
def test_pictures_do_not_share_memory_with_pil(picture):
    image = to_pil(from_uint8(picture))
    x = from_pil(image)
    x.fill_(0)
    assert torch.equal(to_uint8(from_pil(image)), picture)


def test_transparency_is_laid_on_white():
    clear_red = Image.new("RGBA", (2, 2), (255, 0, 0, 0))
    assert torch.equal(from_pil(clear_red), torch.ones(3, 2, 2))
    assert torch.equal(from_pil(clear_red, "L"), torch.ones(1, 2, 2))
    assert from_pil(clear_red, "RGBA")[:, 0, 0].tolist() == [1, -1, -1, -1]
    assert torch.equal(from_pil(Image.new("LA", (2, 2), (0, 0))), torch.ones(3, 2, 2))
    half = from_pil(Image.new("RGBA", (1, 1), (0, 0, 0, 128)))
    assert to_uint8(half).flatten().tolist() == [127, 127, 127]


def test_on_white_does_what_from_pil_does():
    picture = Image.new("RGBA", (2, 1), (255, 0, 128, 77))
    picture.putpixel((1, 0), (0, 255, 255, 255))
    laid = on_white(from_pil(picture, "RGBA")[None])[0]
    torch.testing.assert_close(laid, from_pil(picture), atol=1 / 127, rtol=0)
    grey = torch.tensor([[[[-1.0, 0.5]]]])
    assert torch.equal(on_white(grey), grey.expand(-1, 3, -1, -1))


def test_opaque_changes_only_what_is_transparent():
    solid = Image.new("RGB", (1, 1), "red")
    assert opaque(solid) is solid
    assert opaque(Image.new("RGBA", (1, 1), (0, 0, 0, 0))).getpixel((0, 0)) == (255, 255, 255)


# ---- size and layout


@given(h=sizes, w=sizes, height=sizes, width=sizes)
def test_resize_and_fit_give_the_size_and_the_range(h, w, height, width):
    images = torch.rand(2, 3, h, w) * 2 - 1
    for change in (resize, fit):
        out = change(images, height, width)
        assert out.shape == (2, 3, height, width)
        assert out.abs().max() <= 1


@given(h=sizes, w=sizes, height=sizes, width=sizes, grey=st.floats(-1, 1, width=32))
def test_one_colour_stays_that_colour(h, w, height, width, grey):
    out = fit(torch.full((1, 3, h, w), grey), height, width)
    torch.testing.assert_close(out, torch.full_like(out, grey), atol=1e-5, rtol=0)


def test_the_same_size_is_left_untouched():
    images = torch.rand(1, 3, 5, 7)
    assert resize(images, 5, 7) is images
    assert torch.equal(fit(images, 5, 7), images)


def test_fit_keeps_the_centre_undistorted():
    wide = torch.full((1, 3, 8, 24), -1.0)
    wide[..., 8:16] = 1.0
    assert torch.equal(fit(wide, 8, 8), torch.ones(1, 3, 8, 8))
    assert torch.equal(fit(wide.mT, 8, 8), torch.ones(1, 3, 8, 8))


def test_fit_of_a_strip_needs_little_memory():
    """Scaled up to cover 64 x 64 before cropping, this strip would take 60 GB."""
    assert fit(torch.zeros(1, 3, 1, 1_000_000), 64, 64).shape == (1, 3, 64, 64)


@given(b=st.integers(1, 12), h=sizes, w=sizes, columns=st.none() | st.integers(1, 15))
def test_grid_places_every_picture(b, h, w, columns):
    gap = 2
    images = torch.rand(b, 3, h, w) * 2 - 1
    sheet = grid(images, columns, gap)
    across = (sheet.shape[2] - gap) // (w + gap)
    down = (sheet.shape[1] - gap) // (h + gap)
    assert sheet.shape == (3, down * (h + gap) + gap, across * (w + gap) + gap)
    assert across == (min(b, columns) if columns else next(n for n in range(9) if n * n >= b))
    assert (down - 1) * across < b <= down * across
    covered = torch.zeros_like(sheet, dtype=torch.bool)
    for i in range(b):
        top, left = gap + i // across * (h + gap), gap + i % across * (w + gap)
        assert torch.equal(sheet[:, top : top + h, left : left + w], images[i])
        covered[:, top : top + h, left : left + w] = True
    assert (sheet[~covered] == 1).all()


# ---- PNG with its recipe

recipes = st.text(st.characters(codec="utf-8"), max_size=200)


@given(picture=pixels(), recipe=recipes)
def test_a_png_carries_its_picture_and_its_recipe(picture, recipe, tmp_path_factory):
    path = tmp_path_factory.mktemp("png") / "x.png"
    save_png(from_uint8(picture), path, recipe)
    assert read_recipe(path) == recipe
    mode = {1: "L", 3: "RGB", 4: "RGBA"}[len(picture)]
    assert torch.equal(to_uint8(open_image(path, mode)), picture)


@pytest.mark.parametrize(
    "prompt", ["Oregon 💚 | painting", "富士山", "مرحبا", "a\0b\x1b[31m\r\n\t", "x" * 100_000, ""]
)
def test_any_prompt_survives_in_a_png(tmp_path, prompt):
    recipe = json.dumps({"prompt": prompt}, ensure_ascii=False)
    save_png(torch.zeros(3, 4, 4), tmp_path / "x.png", recipe)
    assert json.loads(read_recipe(tmp_path / "x.png")) == {"prompt": prompt}


def test_the_largest_recipe_is_still_read(tmp_path):
    recipe = "é" * (MAX_RECIPE_BYTES // 2)
    save_png(torch.zeros(3, 4, 4), tmp_path / "x.png", recipe)
    assert read_recipe(tmp_path / "x.png") == recipe
    with pytest.raises(RecipeError, match="at most 1,000,000"):
        save_png(torch.zeros(3, 4, 4), tmp_path / "y.png", recipe + "x")
    assert not (tmp_path / "y.png").exists()


def test_the_same_picture_and_recipe_give_the_same_bytes():
    picture = torch.linspace(-1, 1, 48).view(3, 4, 4)
    assert png_bytes(picture, "{}") == png_bytes(picture.clone(), "{}")
    assert png_bytes(picture) != png_bytes(picture, "{}")


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_a_picture_made_elsewhere_has_no_recipe(tmp_path, suffix):
    path = tmp_path / f"x{suffix}"
    Image.new("RGB", (4, 4)).save(path)
    with pytest.raises(ImageError, match="carries no phosphene recipe"):
        read_recipe(path)


def test_a_picture_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="cannot write"):
        save_png(torch.zeros(3, 4, 4), tmp_path / "file" / "x.png")


# ---- identity


@given(picture=pixels())
def test_pixel_hash_follows_the_visible_picture(picture):
    image = from_uint8(picture)
    assert pixel_hash(image) == pixel_hash(image.clone().contiguous() + 1e-4)
    other = picture.clone()
    other.view(-1)[0] ^= 1
    assert pixel_hash(image) != pixel_hash(from_uint8(other))


def test_pixel_hash_knows_the_shape():
    flat = torch.zeros(3, 2, 8)
    assert pixel_hash(flat) != pixel_hash(flat.view(3, 8, 2))
    assert pixel_hash(flat.transpose(1, 2)) == pixel_hash(flat.view(3, 8, 2))


def test_pixel_hash_stays_the_same_between_versions():
    """Recipes carry it, and replay compares it."""
    expected = hashlib.sha256(b"(3, 4, 4)" + bytes([128] * 48)).hexdigest()
    assert pixel_hash(torch.zeros(3, 4, 4)) == expected


def test_reading_is_silent(tmp_path):
    save_png(torch.zeros(3, 4, 4), tmp_path / "x.png", "{}")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        open_image(tmp_path / "x.png")
    assert caught == []
