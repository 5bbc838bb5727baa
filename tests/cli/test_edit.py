"""`phosphene edit`: sliders and sheets at the terminal."""

from pathlib import Path

import pytest

from tests.studio.gan_kinds import save_kind

FEW = ("--set", "samples=64")


@pytest.fixture
def model(phosphene):
    save_kind(Path(), "stylegan2")
    return "stylegan2.safetensors"


def test_sliders(phosphene, model):
    said = phosphene(
        *("edit", model, "--seed", "7", "-d", "pc0:2", "-d", "smile:-1.5"),
        *("--attribute", "smile=3,5,10-17/1,2", "--layers", "0-2", "--psi", "0.8", *FEW),
    )
    assert (said.code, said.out) == (0, "stylegan2-7-pc02-smile-1.5.png\n")
    assert phosphene("replay", "stylegan2-7-pc02-smile-1.5.png").out == "identical\n"


def test_a_sheet_and_what_was_made_before(phosphene, model):
    phosphene("edit", model, "--seed", "7", "-d", "sefa0:1", *FEW, "-o", "a.png")
    said = phosphene("edit", "a.png", "--sheet", *FEW, "--set", "num_directions=2")
    assert (said.code, said.out) == (0, "a-directions.png\n")
    assert phosphene("replay", "a-directions.png").out == "identical\n"


def test_a_recipe_from_a_file(phosphene, model):
    Path("e.toml").write_text(
        f'kind = "edit"\nmodel = "{model}"\nseed = 3\nsamples = 64\ndirections = ["smile:1"]\n'
        '[attributes]\nsmile = "1,2/3,4"\n'
    )
    said = phosphene("run", "e.toml", "--out", "there")
    assert (said.code, said.out) == (0, "there/stylegan2-3-smile1.png\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "directions: should name one, for example pc0:2"),
        (("-d", "smile:2"), "no direction 'smile'"),
        (("-d", "pc0:2", "--psi", "-1"), "psi: -1.0 should be greater"),
        (("-d", "pc0:2", "--layers", "9-12"), "no styles '9-12'"),
        (("--attribute", "smile", "-d", "smile"), "is not name=with/without"),
        (("--attribute", "smile=3", "-d", "smile"), "with it / without it"),
    ],
)
def test_mistakes(phosphene, model, arguments, message):
    said = phosphene("edit", model, *arguments, *FEW)
    assert said.code == 2
    assert message in said.err
    assert not list(Path().glob("*.png"))


def test_a_picture_made_elsewhere(phosphene):
    from PIL import Image

    Image.new("RGB", (8, 8)).save("other.png")
    said = phosphene("edit", "other.png", "-d", "pc0:1")
    assert said.code == 2
    assert "carries no phosphene recipe" in said.err
