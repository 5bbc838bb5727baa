import signal
from pathlib import Path

import pytest
from PIL import Image

from phosphene.studio.artifact import read_artifact
from tests.cli.conftest import TINY
from tests.studio import processes


def test_words_become_a_picture(painter):
    said = painter("Oregon 💚 | painting", "--seed", "7", "--size", "20", "16")
    assert said.code == 0, said.err
    assert said.out == "oregon-green-heart-painting-7.png\n"
    assert "watch it grow: phosphene-runs/" in said.err
    with Image.open("oregon-green-heart-painting-7.png") as image:
        assert image.size == (20, 16)


def test_every_option_reaches_the_recipe(phosphene, monkeypatch, tmp_path):
    seen = []
    monkeypatch.setattr("phosphene.cli.imagine.paint", lambda *given: seen.append(given))
    said = phosphene(
        *("imagine", "x", "--method", "vqgan-clip", "--model", "m", "-i", "9", "--size", "32"),
        *("64", "--seed", "3", "-n", "2", "--init", "a.png", "--out", "b", "--video", "gif"),
        *("--set", "tv_weight=0.5", "--set", "zoom.angle=3", "--set", "perceptors=p,q:2"),
    )
    assert said.code == 0, said.err
    recipe, out, surface = seen[0]
    assert str(out) == "b"
    assert surface.device == "cpu"
    assert recipe.model_dump(exclude_defaults=True) == {
        "prompt": "x",
        "method": "vqgan-clip",
        "model": "m",
        "iterations": 9,
        "width": 32,
        "height": 64,
        "seed": 3,
        "count": 2,
        "init_image": "a.png",
        "video": "gif",
        "tv_weight": 0.5,
        "zoom": {"angle": 3.0},
        "perceptors": ("p", "q:2"),
    }


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "no prompt"),
        (("",), "prompt: ''"),
        ((" | ^ |",), "has no words"),
        (("x" * 20_001,), "at most 20000"),
        (("x", "--size", "0", "16"), "width: 0"),
        (("x", "--size", "16", "1000000000"), "height: 1000000000"),
        (("x", "--seed", "-1"), "seed: -1"),
        (("x", "-n", "65"), "count: 65"),
        (("x", "--method", "vqgan-clop"), "did you mean 'vqgan-clip'"),
        (("x", "--model", "tiny-vqgn"), "did you mean 'tiny-vqgan'"),
        (("x", "--video", "avi"), "'mp4' or 'gif'"),
        (("x", "--init", "none.png"), "no image at 'none.png'"),
        (("x", "--init", "bad.png"), "cannot read 'bad.png'"),
        (("x", "--init", "bomb.png"), "at most 64,000,000"),
        (("x | none.png",), "no image at 'none.png'"),
        (("x", "--set", "widht=3"), "did you mean 'width'"),
        (("x", "--set", "width"), "key=value"),
        (("x", "--set", "start=retrieval"), "no sketches"),
        (("x", "--out", "bad.png/x.png"), "is not a folder"),
        (("x", "--out", "x.jpg"), "written as .png"),
        (("x", "--out", "x.png", "-n", "2"), "2 pictures need a folder"),
        (("x", "--resume", "none"), "leave the rest out"),
    ],
)
def test_mistakes_are_one_line_exit_2_and_leave_nothing_behind(
    phosphene, arguments, said, tmp_path
):
    (tmp_path / "cwd" / "bad.png").write_bytes(b"not a picture")
    Image.new("1", (9000, 9000)).save(tmp_path / "cwd" / "bomb.png")
    # what is given twice counts as the last one says; a run cannot be resumed and changed
    before = () if not arguments else TINY
    answer = phosphene("imagine", *before, *arguments)
    assert answer.code == 2
    assert said in answer.err
    assert answer.err.count("\n") == 1
    assert answer.err[:-1].isprintable()
    assert answer.out == ""
    assert sorted(p.name for p in (tmp_path / "cwd").iterdir()) == ["bad.png", "bomb.png"]


@pytest.mark.parametrize(
    "prompt", ["💚", "绿色的心", "a\x00\x1b[2J\n\tb", "a\udcffb", "x " * 5000, "a:b:c", "%s{}[/]"]
)
def test_any_text_is_a_prompt(painter, prompt):
    said = painter(prompt, "--seed", "7")
    assert said.code == 0, said.err
    assert read_artifact(Path(said.out.removesuffix("\n"))).manifest.seed == 7


def test_set_help_lists_the_fields(phosphene):
    said = phosphene("imagine", "--set", "help")
    assert said.code == 0
    assert "cut_policy = overview+inner" in said.out


@pytest.mark.slow
def test_interrupting_keeps_the_best_so_far_and_exits_130(home, tmp_path):
    arguments = ["imagine", "green heart", *TINY[:-1], "5000", "--seed", "7", "--size", "16", "16"]
    process = processes.start(arguments, tmp_path, home)
    err = processes.hit(process, signal.SIGINT, "preview.png", tmp_path)
    assert process.returncode == 130
    assert "Traceback" not in err
    (kept,) = tmp_path.glob("phosphene-runs/*/green-heart-7.png")
    assert f"best so far: {kept.relative_to(tmp_path)}" in err
    assert f"--resume {kept.parent.relative_to(tmp_path)}" in err
    manifest = read_artifact(kept).manifest
    assert 0 < manifest.iterations < 5000
    replayed = processes.run(["replay", str(kept)], tmp_path, home)
    assert replayed.stdout == "identical\n", replayed.stderr


def test_all_alternatives(painter):
    said = painter("{red|blue} (heart:1.5)", "--seed", "7", "--set", "alternatives=all")
    assert said.code == 0, said.err
    assert said.out == "red-blue-heart-1-5-7-1.png\nred-blue-heart-1-5-7-2.png\n"
    manifests = [read_artifact(Path(name)).manifest for name in said.out.split()]
    assert [m.prompt for m in manifests] == ["red (heart:1.5)", "blue (heart:1.5)"]
    said = painter("{a|b}" * 7, "--set", "alternatives=all")
    assert said.code == 2
    assert "128 combinations" in said.err
    assert said.err.count("\n") == 1
