"""What is copied does the same: the command is parsed, the Python run, the address opened."""

import ast
import json
import shlex
from urllib.parse import parse_qsl, urlsplit

import pytest

from phosphene.studio.recipe_text import parse_recipe
from phosphene.web.pages.copies import as_address, as_command, as_python, file_for
from phosphene.web.pages.layout import layout_from
from phosphene.web.pages.plan import plan_from
from phosphene.web.pages.wish import wish_from
from tests.cli import conftest as terminal

ID = "cd" * 32
home, phosphene = terminal.home, terminal.phosphene
RECIPES = [
    {"kind": "imagine", "prompt": 'fox\'s den | "neon" $HOME `ls`', "seed": 7},
    {"kind": "imagine", "prompt": "-n", "width": 64, "height": 32, "zoom": {"scale": 1.1}},
    {
        "kind": "imagine",
        "prompt": "fox",
        "width": 64,
        "perceptors": ["a", "b:2"],
        "emphasis": False,
    },
    {"kind": "sample", "model": "digits-cgan", "seed": 3, "truncation_threshold": 1.5},
    {"kind": "sample", "classes": ["3", "5"], "count": 4, "layout": "grid"},
    {"kind": "breed", "parents": ["3", "8"], "mutation": 0.4, "seed": 5, "layout": "files"},
    {
        "kind": "breed",
        "model": "emoji-stylegan2",
        "parents": [f"{ID[:12]}.png", "8"],
        "share": 0.25,
        "siblings": 16,
        "liked": ["3", "4"],
        "shown": ["5"],
    },
]


@pytest.mark.parametrize("fields", RECIPES)
def test_the_command_asks_for_the_same_recipe(fields, phosphene, monkeypatch):
    recipe = parse_recipe(fields)
    asked = []
    monkeypatch.setattr("phosphene.cli.imagine.paint", lambda r, *_: asked.append(r))
    monkeypatch.setattr("phosphene.cli.dream.dream", lambda r, *_: asked.append(r))
    words = shlex.split(as_command(recipe))
    assert words[0] == "phosphene"
    said = phosphene(*words[1:])
    assert asked == [recipe], said


def test_other_kinds_go_through_a_file():
    recipe = parse_recipe({"kind": "walk", "model": "faces-dcgan"})
    words = shlex.split(as_command(recipe))
    assert parse_recipe(json.loads(words[2])) == recipe
    assert words[-3:] == ["phosphene", "run", "recipe.json"]


@pytest.mark.parametrize("fields", [*RECIPES, {"kind": "walk", "model": "faces-dcgan"}])
def test_the_python_is_python_that_asks_for_the_same(fields, monkeypatch):
    recipe = parse_recipe(fields)
    tree = ast.parse(as_python(recipe))
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call)]
    names = {"imagine", "sample", "parse_recipe"}
    (call,) = [c for c in calls if getattr(c.func, "attr", getattr(c.func, "id", "")) in names]
    given = {k.arg: ast.literal_eval(k.value) for k in call.keywords}
    if isinstance(call.func, ast.Attribute):
        subject = "prompt" if call.func.attr == "imagine" else "model"
        given |= {"kind": call.func.attr, subject: ast.literal_eval(call.args[0])}
    else:
        given = ast.literal_eval(call.args[0])
    assert parse_recipe(given) == recipe


def test_the_address_opens_with_the_recipe():
    recipe = parse_recipe(RECIPES[0])
    address = as_address("http://localhost:8420", recipe)
    query = dict(parse_qsl(urlsplit(address).query))
    assert urlsplit(address).path == "/imagine"
    assert wish_from(query).recipe() == recipe


def test_the_address_of_children_opens_with_the_parents():
    parents = ["3", f"artifact:{ID}"]
    fields = {"model": "digits-cgan", "parents": parents, "share": 0.3, "mutation": 0.7}
    recipe = parse_recipe({"kind": "breed", **fields, "layout": "files", "seed": 9})
    address = urlsplit(as_address("http://localhost:8420", recipe))
    assert address.path == "/breed"
    plan = plan_from(dict(parse_qsl(address.query)), ["digits-cgan"], None)
    assert plan.recipe() == recipe


def test_the_address_of_a_sheet_opens_with_its_fields():
    of = {"kind": "imagine", "prompt": "fox", "iterations": 9, "seed": 3}
    fields = {"of": of, "vary": ["style=flat,neon", "cut_power=1,2"]}
    recipe = parse_recipe({"kind": "sheet", **fields})
    address = urlsplit(as_address("http://localhost:8420", recipe))
    assert address.path == "/sheets"
    assert layout_from(parse_qsl(address.query)).recipe() == recipe


def test_a_picture_of_the_gallery_is_a_file_at_the_terminal():
    recipe = parse_recipe({"kind": "imagine", "prompt": "fox", "init_image": f"artifact:{ID}"})
    assert file_for(ID) == "cdcdcdcdcdcd.png"
    assert "--init cdcdcdcdcdcd.png" in as_command(recipe)
    assert "init_image='cdcdcdcdcdcd.png'" in as_python(recipe)
    assert f"artifact%3A{ID}" in as_address("", recipe)
