"""`phosphene variations`: the words of the picture, or those given."""

from pathlib import Path

import pytest
import torch

from phosphene.core.images import save_png
from phosphene.studio.artifact import read_artifact

TINY = ("--model", "tiny-diffusion", "-n", "2", "--seed", "3", "--iterations", "4")


@pytest.fixture
def vary(phosphene):
    return lambda *arguments: phosphene("variations", *arguments, *TINY)


def test_any_picture_with_words(vary):
    save_png(torch.zeros(3, 20, 20), Path("a.png"))
    said = vary("a.png", "--prompt", "a fox", "--strength", "0.5")
    assert said.code == 0, said.err
    assert said.out.split() == ["a-fox-3.png", "a-fox-4.png"]
    recipe = read_artifact(Path("a-fox-3.png")).manifest.recipe
    assert (recipe.method, recipe.strength, recipe.init_image) == ("diffusion", 0.5, "a.png")


def test_the_words_that_it_carries(vary, phosphene):
    first = phosphene(
        *("imagine", "a {red|blue} fox", "--method", "diffusion", "--model", "tiny-diffusion"),
        *("-i", "2", "--seed", "1", "--out", "first.png"),
    )
    assert first.code == 0, first.err
    said = vary("first.png")
    assert said.code == 0, said.err
    prompt = read_artifact(Path(said.out.split()[0])).manifest.recipe.prompt
    assert prompt in ("a red fox", "a blue fox")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("gone.png",), "no image at 'gone.png'"),
        (("plain.png",), "say it with --prompt"),
        (("plain.png", "--prompt", "x", "--strength", "0"), "strength: 0"),
        (
            ("plain.png", "--prompt", "x", "--method", "gan-clip", "--strength", "0.5"),
            "strength: gan-clip does not denoise",
        ),
    ],
)
def test_mistakes_are_one_line(vary, arguments, line):
    save_png(torch.zeros(3, 20, 20), Path("plain.png"))
    said = vary(*arguments)
    assert said.code == 2
    assert len(said.err.splitlines()) == 1
    assert line in said.err
