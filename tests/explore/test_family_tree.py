"""Family trees as data, and grown again on another model."""

import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from phosphene.core.errors import RecipeError
from phosphene.core.latent import Latent, Space
from phosphene.core.rng import Rng
from phosphene.explore import breed
from phosphene.explore.breed import Genes
from phosphene.explore.family_tree import FamilyTree, Individual, Nursery

NAMES = ("fox", "owl")


def founder(size, scale=1.0):
    def make(seed, classes):
        weights = torch.tensor([[classes.get(name, 0.0) for name in NAMES]])
        return Genes(Latent(Space.Z, scale * Rng((seed,)).normal(size)), weights)

    return make


def family():
    tree = FamilyTree("emoji-biggan")
    for member in (
        Individual("ada", seed=1, classes=(("fox", 1.0),)),
        Individual("bob", seed=2, classes=(("owl", 1.0),)),
        Individual("cem", "cross", 3, ("ada", "bob"), 0.4),
        Individual("dot", "mutate", 4, ("cem",), 0.2),
        Individual("eve", "blend", 0, ("dot", "ada"), 0.25),
        Individual("fay", "mutate-classes", 6, ("bob",), 0.5),
    ):
        tree = tree.add(member)
    return tree


def test_both_parents_are_in_the_lineage():
    tree = family()
    assert [m.id for m in tree.ancestors("dot")] == ["ada", "bob", "cem"]
    assert [m.id for m in tree.ancestors("ada")] == []
    assert [m.id for m in tree.children("ada")] == ["cem", "eve"]
    assert tree.generations() == {"ada": 0, "bob": 0, "cem": 1, "dot": 2, "eve": 3, "fay": 1}


def test_a_child_is_the_recorded_operator_of_its_parents():
    make = founder(8)
    nursery = Nursery(family(), make)
    ada, bob = make(1, {"fox": 1.0}), make(2, {"owl": 1.0})
    cem = breed.cross(ada, bob, Rng((3,)).fork("breed"), 0.4)
    dot = breed.mutate(cem, make(4, {"fox": 1.0}), 0.2)
    eve = breed.blend(dot, ada, 0.25)
    for name, wanted in (("ada", ada), ("cem", cem), ("dot", dot), ("eve", eve)):
        grown = nursery.genes(name)
        assert torch.equal(grown.latent.data, wanted.latent.data)
        assert torch.equal(grown.classes, wanted.classes)
    torch.testing.assert_close(nursery.genes("cem").classes, torch.tensor([[0.6, 0.4]]))
    assert [member.id for member, _ in nursery.everyone()] == [m.id for m in family().members]


def test_the_tree_grows_again_on_another_model_and_at_another_psi():
    other = dict(Nursery(family(), founder(20)).everyone())
    assert {genes.latent.data.shape for genes in other.values()} == {(1, 20)}
    half = Nursery(family(), founder(8, scale=0.5))
    whole = Nursery(family(), founder(8))
    for name in ("cem", "dot", "eve"):
        torch.testing.assert_close(half.genes(name).latent.data, whole.genes(name).latent.data / 2)


def test_mutation_is_a_turn_after_the_operator():
    make = founder(8)
    tree = family().add(Individual("gil", "cross", 7, ("ada", "bob"), 0.5, mutation=0.3))
    tree = tree.add(Individual("hal", "cross-classes", 8, ("ada", "bob"), 0.25, mutation=0.5))
    nursery = Nursery(tree, make)
    plain = breed.cross(make(1, {"fox": 1.0}), make(2, {"owl": 1.0}), Rng((7,)).fork("breed"))
    turned = breed.mutate(plain, make(7, {"fox": 1.0}), 0.3)
    assert torch.equal(nursery.genes("gil").latent.data, turned.latent.data)
    assert torch.equal(nursery.unmutated("gil").latent.data, plain.latent.data)
    assert torch.equal(nursery.genes("hal").latent.data, make(1, {}).latent.data)
    torch.testing.assert_close(nursery.unmutated("hal").classes, torch.tensor([[0.75, 0.25]]))
    assert float(nursery.genes("hal").classes.sum()) == pytest.approx(1)
    assert not torch.equal(nursery.genes("hal").classes, nursery.unmutated("hal").classes)


def test_those_that_were_found_bring_their_genes():
    genes = founder(8)(5, {"owl": 1.0})
    tree = FamilyTree("x", (Individual("eva", "found", found="somewhere"),))
    assert FamilyTree.from_json(tree.to_json()) == tree
    with pytest.raises(RecipeError, match="'eva' was found on a model"):
        Nursery(tree, founder(8)).genes("eva")
    texts = []
    grown = Nursery(tree, founder(8), finder=lambda text: texts.append(text) or genes).genes("eva")
    assert grown is genes
    assert texts == ["somewhere"]
    with pytest.raises(RecipeError, match="have genes"):
        Individual("a", "found")
    with pytest.raises(RecipeError, match="have genes"):
        Individual("a", found="x")


def test_trees_join():
    whole = family()
    first = FamilyTree(whole.model, whole.members[:3])
    assert first.join(whole) == whole
    assert whole.join(first) == whole
    for other in (FamilyTree("faces"), FamilyTree(whole.model, space="w")):
        with pytest.raises(RecipeError, match="do not join"):
            whole.join(other)
    namesake = FamilyTree(whole.model, (Individual("ada", seed=99),))
    with pytest.raises(RecipeError, match="two individuals are called 'ada'"):
        whole.join(namesake)
    with pytest.raises(RecipeError, match="in space 'q'"):
        FamilyTree("x", space="q")


def test_growing_does_not_depend_on_order():
    backwards, forwards = Nursery(family(), founder(8)), Nursery(family(), founder(8))
    last = backwards.genes("eve")
    for member in family().members:
        forwards.genes(member.id)
    assert torch.equal(last.latent.data, forwards.genes("eve").latent.data)


def test_stars_and_undo():
    tree = family()
    starred = tree.star("cem")
    assert starred.member("cem").starred
    assert not tree.member("cem").starred
    assert starred.star("cem", False) == tree


texts = st.text(min_size=1, max_size=8)


@settings(max_examples=40)
@given(
    model=texts,
    names=st.lists(texts, min_size=1, max_size=6, unique=True),
    seeds=st.lists(st.integers(0, 2**63 - 1), min_size=6, max_size=6),
    amounts=st.lists(st.floats(0, 1), min_size=6, max_size=6),
    classes=st.dictionaries(texts, st.floats(-5, 5), max_size=3),
)
def test_a_written_tree_is_read_as_itself(model, names, seeds, amounts, classes):
    tree = FamilyTree(model)
    for i, name in enumerate(names):
        operator = "seed" if i == 0 else ("mutate", "cross", "blend")[i % 3]
        parents = {"seed": (), "mutate": (names[i - 1],)}.get(operator, (names[0], names[i - 1]))
        own = tuple(classes.items()) if i == 0 else ()
        tree = tree.add(Individual(name, operator, seeds[i], parents, amounts[i], own, i == 1))
    assert FamilyTree.from_json(tree.to_json()) == tree


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Individual("x", "clone"), "unknown operator 'clone'; known: seed"),
        (lambda: Individual("x", "crossed"), "did you mean 'cross'"),
        (lambda: Individual("x", "cross", 1, ("a",)), "'x' has 1 parents; cross takes 2"),
        (lambda: Individual("x", "seed", 1, ("a",)), "'x' has 1 parents; seed takes 0"),
        (lambda: Individual("x", seed=-1), "seed -1"),
        (lambda: Individual("x", "mutate", 1, ("a",), 1.5), "amount 1.5; use 0 to 1"),
        (lambda: Individual("x", classes=(("fox", float("nan")),)), "no finite number"),
        (lambda: Individual(""), "0 characters"),
        (lambda: family().add(Individual("ada", seed=1)), "two individuals are called 'ada'"),
        (
            lambda: family().add(Individual("x", "cross", 1, ("ada", "stranger"))),
            "descends from 'stranger', which is not in this tree",
        ),
        (lambda: family().add(Individual("x", "mutate", 1, ("x",))), "descends from 'x'"),
        (lambda: family().member("add"), "nobody is called 'add' in this tree; did you mean 'ada'"),
        (lambda: Nursery(family(), founder(4)).genes("zoe"), "nobody is called 'zoe'"),
        (lambda: family().children("zoe"), "nobody is called 'zoe'"),
    ],
)
def test_impossible_families_are_refused(make, message):
    with pytest.raises(RecipeError) as caught:
        make()
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, "not of version 1"),
        ({"model": 3}, "no model"),
        ({"members": {}}, "no members"),
        ({"members": ["ada"]}, "an individual is 'ada'"),
        ({"members": [{}]}, "has no id"),
        ({"members": [{"id": "a", "sead": 1}]}, "unknown field 'sead'; did you mean 'seed'"),
        ({"members": [{"id": "a", "seed": "1"}]}, "has seed '1'"),
        ({"members": [{"id": "a", "seed": True}]}, "has seed 'True'"),
        ({"members": [{"id": "a", "classes": {"fox": "1"}}]}, "weight that is no number"),
    ],
)
def test_damaged_trees_are_refused(change, message):
    data = {**json.loads(family().to_json()), **change}
    with pytest.raises(RecipeError) as caught:
        FamilyTree.from_json(json.dumps(data))
    assert message in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000])
def test_what_is_no_tree_is_refused(text):
    with pytest.raises(RecipeError, match="family tree"):
        FamilyTree.from_json(text)
