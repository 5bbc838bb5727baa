import re

import pytest

from phosphene.core.errors import RecipeError
from phosphene.studio.recipe import Imagine, Sample, Sheet
from phosphene.studio.recipe_text import dump_recipe, load_recipe, parse_recipe
from phosphene.studio.recipes.sheet import Vary, listed, sheet_fields, vary


@pytest.mark.parametrize(
    ("text", "field", "values"),
    [
        ("psi=0:1:6", "truncation_psi", ("0", "0.2", "0.4", "0.6", "0.8", "1")),
        ("threshold = 2:0.5:2", "truncation_threshold", ("2", "0.5")),
        ("seed=0-3,9", "seed", ("0", "1", "2", "3", "9")),
        ("class=fox, owl", "classes", ("fox", "owl")),
        ("classes=fox:0.5+owl:0.5", "classes", ("fox:0.5+owl:0.5",)),
        ("classes=fox:1+owl:0,owl", "classes", ("fox:1+owl:0", "owl")),
        ('prompt=["a, b", "c = d"]', "prompt", ("a, b", "c = d")),
        ("init_weight=[0, 0.5]", "init_weight", ("0", "0.5")),
        ("learning_rate=1e-3:1e-1:2", "learning_rate", ("0.001", "0.1")),
    ],
)
def test_what_varies(text, field, values):
    assert vary(text) == Vary(field=field, values=values)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("psi", "should be as psi=0:1:6"),
        ("psi=", "should be as"),
        ("=3", "should be as"),
        ("psi=0:1:1", "has 1 values; use 2 to 64"),
        ("psi=0:1:999", "has 999 values"),
        ("psi=0:-:3", "from 0 to 1 in 6 values"),
        ("seed=0-99", "should rise, by less than 64"),
        ("seed=3-1", "should rise"),
        ("style=[1", "should be a list in JSON"),
        ("style=,,", "takes 0 values"),
    ],
)
def test_what_cannot_be_read(text, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        vary(text)


def test_a_sheet_in_a_file(tmp_path):
    (tmp_path / "s.toml").write_text(
        'kind = "sheet"\nvary = ["psi=0:1:2", "seed=0-1"]\n'
        '[of]\nkind = "sample"\nmodel = "m"\ntruncation_threshold = 1.5\n'
    )
    sheet = load_recipe(tmp_path / "s.toml")
    assert isinstance(sheet, Sheet)
    assert sheet.of == Sample(model="m", truncation_threshold=1.5)
    assert [axis.field for axis in sheet.vary] == ["truncation_psi", "seed"]
    (tmp_path / "s.json").write_text(dump_recipe(sheet))
    assert load_recipe(tmp_path / "s.json") == sheet
    assert (sheet.all_seeds(), sheet.labels()) == ((0, 1), ["0"])
    assert sheet.title == "m by truncation_psi and seed"
    assert sheet.with_seed() is sheet  # the seed varies


def test_a_seed_is_drawn_for_all_where_none_varies():
    sheet = parse_recipe({"kind": "sheet", "vary": "psi=0:1:2", "of": {"kind": "sample"}})
    seeded = sheet.with_seed()
    assert seeded.all_seeds() == (seeded.of.seed,)
    assert seeded.with_seed() is seeded


def test_a_prompt_makes_it_a_sheet_of_imagine():
    assert sheet_fields(["psi=0:1:2"], {"model": "m", "seed": None})["of"] == {
        "kind": "sample",
        "model": "m",
    }
    fields = sheet_fields(["prompt=a,b"], {"prompt": None})
    sheet = parse_recipe({"kind": "sheet", **fields})
    assert isinstance(sheet.of, Imagine)
    assert sheet.title == "a, b by prompt"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "'vary' is missing"),
        ({"vary": []}, "vary: () should have at least 1 item"),
        ({"vary": ["a=1", "b=2", "c=3"]}, "at most 2 items"),
        ({"vary": ["seed=1", "seed=2"]}, "vary: should name two fields; 'seed' is given twice"),
        ({"vary": ["psi"]}, "vary: 'psi' should be as psi=0:1:6"),
        ({"vary": ["count=1-3"]}, "a sheet cannot vary 'count'"),
        ({"vary": ["seed=1"], "of": {"kind": "sample", "count": 2}}, "should ask for one picture"),
        ({"vary": ["seed=1"], "of": {"kind": "sample", "seeds": "1"}}, "one picture"),
        ({"vary": ["seed=1"], "of": {"kind": "sample", "layout": "grid"}}, "the sheet is the grid"),
        ({"vary": ["psi=0:1:64", "seed=0-63"]}, "4096 pictures; use up to 1024"),
        ({"vary": ["seed=1"], "of": {"kind": "walk"}}, "'walk'"),
    ],
)
def test_mistakes(fields, said):
    with pytest.raises(RecipeError) as caught:
        parse_recipe({"kind": "sheet", "of": {"kind": "sample"}, **fields})
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_lists_between_semicolons():
    assert listed("red apple; dog, face ;; x ") == ["red apple", "dog, face", "x"]


def test_a_sheet_has_one_picture_a_cell():
    of = {"kind": "imagine", "prompt": "{a|b}", "alternatives": "all"}
    with pytest.raises(RecipeError, match=r"of\.alternatives: should be random"):
        parse_recipe({"kind": "sheet", "vary": ["seed=1-2"], "of": of})
