import numpy as np
import pytest
import torch
from PIL import Image

from phosphene.core.errors import ImageError, RecipeError
from phosphene.training.example import Example
from phosphene.training.pictures import (
    PictureSource,
    clean_caption,
    decode,
    demand_split,
    in_split,
)


class Flaky(PictureSource):
    """Five pictures, some of which do not decode."""

    def __init__(self, broken):
        super().__init__(8)
        self.broken, self.reads = broken, []

    def __len__(self):
        return 5

    def read(self, index):
        self.reads.append(index)
        if index in self.broken:
            raise ImageError(f"cannot read {index}")
        return Example(torch.zeros(3, 8, 8, dtype=torch.uint8), str(index), str(index))


def test_the_next_readable_picture_stands_in():
    source = Flaky({1, 2, 4})
    assert [source.example(i).caption for i in range(5)] == ["0", "3", "3", "3", "0"]
    assert source.skipped == {"broken inside": 3}
    source.example(1)
    assert source.reads.count(1) == 1, "a broken file is not tried again"


def test_nothing_readable_is_one_line():
    with pytest.raises(RecipeError, match="none of the 5 pictures can be decoded"):
        Flaky({0, 1, 2, 3, 4}).example(2)


@pytest.mark.parametrize("index", [-1, 5])
def test_indices_out_of_range(index):
    with pytest.raises(IndexError, match="5 pictures"):
        Flaky(set()).example(index)


def test_captions_become_one_line():
    assert clean_caption(" a dog\n\ton  grass \n", "x") == "a dog on grass"
    assert clean_caption(" \n", "big-red_dog") == "big red dog"
    assert len(clean_caption("word " * 1000, "x")) == 1000


def test_splits_share_no_picture_and_lose_none():
    keys = [f"picture-{i}" for i in range(2000)]
    train = {k for k in keys if in_split(k, 2000, "train")}
    held = {k for k in keys if in_split(k, 2000, "held-out")}
    assert train | held == set(keys)
    assert not train & held
    assert 60 < len(held) < 140
    assert all(in_split(k, 2000, "all") for k in keys)


def test_few_pictures_all_train():
    assert all(in_split(f"{i}", 99, "train") for i in range(99))
    assert not any(in_split(f"{i}", 99, "held-out") for i in range(99))


def test_decoding_covers_the_square(tmp_path):
    pixels = np.zeros((10, 30, 3), np.uint8)
    pixels[:, 10:20] = (255, 0, 0)
    Image.fromarray(pixels).save(tmp_path / "x.png")
    image = decode(tmp_path / "x.png", 10)
    assert image.shape == (3, 10, 10)
    assert image.dtype == torch.uint8
    assert image[0].min() == 255
    assert image[1:].max() == 0


def test_requests_out_of_range():
    demand_split("train", 64)
    with pytest.raises(RecipeError, match="unknown split 'test'"):
        demand_split("test", 64)
    with pytest.raises(RecipeError, match="size 4 is out of range"):
        demand_split("train", 4)
