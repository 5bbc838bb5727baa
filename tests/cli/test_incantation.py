"""`phosphene incantation`."""

import json
from pathlib import Path

import pytest

from tests.studio.paintbox import box_recipe, paintbox

PROMPTS = ("red", "green", "blue", "yellow", "red apple", "green leaf")


@pytest.fixture
def settings(phosphene):
    """A file of prompts, and options that make the paint box paint them."""
    Path("prompts.txt").write_text("\n".join(PROMPTS))
    models = paintbox(Path().absolute())
    of = box_recipe(models)
    kept = ("cut_policy", "start", "learning_rate", "width", "height", "num_cutouts")
    changes = [f"{name}={getattr(of, name)}" for name in kept]
    changes.append(f"perceptors={models['colourist']}")
    options = [word for change in changes for word in ("--set", change)]
    return [
        "--prompts",
        "prompts.txt",
        "--seeds",
        "0-1",
        "--model",
        models["box"],
        "-i",
        "4",
        *options,
    ]


def test_what_measures_is_missed_before_anything_is_painted(phosphene, settings):
    said = phosphene("incantation", "pink", *settings)
    assert said.code != 0
    assert "efficientnet-lite0" in said.err  # it is not in this home
    assert not list(Path().glob("*.png"))


@pytest.mark.slow
def test_from_a_file(phosphene, settings):
    models = paintbox(Path().absolute())
    recipe = {
        "kind": "incantation",
        "words": "pink",
        "prompts": PROMPTS,
        "seeds": "0-1",
        "features": models["eye"],
        "of": box_recipe(models, iterations=4).model_dump(mode="json", exclude={"prompt"}),
    }
    Path("x.json").write_text(json.dumps(recipe))
    said = phosphene("run", "x.json")
    assert said.code == 0, said.err
    assert said.out == "pink-incantation-0.png\npink-incantation-0.json\n"
    assert "phosphene: 'pink': the words change the pictures" in said.err
    numbers = json.loads(Path("pink-incantation-0.json").read_text())
    assert [row["prompt"] for row in numbers["prompts"]] == list(PROMPTS)
    assert phosphene("replay", "pink-incantation-0.png").out == "identical\n"


def test_fields_are_listed(phosphene):
    assert "num_cutouts" in phosphene("incantation", "--set", "help").out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "no words; for example: phosphene incantation 'trending on artstation'"),
        (("x", "--prompts", "none.txt"), "cannot read the prompts 'none.txt'"),
        (("x", "--prompts", "one.txt"), "prompts"),
        (("x", "--prompts", "two.txt", "--seeds", "1"), "at least two"),
        (("x", "--prompts", "two.txt", "--set", "sed=2"), "unknown key 'sed'"),
        (("x", "--prompts", "two.txt", "--method", "magic"), "method: 'magic'"),
    ],
)
def test_mistakes(phosphene, arguments, message):
    Path("one.txt").write_text("a\n")
    Path("two.txt").write_text("a\nb\n")
    said = phosphene("incantation", *arguments)
    assert said.code == 2
    assert message in said.err
    assert said.err.count("\n") == 1
