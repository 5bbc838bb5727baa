"""`phosphene animate`: a strip with its film beside it, and what is an option."""

from pathlib import Path

import pytest
from PIL import Image

from phosphene.studio.artifact import read_artifact

TINY = (
    *("--model", "tiny-vqgan", "--perceptors", "tiny-judge", "--num-cutouts", "2"),
    *("--iterations", "3", "-n", "3", "--seed", "7", "--video", "gif"),
)


@pytest.mark.slow
def test_a_film_beside_its_strip(phosphene):
    said = phosphene("animate", "fox", "--prompts", "2: an owl", "--shift-x", "0:0, 2:4", *TINY)
    assert said.code == 0, said.err
    assert said.out.split() == [
        "fox-to-an-owl-animation-7.png",
        "fox-to-an-owl-animation-7.gif",
    ]
    with Image.open("fox-to-an-owl-animation-7.gif") as film:
        assert film.n_frames == 3
    recipe = read_artifact(Path("fox-to-an-owl-animation-7.png")).manifest.recipe
    assert (recipe.shift_x, recipe.prompts, recipe.of.model) == (
        "0:0, 2:4",
        {2: "an owl"},
        "tiny-vqgan",
    )
    assert phosphene("replay", "fox-to-an-owl-animation-7.png").out == "identical\n"
    assert not Path("phosphene-runs").exists()


def test_words_of_frame_0_are_a_prompt(phosphene):
    said = phosphene(
        *("animate", "--prompts", "0: fox; 1: owl", "--of.method", "diffusion", "-n", "2"),
        *("--model", "tiny-diffusion", "--set", "of.iterations=4", "--strength", "0:1, 1:0.5"),
        *("--zoom", "1.1", "--angle", "-5", "--seed", "1", "-o", "x.png", "--keep-frames", "true"),
    )
    assert said.code == 0, said.err
    assert said.out.split() == ["x.png", "x.mp4", "x-frames"]
    assert phosphene("replay", "x-frames/000001.png").out == "identical\n"
    recipe = read_artifact(Path("x.png")).manifest.recipe
    assert (recipe.strength, recipe.angle, recipe.of.strength) == ("0:1, 1:0.5", "-5", 0.6)


def test_from_a_file(phosphene):
    Path("x.toml").write_text(
        'kind = "animate"\nnum_frames = 2\nvideo = "gif"\nprompts = { 0 = "fox" }\n'
        '[of]\nmodel = "tiny-vqgan"\nperceptors = ["tiny-judge"]\niterations = 2\n'
        "num_cutouts = 2\nseed = 3\n"
    )
    said = phosphene("run", "x.toml", "--set", "zoom=1.1")
    assert said.code == 0, said.err
    assert said.out.split() == ["fox-animation-3.png", "fox-animation-3.gif"]
    assert not Path("phosphene-runs").exists()


def test_fields_are_listed(phosphene):
    lines = phosphene("animate", "--set", "help").out.splitlines()
    assert "shift_x = 0" in lines
    assert "prompts = {}" in lines
    assert "num_cutouts = None" in lines
    assert len([line for line in lines if line.startswith("strength")]) == 1


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ((), "no prompt; for example: phosphene animate 'a fox'"),
        (("fox", "--zoom", "fast"), "zoom: 'fast' should be a number, or keyframes"),
        (("fox", "--strength", "0:2"), "strength: 2 at frame 0 should be above 0, up to 1"),
        (("fox", "--prompts", "owl"), "prompts: 'owl' should be a frame and its words"),
        (("--prompts", "3: owl"), "'of.prompt' is missing"),
        (("fox", "--method", "gan-clip"), "of.method: gan-clip cannot go on from a picture"),
        (("fox", "--method", "magic"), "of.method: 'magic'"),
        (("fox", "-n", "0"), "num_frames: 0"),
        (("fox", "--fps", "99"), "fps: '99'"),
        (("fox", "--of.sed", "9"), "unknown key 'sed'; did you mean 'seed'"),
        (("fox", "--shift-z", "9"), "No such option: --shift-z"),
        (("fox", "--set", "of.zoom.angle=3"), "of.zoom: should be left out"),
        (("fox", "-o", "x.mp4"), "pictures are written as .png"),
        (("fox", "--model", "nobody"), "nobody"),
        (("fox", "--resume", "x"), "--resume goes on with the run's own recipe"),
        (("--resume", "x"), "'x' holds no run"),
    ],
)
def test_mistakes_are_one_line(phosphene, arguments, line):
    said = phosphene("animate", *arguments)
    assert said.code in (1, 2)
    assert line in said.err
    assert len(said.err.splitlines()) == 1
    assert not Path("phosphene-runs").exists()
