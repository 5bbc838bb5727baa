"""The plan: what is chosen is a recipe, and the address brings it back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phosphene.core.errors import RecipeError
from phosphene.studio.recipe_text import parse_recipe
from phosphene.web.pages.plan import OPERATORS, Plan, plan_from
from phosphene.web.pages.wish import query_of

MODELS = ["emoji-stylegan2", "faces-dcgan"]
PICTURE = "artifact:" + "ab" * 32

shares = st.integers(0, 20).map(lambda twentieths: twentieths / 20)
plans = st.fixed_dictionaries(
    {
        "model": st.sampled_from(MODELS),
        "dreams": st.integers(0, 2**32),
        "parents": st.lists(
            st.one_of(st.integers(0, 2**63 - 1).map(str), st.just(PICTURE)),
            max_size=16,
            unique=True,
        ),
        "operator": st.sampled_from(list(OPERATORS)),
        "mixing": shares,
        "mutation": shares,
        "children": st.integers(1, 64),
        "siblings": st.sampled_from([1, 4, 16, 48]),
    }
)


@given(plans)
def test_the_address_brings_the_plan_back(fields):
    plan = Plan(**fields)
    assert plan_from(plan.query(), MODELS, None) == plan


@given(plans)
def test_the_recipe_is_what_is_chosen(fields):
    plan = Plan(**fields)
    if not plan.parents or (len(plan.parents) == 1 and plan.mutation == 0):
        with pytest.raises(RecipeError):
            plan.recipe()
        return
    recipe = plan.recipe(["3"], ["4", "5"])
    assert (recipe.model, list(recipe.parents)) == (plan.model, plan.parents)
    assert (recipe.mutation, recipe.children) == (plan.mutation, plan.children)
    assert recipe.share == (plan.mixing if plan.operator == "cross" else None)
    assert recipe.layout == "files"
    tasted = (recipe.siblings, recipe.liked, recipe.shown)
    assert tasted == ((plan.siblings, ("3",), ("4", "5")) if plan.siblings > 1 else (1, (), ()))
    assert plan.recipe().siblings == 1  # no stars, no taste


def test_a_recipe_in_an_address_fills_the_form():
    recipe = Plan("faces-dcgan", parents=["3", PICTURE], mixing=0.25, seed=9).recipe()
    plan = plan_from(query_of(recipe), MODELS, None)
    assert plan.recipe() == recipe


def test_a_job_fills_the_form_but_chooses_nobody():
    asked = {"kind": "breed", "model": "faces-dcgan", "parents": "3,8", "mutation": 0.7}
    plan = plan_from({"job": "x"}, MODELS, parse_recipe({**asked, "share": 0.3}))
    assert (plan.model, plan.mutation, plan.mixing, plan.job) == ("faces-dcgan", 0.7, 0.3, "x")
    assert plan.parents == []


def test_parents_are_taken_and_left():
    plan = Plan("faces-dcgan")
    plan.toggle("3")
    plan.toggle("8")
    plan.toggle("3")
    assert plan.parents == ["8"]
    for seed in range(100, 115):
        plan.toggle(str(seed))
    with pytest.raises(RecipeError, match="16 are enough"):
        plan.toggle("7")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"model": "x"}, "no generator that is here"),
        ({"parents": "../x.png"}, "should be a seed"),
        ({"parents": "ab" * 32}, "should be a seed"),
        ({"parents": "[1"}, "seeds and pictures"),
        ({"parents": ",".join(map(str, range(17)))}, "up to 16"),
        ({"mutation": "nan"}, "mutation: 'nan'; use 0 to 1"),
        ({"mutation": "2"}, "use 0 to 1"),
        ({"children": "many"}, "use 1 to 64"),
        ({"operator": "clone"}, "use cross or blend"),
        ({"dreams": "-1"}, "dreams"),
    ],
)
def test_what_is_wrong_in_an_address_is_said(query, said):
    with pytest.raises(RecipeError, match=said):
        plan_from(query, MODELS, None)
