"""`phosphene sheet`."""

from pathlib import Path

import pytest

from phosphene.studio.artifact import read_artifact
from tests.cli.conftest import TINY
from tests.studio.gan_zoo import save_styled


@pytest.fixture
def styled(phosphene):
    save_styled(Path("styled.safetensors"))
    return "styled.safetensors"


def test_a_truncation_sheet(phosphene, styled):
    said = phosphene("sheet", styled, "--vary", "psi=0:1:3", "--seeds", "4-5")
    assert (said.code, said.out) == (0, "styled-by-truncation-psi-and-seed-4.png\n")
    assert phosphene("replay", said.out.strip()).out == "identical\n"


def test_words_against_styles(phosphene):
    tiny = ("--vary", "style=flat,neon", "--vary", "prompt=a,b", "--seed", "7", "-o", "x.png")
    settings = [part for part in TINY if "=" in part]
    changes = [word for setting in [*settings, "iterations=1"] for word in ("--set", setting)]
    said = phosphene("sheet", "tiny-vqgan", *tiny, *changes)
    assert (said.code, said.out) == (0, "x.png\n"), said.err
    assert phosphene("replay", "x.png").out == "identical\n"


def test_fields_are_listed(phosphene):
    assert "truncation_psi" in phosphene("sheet", "--set", "help").out
    assert "num_cutouts" in phosphene("sheet", "--prompt", "x", "--set", "help").out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "nothing varies; for example: --vary psi=0:1:6"),
        (("--vary", "psi"), "vary: 'psi' should be as psi=0:1:6"),
        (("--vary", "sed=1-2"), "unknown key 'sed'; did you mean 'seed'"),
        (("--vary", "psi=-1:1:3"), "truncation_psi: '-1' should be greater"),
        (("--vary", "style=flat"), "a style follows a prompt"),
        (("--vary", "seed=1", "--set", "count=2"), "of: should ask for one picture"),
        (("--prompts", " ; ", "--styles", "flat"), "prompt takes 0 values"),
        (("--prompts", "a", "--styles", "b", "--seeds", "1-2"), "vary:"),
        (("--vary", "seed=1", "--set", "sed=2"), "unknown key 'sed'"),
    ],
)
def test_mistakes(phosphene, styled, arguments, message):
    said = phosphene("sheet", styled, *arguments)
    assert said.code == 2
    assert message in said.err
    assert not list(Path().glob("*.png"))


def test_prompts_and_styles(phosphene):
    settings = [part for part in TINY if "=" in part]
    changes = [word for setting in [*settings, "iterations=1"] for word in ("--set", setting)]
    lists = ("--prompts", "red apple; dog, face", "--styles", "painting; neon; mosaic")
    said = phosphene("sheet", "tiny-vqgan", *lists, "--seed", "7", *changes)
    assert said.code == 0, said.err
    assert said.out == "red-apple-dog-face-by-style-and-prompt-7.png\n"
    recipe = read_artifact(Path(said.out.strip())).manifest.recipe
    assert [(axis.field, axis.values) for axis in recipe.vary] == [
        ("style", ("painting", "neon", "mosaic")),
        ("prompt", ("red apple", "dog, face")),
    ]
    assert phosphene("replay", said.out.strip()).out == "identical\n"
