"""Incantations put to the test: words that do something, words that do nothing, few prompts."""

import json

import pytest

from phosphene.core.errors import RecipeError, Unsupported
from phosphene.core.lettering import labelled
from phosphene.studio.craft import Painted
from phosphene.studio.imagine import imagine
from phosphene.studio.incantation import incantation
from phosphene.studio.recipe import Incantation
from phosphene.studio.replay import replay
from phosphene.zoo import Zoo
from tests.studio.paintbox import box_recipe, paintbox

PROMPTS = ("red", "green", "blue", "yellow", "red apple", "green leaf", "blue sea", "a sun")


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    home = tmp_path_factory.mktemp("paintbox")
    return Zoo(home), paintbox(home)


def experiment(models, words, prompts=PROMPTS, judge="colourist", **fields):
    of = box_recipe(models[1], judge, **fields.pop("of", {}))
    given = {"seeds": "0-1", "features": models[1]["eye"], **fields}
    return Incantation(words=words, prompts=prompts, of=of, **given)


def carried_out(models, recipe, folder):
    """The last step, and the numbers beside it."""
    *_, last = incantation(recipe, models[0], folder=folder)
    assert isinstance(last, Painted)
    return last, json.loads(last.beside[".json"].read_text())


@pytest.mark.slow
def test_words_that_change_the_pictures(models, tmp_path):
    last, numbers = carried_out(models, experiment(models, "pink"), tmp_path)
    assert numbers["verdict"] == "the words change the pictures"
    for effect in (numbers["look"], numbers["score"]):
        assert effect["verdict"] == "a measurable effect"
        assert 0 < effect["low"] <= effect["mean"] <= effect["high"]
        assert effect["effect_size"] > 0.8
        assert effect["num_prompts"] == 8
    for row in numbers["prompts"]:
        assert sum(row["scores_with"]) > sum(row["scores_without"])
        assert row["distance_of_pairs"] > 0
        assert row["distance_of_seeds"] > 0
    assert last.notes[-1] == "'pink': the words change the pictures"
    assert "of what another seed changes" in last.notes[0]


@pytest.mark.parametrize("words", [" ", "\t|\n"])
def test_words_that_are_none(models, tmp_path, words):
    last, numbers = carried_out(models, experiment(models, words, PROMPTS[:6]), tmp_path)
    assert numbers["verdict"] == "no measurable effect"
    for effect in (numbers["look"], numbers["score"]):
        assert (effect["mean"], effect["low"], effect["high"]) == (0, 0, 0)
        assert (effect["effect_size"], effect["prompts_needed"]) == (0, None)
    assert {row["distance_of_pairs"] for row in numbers["prompts"]} == {0}
    assert all(row["distance_of_seeds"] > 0 for row in numbers["prompts"])  # chance does something
    assert last.notes[-1].endswith("no measurable effect")


def test_words_that_the_perceptor_does_not_see(models, tmp_path):
    recipe = experiment(models, "trending on artstation", PROMPTS[:6], judge="blind")
    last, numbers = carried_out(models, recipe, tmp_path)
    assert numbers["verdict"] == "no measurable effect"
    assert last.notes[1].startswith("look, beyond chance: ")
    assert "no measurable effect" in last.notes[1]


def test_another_judge_may_not_agree(models, tmp_path):
    recipe = experiment(models, "pink", PROMPTS[:6])
    recipe = recipe.model_copy(update={"judge": models[1]["blind"]})
    _, numbers = carried_out(models, recipe, tmp_path)
    assert numbers["judge"] == models[1]["blind"]
    assert numbers["look"]["verdict"] == "a measurable effect"


def test_few_prompts_do_not_tell(models, tmp_path):
    last, numbers = carried_out(models, experiment(models, "pink", PROMPTS[:3]), tmp_path)
    assert numbers["verdict"] == "too few prompts to tell: 3 of at least 6"
    assert numbers["score"]["prompts_needed"] >= 6
    assert "to tell an effect of this size takes" in last.notes[2]
    assert "these were 3" in last.notes[2]


def test_the_sheet_shows_the_pairs_and_replays(models, tmp_path):
    recipe = experiment(models, "pink", PROMPTS[:2], of={"iterations": 2})
    last, numbers = carried_out(models, recipe, tmp_path)
    rows = []
    for prompt in PROMPTS[:2]:
        cells = [recipe.cell(prompt, s, spoken=w) for s in (0, 1) for w in (False, True)]
        assert [cell.prompt for cell in cells] == [prompt, f"{prompt} | pink"] * 2
        rows.append([list(imagine(cell, models[0]))[-1].artifact.image for cell in cells])
    wanted = labelled(rows, PROMPTS[:2], ["seed 0", "+ pink", "seed 1", "+ pink"])
    assert last.artifact.image.equal(wanted)
    whole = last.artifact.manifest.recipe
    assert whole.of.optimiser == "adam"  # what was left to the model is written down
    assert Incantation.model_validate(numbers["recipe"]) == whole
    last.artifact.save(tmp_path / "x.png")
    verdict = replay(tmp_path / "x.png", models[0])
    assert (verdict.identical, verdict.reasons) == (True, ())


def test_steps_count_through_all_pictures(models, tmp_path):
    recipe = experiment(models, "pink", PROMPTS[:2], of={"iterations": 2})
    steps = list(incantation(recipe, models[0]))
    assert [step.index for step in steps] == list(range(2 * 2 * 2 * 3 + 1))
    assert steps[0].total == steps[-1].total == len(steps)
    assert [isinstance(step, Painted) for step in steps] == [False] * 24 + [True]
    assert steps[-1].beside == {}


@pytest.mark.parametrize(
    ("fields", "error", "said"),
    [
        ({"judge": "box"}, Unsupported, "is no perceptor"),
        ({"features": "blind"}, Unsupported, "cannot tell how different"),
        ({"features": "none"}, RecipeError, "none"),
    ],
)
def test_what_cannot_measure_shows_before_anything_is_painted(models, fields, error, said):
    named = {name: models[1].get(value, value) for name, value in fields.items()}
    recipe = experiment(models, "pink").model_copy(update=named)
    with pytest.raises(error, match=said):
        next(incantation(recipe, models[0]))
