"""What is filled in on Train becomes a recipe, and a recipe becomes it again."""

import tomllib
from urllib.parse import parse_qsl, urlsplit

import pytest

from phosphene.core.errors import RecipeError
from phosphene.core.images import save_png
from phosphene.core.rng import Rng
from phosphene.studio.recipe import Train
from phosphene.studio.recipe_text import parse_recipe, recipe_with
from phosphene.studio.train import train
from phosphene.web.admission import admit_recipe
from phosphene.web.pages.copies import as_address, as_command, as_python
from phosphene.web.pages.training_plan import (
    MAX_TEXT,
    STARTERS,
    TrainingPlan,
    plan_from,
    starter,
    toml_of,
)
from phosphene.zoo import Zoo

TINY = "learner = 'gan'\nsteps = 3\n"


@pytest.mark.slow
@pytest.mark.parametrize("name", STARTERS)
def test_every_recipe_to_begin_with_trains(name, tmp_path, phosphene_home):
    for i in range(3):
        save_png(Rng((i,)).uniform(3, 40, 40, low=-1)[0], tmp_path / "cats" / f"{i}.png")
    recipe = TrainingPlan("cats", starter(name)).recipe()
    admit_recipe(recipe, ["emoji-vqgan"], ["cats"])
    assert recipe == parse_recipe({**tomllib.loads(starter(name)), "data": "folder:cats"})
    here = recipe_with(recipe, {"data": str(tmp_path / "cats"), "steps": "1", "batch_size": "2"})
    (step,) = train(here, Zoo(phosphene_home), folder=tmp_path / "run")
    assert {"d", "g"} <= step.scalars.keys()
    assert (tmp_path / "run" / f"{name}.safetensors").is_file()


def test_toml_reads_back_as_the_same_recipe():
    recipe = Train(
        learner="gan",
        steps=3,
        data="folder:old owls",
        classes=("a b", 'q"\\🦊\x7f\n'),
        painter="emoji-vqgan",
        model={"arch": "dcgan", "mults": [1, 2], "a key": {"deep": [{"x": 1e-05}], "none": None}},
        settings={"conditional": True, "g_rate": 4e-4},
    )
    text = toml_of(recipe)
    again = TrainingPlan("old owls", text).recipe()
    expected = recipe.model_dump()
    del expected["model"]["a key"]["none"]  # which TOML does not know
    assert again.model_dump() == expected
    assert "data" not in text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "paste one"),
        ("steps = ", "neither TOML nor JSON"),
        ("{steps", "neither TOML nor JSON"),
        ("[" * 9000, "neither TOML nor JSON"),
        ("steps = 3", "'learner' is missing"),
        (TINY + "stepps = 4", "did you mean 'steps'"),
        ("kind = 'imagine'\nprompt = 'fox'", "data"),
        ("x" * (MAX_TEXT + 1), "longer than"),
    ],
)
def test_what_is_no_training_is_said_in_a_line(text, said):
    with pytest.raises(RecipeError, match=said) as error:
        TrainingPlan("cats", text).recipe()
    assert "\n" not in str(error.value)


def test_a_folder_is_demanded_and_what_the_text_says_of_it_does_not_count():
    with pytest.raises(RecipeError, match="choose a folder"):
        TrainingPlan("", TINY).recipe()
    assert TrainingPlan("cats", TINY + "data = '/etc'").recipe().data == "folder:cats"
    assert TrainingPlan("cats", '{"learner": "gan", "steps": 3}').recipe().steps == 3


def test_the_address_holds_the_form():
    first = next(iter(STARTERS))
    plan = plan_from({}, ["cats", "owls"])
    assert (plan.folder, plan.text, plan.starter) == ("cats", starter(first), first)
    assert plan.query() == {"folder": "cats", "start": first}
    assert plan_from({"folder": "owls", "start": "fastgan"}, ["cats", "owls"]).starter == "fastgan"
    assert plan_from({"folder": "../x", "start": "../x"}, ["cats"]) == plan_from({}, ["cats"])
    own = plan_from({"recipe": TINY}, [])
    assert (own.folder, own.starter, own.query()) == ("", "", {"recipe": TINY})
    assert "recipe" not in TrainingPlan("cats", "#" * 9999).query()
    recipe = TrainingPlan("owls", TINY).recipe()
    begun = TrainingPlan("owls", starter("fastgan")).recipe()
    assert plan_from({"job": "x"}, [], begun).starter == "fastgan"
    run = plan_from({"job": "x"}, ["cats"], recipe)
    assert (run.folder, run.recipe(), run.query()) == ("owls", recipe, {"job": "x"})


def test_a_training_is_taken_away():
    recipe = TrainingPlan("old owls", TINY + "name = 'tiny'").recipe()
    command = as_command(recipe)
    assert command.endswith("> recipe.toml && phosphene train recipe.toml 'old owls'")
    assert "folder:" not in command
    python = as_python(recipe)
    compile(python, "copied", "exec")
    assert "'data': 'old owls'" in python
    assert 'folder=Path("phosphene-runs/train-tiny")' in python
    url = urlsplit(as_address("http://x", recipe))
    assert url.path == "/train"
    assert plan_from(dict(parse_qsl(url.query)), ["old owls"]).recipe() == recipe
