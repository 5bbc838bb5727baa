"""`phosphene walk`: strip, film, frames, and what a mistake costs."""

from pathlib import Path

import pytest
from PIL import Image

from tests.studio.gan_zoo import save_generator


@pytest.fixture
def animals(phosphene):
    save_generator(Path("animals.safetensors"), ("fox", "owl"))
    return "animals.safetensors"


def test_a_strip_a_film_and_frames(phosphene, animals):
    asked = ("walk", animals, "breed(fox, owl)", "--seed", "4", "-n", "6")
    said = phosphene(*asked, "--video", "gif", "--frames")
    assert said.code == 0, said.err
    assert said.out.split() == ["animals-walk-4.png", "animals-walk-4.gif", "animals-walk-4-frames"]
    assert "phosphene: speed: uneven by " in said.err
    with Image.open("animals-walk-4.gif") as film:
        assert film.n_frames == 6
    for path in ("animals-walk-4.png", "animals-walk-4-frames/000003.png"):
        again = phosphene("replay", path)
        assert (again.code, again.out) == (0, "identical\n")
    # the same walk again takes its own place, another one does not
    assert phosphene(*asked, "--video", "gif", "--frames").out == said.out
    other = phosphene(*asked, "--video", "gif", "--psi", "1", "--uneven")
    assert other.code == 2
    other = phosphene(*asked, "--video", "gif", "--threshold", "1", "--uneven")
    assert other.out.split() == ["animals-walk-4-2.png", "animals-walk-4-2.gif"]


def test_a_walk_from_a_file(phosphene, animals):
    Path("w.toml").write_text(
        f'kind = "walk"\nmodel = "{animals}"\nseed = 3\nnum_frames = 4\neven = false\n'
        '[path]\nloop = true\n[path.tracks]\nz = ["7", "8"]\n'
    )
    said = phosphene("run", "w.toml", "-o", "there", "--set", "num_shown=2")
    assert (said.code, said.out) == (0, "there/animals-walk-3.png\n")
    with Image.open("there/animals-walk-3.png") as strip:
        assert strip.size == (38, 20)


def test_fields_are_listed(phosphene):
    said = phosphene("walk", "--set", "help")
    assert said.code == 0
    assert "num_frames = 60" in said.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("zz = 7 ~ 8",), "unknown track 'zz'; did you mean 'z'?"),
        (("loop",), "a path with no keyframes leads nowhere"),
        (("z = ",), "ends too early"),
        (("class = fox ~ dog",), "no class 'dog'"),
        (("psi = -1 ~ 1",), "psi is -1"),
        (("psi = 1 ~ 0",), "this model has no styles"),
        (("breed(fox)",), "breed got 1 arguments; write breed(fox, owl)"),
        (("z = 1 ~ 2", "--psi", "-1"), "truncation_psi: -1.0 should be greater"),
        (("z = 1 ~ 2", "-n", "0"), "num_frames: 0 should be greater"),
        (("z = 1 ~ 2", "-n", "1000000000"), "num_frames: 1000000000 should be less"),
        (("z = 1 ~ 2", "-o", "x.mp4"), "written as .png, to carry their recipe"),
        (("z = 1 ~ 2", "-o", "animals.safetensors/x.png"), "is not a folder"),
        (("z = 1 ~ 2", "--video", "avi"), "video: 'avi'"),
    ],
)
def test_mistakes(phosphene, animals, arguments, message):
    said = phosphene("walk", animals, *arguments)
    assert said.code == 2
    assert message in said.err
    assert said.err.strip().splitlines()[-1].startswith("phosphene: ")
    assert [path.name for path in Path().iterdir()] == ["animals.safetensors"]
