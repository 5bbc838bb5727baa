"""Lines of descent in the gallery: both parents of everybody, and the pictures that hang there."""

import json

import pytest

from phosphene.core.errors import NotFound, RecipeError
from phosphene.explore.family_tree import FamilyTree, Individual
from phosphene.studio.lineage import line_of, name_of
from tests.studio.studios import hang, picture, studio_in

MODEL = "faces-dcgan"


def dream(studio, seed, **fields):
    recipe = {"kind": "sample", "model": MODEL, "seed": seed, **fields}
    return hang(studio, picture(recipe=recipe, seed=seed, models={MODEL: "aa"}))


def bred(studio, child, *members, hung=(), layout="files", **manifest):
    """A picture of a child with its tree, made from pictures that hang there."""
    tree = FamilyTree(MODEL, (*members, child))
    recipe = {
        "kind": "breed",
        "model": MODEL,
        "parents": [f"{name}.png" for name in hung] or ["3"],
        "children": 1,
        "seed": child.seed,
        "layout": layout,
        "family": json.loads(tree.to_json()),
        "born": [child.id],
    }
    told = {"recipe": recipe, "seed": child.seed, "models": {MODEL: "aa"}, **manifest}
    return hang(studio, picture(**told), parents_of=list(hung))


A, B, C = Individual("3", seed=3), Individual("8", seed=8), Individual("20", seed=20)
ANN = Individual("ann", "cross", 5, ("3", "8"), 0.5, mutation=0.2)
BEA = Individual("bea", "cross", 6, ("ann", "20"), 0.25)
CAT = Individual("cat", "mutate", 7, ("bea",), 0.4)


def test_both_parents_and_theirs_with_the_pictures_that_hang(tmp_path):
    studio = studio_in(tmp_path)
    three = dream(studio, 3)
    ann = bred(studio, ANN, A, B, hung=(three,))
    bea = bred(studio, BEA, A, B, ANN, C, hung=(ann,))
    line = line_of(studio.gallery, bea)
    assert (line.name, line.picture, line.operator, line.amount) == ("bea", bea, "cross", 0.25)
    first, second = line.parents
    assert (first.name, first.picture, first.mutation) == ("ann", ann, 0.2)
    assert (second.name, second.picture, second.seed) == ("20", "", 20)
    assert [(p.name, p.picture) for p in first.parents] == [("3", three), ("8", "")]
    assert second.parents == first.parents[0].parents == ()


def test_a_line_is_cut_off_and_goes_on(tmp_path):
    studio = studio_in(tmp_path)
    cat = bred(studio, CAT, A, B, ANN, C, BEA)
    line = line_of(studio.gallery, cat, depth=1)
    (parent,) = line.parents
    assert (parent.name, parent.parents, parent.has_more) == ("bea", (), True)
    assert not line.has_more
    assert line_of(studio.gallery, cat, depth=3).parents[0].parents[0].parents[1].name == "8"


def test_what_is_in_the_bin_is_not_shown(tmp_path):
    studio = studio_in(tmp_path)
    three = dream(studio, 3)
    ann = bred(studio, ANN, A, B, hung=(three,))
    studio.gallery.delete(three)
    assert line_of(studio.gallery, ann).parents[0].picture == ""
    studio.gallery.purge(three)
    assert line_of(studio.gallery, ann).parents[0].picture == ""


def test_one_that_was_found_is_known_by_its_genes(tmp_path):
    studio = studio_in(tmp_path)
    genes = "z|2|AAAAPwAAAD8="
    recipe = {"kind": "edit", "model": MODEL, "seed": 1, "directions": ["pc0:1"]}
    edited = hang(studio, picture(recipe=recipe, genes=genes, models={MODEL: "aa"}))
    dot = Individual("dot", "found", found=genes)
    child = Individual("eve", "cross", 1, ("dot", "3"))
    eve = bred(studio, child, A, dot, hung=(edited,))
    assert line_of(studio.gallery, eve).parents[0].picture == edited
    assert line_of(studio.gallery, edited).operator == "found"


def test_names(tmp_path):
    studio = studio_in(tmp_path)

    def name(picture):
        return name_of(studio.gallery.get(picture))

    assert name(dream(studio, 3)) == "3"
    assert name(dream(studio, 3, classes=["fox"])) == "3 fox"
    assert name(dream(studio, 3, layout="grid", count=4)) == ""
    assert name(bred(studio, ANN, A, B)) == "ann"
    assert name(bred(studio, ANN, A, B, layout="tree")) == ""
    assert name(hang(studio, picture("fox"))) == ""


def test_what_is_no_individual_has_no_line(tmp_path):
    studio = studio_in(tmp_path)
    fox = line_of(studio.gallery, hang(studio, picture("fox")))
    assert (fox.operator, fox.parents) == ("", ())
    three = line_of(studio.gallery, dream(studio, 3))
    assert (three.operator, three.seed, three.parents) == ("seed", 3, ())
    with pytest.raises(NotFound):
        line_of(studio.gallery, "ab" * 32)


@pytest.mark.parametrize("wrong", [{"seed": "much"}, {"parents": 3}, {"amount": []}])
def test_a_tree_that_a_stranger_wrote_does_no_harm(tmp_path, wrong):
    studio = studio_in(tmp_path)
    recipe = {"kind": "breed", "model": MODEL, "parents": ["3"], "children": 1, "seed": 1}
    recipe |= {"layout": "files", "born": ["ann"]}
    for members in (3, ["x"], [{"name": "ann"}]):
        family = {"members": members}
        name = hang(studio, picture(recipe={**recipe, "family": family}, models={MODEL: "aa"}))
        assert line_of(studio.gallery, name).parents == ()
    family = {"members": [{"id": "ann", "operator": "cross", **wrong}]}
    name = hang(studio, picture(recipe={**recipe, "family": family}, models={MODEL: "aa"}))
    with pytest.raises(RecipeError, match="damaged"):
        line_of(studio.gallery, name)


def test_a_circle_of_parents_ends(tmp_path):
    studio = studio_in(tmp_path)
    recipe = {"kind": "breed", "model": MODEL, "parents": ["3"], "children": 1, "seed": 1}
    circle = [{"id": "ann", "parents": ["bob"]}, {"id": "bob", "parents": ["ann"]}]
    recipe |= {"layout": "files", "born": ["ann"], "family": {"members": circle}}
    name = hang(studio, picture(recipe=recipe, models={MODEL: "aa"}))
    line = line_of(studio.gallery, name, depth=2)
    assert line.parents[0].parents[0].has_more
