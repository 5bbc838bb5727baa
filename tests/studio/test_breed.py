"""Breeding carried out: sheets, files and trees that replay, and who has whose genes."""

import json

import pytest
import torch

from phosphene.core.errors import RecipeError
from phosphene.core.rng import Rng
from phosphene.explore.breed import cross, mutate
from phosphene.explore.family_tree import FamilyTree
from phosphene.explore.genes_text import genes_from
from phosphene.studio.artifact import read_artifact
from phosphene.studio.craft import Painted
from phosphene.studio.recipe import Breed
from phosphene.studio.replay import replay
from phosphene.studio.run import run
from phosphene.studio.stock import open_stock
from tests.studio.gan_kinds import KINDS, save_kind


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("gans")


def litter(model, **fields):
    given = {"model": model, "parents": ("3", "8"), "children": 3, "seed": 5}
    return Breed(**{**given, **fields})


def painted(recipe, zoo, folder=None):
    return [step for step in run(recipe, zoo, folder=folder) if isinstance(step, Painted)]


@pytest.mark.parametrize("arch", KINDS)
@pytest.mark.parametrize("layout", ["sheet", "files", "tree"])
def test_everything_replays_from_its_file(zoo, folder, tmp_path, arch, layout):
    recipe = litter(save_kind(folder, arch), layout=layout, psi=0.9)
    steps = painted(recipe, zoo)
    assert len(steps) == (3 if layout == "files" else 1)
    for number, step in enumerate(steps):
        path = tmp_path / f"{number}.png"
        step.artifact.save(path)
        assert read_artifact(path).manifest == step.artifact.manifest
        assert replay(path, zoo).identical
        assert step.artifact.manifest.seed == 5 + number


def test_a_child_is_its_parents_crossed_and_mutated(zoo, folder):
    model = save_kind(folder, "dcgan")
    (child, *_) = painted(litter(model, layout="files", mutation=0.3), zoo)
    stock = open_stock(model, zoo)
    ann, bob = stock.founder(3, {}), stock.founder(8, {})
    crossed = cross(ann, bob, Rng((5,)).fork("breed"), 0.5)
    wanted = mutate(crossed, stock.founder(5, {}), 0.3)
    genes = genes_from(child.artifact.manifest.genes)
    assert torch.equal(genes.latent.data, wanted.latent.data)
    assert torch.equal(stock.picture(wanted)[0], child.artifact.image)


def test_the_sheet_shows_parents_and_then_children(zoo, folder):
    model = save_kind(folder, "dcgan")
    recipe = litter(model, children=4, columns=2)
    (sheet,) = painted(recipe, zoo)
    children = painted(recipe.model_copy(update={"layout": "files"}), zoo)
    stock = open_stock(model, zoo)
    faces = [stock.picture(stock.founder(seed, {}))[0] for seed in (3, 8)]
    faces += [step.artifact.image for step in children]
    _, height, width = sheet.artifact.image.shape
    for number, face in enumerate(faces):
        # from the right and from below, where there are no labels
        right, low = width - (2 - number % 2) * 20, height - (3 - number // 2) * 20
        seen = sheet.artifact.image[:, low : low + 16, right : right + 16]
        assert torch.equal(seen, face), number


def test_the_tree_lies_beside_the_first_picture(zoo, folder, tmp_path):
    for layout in ("sheet", "files"):
        steps = painted(litter(save_kind(folder, "dcgan"), layout=layout), zoo, tmp_path)
        assert list(steps[0].beside) == [".tree.json"]
        assert not any(step.beside for step in steps[1:])
        tree = FamilyTree.from_json(steps[0].beside[".tree.json"].read_text())
        assert json.loads(tree.to_json()) == steps[0].artifact.manifest.recipe.family
        assert len(tree.members) == 5


def test_a_tree_is_painted_again_otherwise(zoo, folder, tmp_path):
    (first,) = painted(litter(save_kind(folder, "stylegan2"), layout="tree"), zoo, tmp_path)
    path = str(first.beside[".tree.json"])
    (same,) = painted(Breed(tree=path, seed=5), zoo)
    assert torch.equal(same.artifact.image, first.artifact.image)
    (alone,) = painted(Breed(tree=path, layout="files"), zoo)
    assert torch.equal(alone.artifact.image, first.artifact.image)
    assert replay(alone.artifact, zoo).identical
    (near,) = painted(Breed(tree=path, seed=5, psi=0.3), zoo)
    assert near.artifact.image.shape == first.artifact.image.shape
    assert not torch.equal(near.artifact.image, first.artifact.image)
    (z_tree,) = painted(litter(save_kind(folder, "dcgan")), zoo, tmp_path)
    moved = Breed(tree=str(z_tree.beside[".tree.json"]), model=save_kind(folder, "biggan"), seed=0)
    (other,) = painted(moved, zoo)
    assert not torch.equal(other.artifact.image, z_tree.artifact.image)


def test_whose_genes_a_child_has(zoo, folder):
    def notes(**fields):
        steps = run(litter(save_kind(folder, "biggan"), **fields), zoo)
        return [line for step in steps for line in step.notes]

    first, *_ = said = notes(mutation=0.0, classes=("fox", "owl"))
    assert len(said) == 3
    counts = [int(part.split()[0]) for part in first.split(": ")[1].split(", ")[:2]]
    assert sum(counts) == 12
    assert "genes of 3 fox" in first
    assert "2 classes mixed" in first
    assert "mutated" not in first
    assert "then mutated by 20%" in notes()[0]
    blended = notes(operator="blend", mutation=0.0, classes=("fox",))[0]
    assert "12 between" in blended
    by_class = notes(space="class", classes=("fox", "owl"), mutation=0.0)[0]
    assert by_class.endswith("1.00 like 3 fox, 0.62 like 8 owl") or "1.00 like 3 fox" in by_class
    assert "mutated by 20%, " in notes(parents=("3",))[0]


def test_nothing_is_painted_of_a_tree_that_cannot_grow(zoo, folder, tmp_path):
    model = save_kind(folder, "biggan")
    (sheet,) = painted(litter(model, classes=("owl",)), zoo, tmp_path)
    path = str(sheet.beside[".tree.json"])
    going = run(Breed(tree=path, model=save_kind(folder, "dcgan"), seed=0), zoo)
    with pytest.raises(Exception, match="knows no classes"):
        next(going)
    family = dict(sheet.artifact.manifest.recipe.family)
    family["members"] = [{**family["members"][0], "id": "x", "operator": "found", "found": "?"}]
    with pytest.raises(RecipeError, match="are no genes"):
        next(run(Breed(model=model, family=family, seed=0), zoo))
