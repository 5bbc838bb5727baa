"""Breeding recipes completed: one model, one space, everybody named, nothing left outside."""

import json

import pytest

from phosphene.core.errors import RecipeError
from phosphene.core.latent import Space
from phosphene.explore.breed import likeness
from phosphene.explore.family_tree import Nursery
from phosphene.studio.craft import Painted
from phosphene.studio.pedigree import completed, family_of
from phosphene.studio.recipe import Breed, Edit
from phosphene.studio.replay import replay
from phosphene.studio.run import run
from tests.studio.gan_kinds import save_kind


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("gans")


def litter(model, **fields):
    given = {"model": model, "parents": ("3", "8"), "children": 2, "seed": 5}
    return Breed(**{**given, **fields})


def saved(recipe, zoo, path):
    step = next(step for step in run(recipe, zoo) if isinstance(step, Painted))
    step.artifact.save(path)
    return str(path)


def test_children_of_seeds(zoo, folder):
    recipe, stock = completed(litter(save_kind(folder, "dcgan")), zoo)
    tree = family_of(recipe)
    assert [m.id for m in tree.members] == ["3", "8", *recipe.born]
    for number, name in enumerate(recipe.born):
        child = tree.member(name)
        assert (child.operator, child.parents) == ("cross", ("3", "8"))
        assert (child.seed, child.amount, child.mutation) == (5 + number, 0.5, 0.2)
    assert stock.space is Space.Z
    again, _ = completed(recipe, zoo)
    assert again == recipe


def test_each_two_parents_in_turn(zoo, folder):
    recipe, _ = completed(
        litter(save_kind(folder, "dcgan"), parents=("1", "2", "3"), children=4, operator="blend"),
        zoo,
    )
    tree = family_of(recipe)
    pairs = [tree.member(name).parents for name in recipe.born]
    assert pairs == [("1", "2"), ("1", "3"), ("2", "3"), ("1", "2")]
    assert {tree.member(name).operator for name in recipe.born} == {"blend"}


@pytest.mark.parametrize("fields", [{"operator": "blend"}, {"space": "class"}])
def test_what_is_mixed_goes_evenly_from_one_parent_to_the_other(zoo, folder, fields):
    model = save_kind(folder, "biggan")
    recipe, _ = completed(litter(model, children=3, **fields), zoo)
    tree = family_of(recipe)
    assert [tree.member(name).amount for name in recipe.born] == [0.25, 0.5, 0.75]
    asked, _ = completed(litter(model, children=3, share=0.1, **fields), zoo)
    assert {family_of(asked).member(name).amount for name in asked.born} == {0.1}


def test_one_parent_is_mutated(zoo, folder):
    recipe, _ = completed(litter(save_kind(folder, "dcgan"), parents=("3",), mutation=0.4), zoo)
    child = family_of(recipe).member(recipe.born[0])
    assert (child.operator, child.amount, child.mutation) == ("mutate", 0.4, 0.0)


def test_classes(zoo, folder):
    model = save_kind(folder, "biggan")
    recipe, _ = completed(litter(model, classes=("fox", "owl:0.5+cat:0.5"), space="class"), zoo)
    tree = family_of(recipe)
    assert [m.id for m in tree.members[:2]] == ["3 fox", "8 owl:0.5+cat:0.5"]
    assert tree.member(recipe.born[0]).operator == "cross-classes"
    assert recipe.space == "class"
    alone, _ = completed(litter(model, parents=("3",), space="class"), zoo)
    assert family_of(alone).member(alone.born[0]).operator == "mutate-classes"


def test_spaces(zoo, folder):
    model = save_kind(folder, "stylegan2")
    for asked, space in ((None, Space.W), ("z", Space.Z), ("w_plus", Space.W_PLUS)):
        recipe, stock = completed(litter(model, space=asked), zoo)
        assert stock.space is space
        assert recipe.space == space
    edited = saved(
        Edit(model=model, seed=2, directions=("pc0:1",), samples=64), zoo, folder / "e.png"
    )
    assert completed(litter(None, parents=(edited, "3")), zoo)[1].space is Space.W_PLUS


def test_grandchildren_need_no_files(zoo, folder):
    model = save_kind(folder, "dcgan")
    path = folder / "child.png"
    saved(litter(model, layout="files"), zoo, path)
    recipe, stock = completed(litter(None, parents=(str(path), "11")), zoo)
    tree = family_of(recipe)
    assert recipe.model == stock.model == model
    assert tree.generations()[recipe.born[0]] == 2
    path.unlink()
    assert completed(recipe, zoo)[0] == recipe


def test_a_tree_goes_on_or_moves_to_another_model(zoo, folder):
    model = save_kind(folder, "dcgan")
    first, _ = completed(litter(model), zoo)
    path = folder / "x.tree.json"
    path.write_text(family_of(first).to_json())
    child = first.born[1]
    on, _ = completed(litter(None, tree=str(path), parents=(child, "8")), zoo)
    assert on.model == model
    assert family_of(on).member(on.born[0]).parents == (child, "8")
    assert {m["id"] for m in json.loads(json.dumps(on.family["members"]))} > set(first.born)
    other = save_kind(folder, "biggan")
    moved, stock = completed(Breed(tree=str(path), model=other, seed=0), zoo)
    assert stock.model == moved.model == other
    assert not moved.born
    assert family_of(moved).model == other


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"parents": ("3",), "mutation": 0.0}, "one parent without mutation"),
        ({"space": "w"}, "has no styles, so no w"),
        ({"space": "class"}, "knows no classes to cross"),
        ({"classes": ("owl",)}, "knows no classes"),
        ({"tree": "none.json"}, "cannot read the family tree"),
        ({"parents": ("3", "99999999999999999999")}, "has seed 99999999999999999999"),
    ],
)
def test_mistakes(zoo, folder, fields, said):
    with pytest.raises(Exception, match=said) as caught:
        completed(litter(save_kind(folder, "dcgan"), **fields), zoo)
    assert isinstance(caught.value, RecipeError) or "classes" in said
    assert "\n" not in str(caught.value)


def test_parents_of_different_models_or_spaces(zoo, folder):
    one, other = save_kind(folder, "dcgan"), save_kind(folder, "stylegan2")
    ann = saved(litter(one, layout="files"), zoo, folder / "ann.png")
    bob = saved(litter(other, layout="files", space="z"), zoo, folder / "bob.png")
    with pytest.raises(RecipeError, match="parents of different models do not breed"):
        completed(litter(None, parents=(ann, bob)), zoo)
    with pytest.raises(RecipeError, match="parents of different models do not breed"):
        completed(litter(other, parents=(ann, "3")), zoo)
    with pytest.raises(RecipeError, match="was bred in z, so its line goes on there"):
        completed(litter(None, parents=(bob, "3"), space="w"), zoo)
    eve = saved(litter(other, layout="files", space="w"), zoo, folder / "eve.png")
    with pytest.raises(RecipeError, match="was bred in w"):
        completed(litter(None, parents=(bob, eve)), zoo)


@pytest.mark.parametrize("arch", ["dcgan", "biggan", "stylegan2"])
def test_without_stars_taste_changes_nobody(zoo, folder, arch):
    model = save_kind(folder, arch)
    plain, _ = completed(litter(model, children=3), zoo)
    for fields in ({"siblings": 5}, {"siblings": 5, "shown": ("1", "2")}, {"liked": ("1",)}):
        same, _ = completed(litter(model, children=3, **fields), zoo)
        assert (same.born, same.family) == (plain.born, plain.family)


@pytest.mark.parametrize("arch", ["dcgan", "biggan", "stylegan2"])
def test_taste_chooses_among_siblings_who_is_like_the_starred(zoo, folder, arch):
    model = save_kind(folder, arch)
    asked = litter(model, children=6, siblings=8, liked=("21",), shown=("22", "23"), mutation=0.6)
    recipe, stock = completed(asked, zoo)
    tree = family_of(recipe)
    assert [m.id for m in tree.members] == ["3", "8", *recipe.born]  # and not who was judged
    seeds = [tree.member(name).seed for name in recipe.born]
    assert recipe.all_seeds() == tuple(seeds)
    assert [(seed - 5) % 6 for seed in seeds] == list(range(6))
    assert seeds != [5, 6, 7, 8, 9, 10]
    plain, _ = completed(asked.model_copy(update={"liked": ()}), zoo)
    star = stock.founder(21, {})

    def nearness(bred):
        nursery = Nursery(family_of(bred), stock.founder, stock.centre)
        return sum(likeness(nursery.genes(n), star, stock.centre) for n in bred.born)

    assert nearness(recipe) > nearness(plain)
    assert completed(asked, zoo)[0] == recipe  # the same each time


def test_taste_is_learnt_from_pictures_too(zoo, folder, tmp_path):
    model = save_kind(folder, "stylegan2")
    star = saved(litter(model, layout="files"), zoo, tmp_path / "star.png")
    asked = litter(model, siblings=4, liked=(star,), layout="files")
    recipe, _ = completed(asked, zoo)
    assert len(family_of(recipe).members) == 4
    other = save_kind(folder, "biggan")
    with pytest.raises(RecipeError, match="different models"):
        completed(litter(other, siblings=4, liked=(star,)), zoo)
    for step in run(asked, zoo):
        assert step.artifact.manifest.seed == recipe.all_seeds()[step.index]
        assert replay(step.artifact, zoo).identical
