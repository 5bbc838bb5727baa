"""`phosphene sample`: where pictures go, and what a mistake costs."""

from pathlib import Path

import pytest
from PIL import Image

from tests.studio.gan_zoo import save_generator


def size_of(path):
    with Image.open(path) as image:
        return image.size


@pytest.fixture
def animals(phosphene):
    save_generator(Path("animals.safetensors"), ("fox", "owl"))
    return "animals.safetensors"


def test_files(phosphene, animals):
    said = phosphene("sample", animals, "-n", "2", "--seed", "4", "--classes", "owl")
    assert (said.code, said.out) == (0, "animals-4.png\nanimals-5.png\n")
    assert size_of("animals-4.png") == (16, 16)
    again = phosphene("replay", "animals-5.png")
    assert (again.code, again.out) == (0, "identical\n")


def test_other_pictures_are_not_overwritten(phosphene, animals):
    for name in ("fox", "owl", "fox"):
        said = phosphene("sample", animals, "--seed", "4", "--classes", name)
        assert said.code == 0
    assert said.out == "animals-4.png\n"  # the same picture again took its own place
    assert sorted(path.name for path in Path().glob("*.png")) == [
        "animals-4-2.png",
        "animals-4.png",
    ]


def test_a_grid(phosphene, animals):
    said = phosphene("sample", animals, "--seeds", "0-2,7", "--grid")
    assert (said.code, said.out) == (0, "animals-0-grid.png\n")
    assert size_of("animals-0-grid.png") == (38, 38)
    said = phosphene(
        "sample", animals, "-n", "2", "--grid", "-o", "out/x.png", "--set", "columns=2"
    )
    assert (said.code, said.out) == (0, "out/x.png\n")
    assert size_of("out/x.png") == (38, 20)


def test_a_recipe_from_a_file(phosphene, animals):
    Path("s.toml").write_text(f'kind = "sample"\nmodel = "{animals}"\nseed = 3\ncount = 2\n')
    said = phosphene("run", "s.toml", "--out", "there")
    assert (said.code, said.out) == (0, "there/animals-3.png\nthere/animals-4.png\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--classes", "dog"), "no class 'dog'"),
        (("--seeds", "x"), "seeds: should be seeds and ranges"),
        (("-n", "2", "-o", "x.png"), "2 pictures need a folder; or ask for a --grid"),
        (("-o", "x.jpg"), "written as .png"),
        (("--set", "psi=1"), "unknown key 'psi'"),
    ],
)
def test_mistakes(phosphene, animals, arguments, message):
    said = phosphene("sample", animals, *arguments)
    assert said.code == 2
    assert message in said.err
    assert said.err.strip().splitlines()[-1].startswith("phosphene: ")
    assert not list(Path().glob("*.png"))
