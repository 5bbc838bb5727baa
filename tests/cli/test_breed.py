"""`phosphene breed`: from seeds to grandchildren at the terminal."""

from pathlib import Path

import pytest

from phosphene.studio.artifact import read_artifact
from tests.studio.gan_kinds import save_kind


@pytest.fixture
def model(phosphene):
    save_kind(Path(), "dcgan")
    return "dcgan.safetensors"


def test_a_sheet_with_its_tree(phosphene, model):
    said = phosphene("breed", model, "--parents", "3,8", "-n", "4", "--seed", "1")
    assert said.code == 0
    assert said.out == "dcgan-3x8-children.png\ndcgan-3x8-children.tree.json\n"
    assert "child 4 (" in said.err
    again = phosphene("replay", "dcgan-3x8-children.png")
    assert (again.code, again.out) == (0, "identical\n")


def test_children_of_children(phosphene, model):
    phosphene("breed", model, "--parents", "3,8", "-n", "2", "--seed", "1", "--layout", "files")
    said = phosphene(
        "breed", "--parents", "dcgan-3x8-2.png,5", "-n", "2", "--seed", "2", "-o", "next.png"
    )
    assert (said.code, said.out) == (0, "next.png\nnext.tree.json\n")
    Path("dcgan-3x8-2.png").unlink()
    assert phosphene("replay", "next.png").out == "identical\n"
    third = phosphene("breed", "--parents", "next.png:1,next.png:2", "-n", "1", "-o", "third.png")
    assert third.code == 0
    family = read_artifact(Path("third.png")).manifest.recipe.family
    assert len(family["members"]) == 7


def test_a_tree_at_another_psi(phosphene, model):
    phosphene("breed", model, "--parents", "3,8", "-n", "2", "--seed", "1", "-o", "a.png")
    said = phosphene("breed", "--tree", "a.tree.json", "--set", "psi=0.5", "-o", "b.png")
    assert (said.code, said.out) == (0, "b.png\nb.tree.json\n")
    assert Path("b.tree.json").read_text() == Path("a.tree.json").read_text()
    assert read_artifact(Path("b.png")).manifest.recipe.psi == 0.5


def test_the_fields_are_told(phosphene):
    assert "mutation = 0.2" in phosphene("breed", "--set", "help").out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "parents: should be two or more"),
        (("--parents", "3,nobody.png"), "no image at 'nobody.png'"),
        (("--parents", "3,other.png"), "carries no phosphene recipe"),
        (("--parents", "3,fox.png"), "parents of different models do not breed"),
        (("--parents", "3,8", "--set", "psi=-1"), "psi: '-1' should be greater than or equal"),
        (("--parents", "3,8", "--space", "w"), "has no styles"),
        (("--parents", "3,8", "--space", "u"), "space: 'u'"),
        (("--tree", "none.json"), "cannot read the family tree"),
        (("--parents", "3,8", "--layout", "files", "-o", "x.png"), "8 pictures need a folder"),
        (("--parents", "3,8", "--set", "mutate=1"), "did you mean 'mutation'"),
    ],
)
def test_mistakes(phosphene, model, arguments, message):
    from PIL import Image

    Image.new("RGB", (8, 8)).save("other.png")
    save_kind(Path(), "biggan")
    assert phosphene("sample", "biggan.safetensors", "--seed", "1", "-o", "fox.png").code == 0
    before = sorted(path.name for path in Path().iterdir())
    said = phosphene("breed", model, *arguments)
    assert said.code == 2
    assert message in said.err
    assert said.err.strip().splitlines()[-1].startswith("phosphene: ")
    assert sorted(path.name for path in Path().iterdir()) == before
