"""Sheets: each cell is the picture of its own recipe; labels; completion; replay; mistakes."""

import pytest
import torch

from phosphene.core.errors import RecipeError
from phosphene.core.lettering import labelled
from phosphene.studio.craft import Painted
from phosphene.studio.imagine import imagine
from phosphene.studio.recipe import Sample, Sheet
from phosphene.studio.recipe_text import parse_recipe
from phosphene.studio.replay import replay
from phosphene.studio.sample import sample
from phosphene.studio.sheet import cell_of, sheet
from tests.studio.fakes import tiny
from tests.studio.gan_zoo import gan_zoo, save_styled


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    home = tmp_path_factory.mktemp("gans")
    zoo, animals, clear = gan_zoo(home)
    return zoo, animals, clear, str(save_styled(home / "styled.safetensors"))


def sheet_of(vary, of):
    made = parse_recipe({"kind": "sheet", "vary": vary, "of": of})
    assert isinstance(made, Sheet)
    return made.with_seed()


def test_a_truncation_sheet(models, tmp_path):
    zoo, *_, styled = models
    recipe = sheet_of(["psi=0:1:3", "seed=4-5"], Sample(model=styled))
    *steps, last = sheet(recipe, zoo)
    assert [step.index for step in steps] == list(range(6))
    assert (last.index, last.total) == (6, 7)
    cells = []
    for seed in (4, 5):
        for psi in (0, 0.5, 1):
            (alone,) = sample(Sample(model=styled, seed=seed, truncation_psi=psi), zoo)
            cells.append(alone.images[0])
    expected = labelled([cells[:3], cells[3:]], ["seed 4", "seed 5"], ["psi 0", "psi 0.5", "psi 1"])
    assert torch.equal(last.artifact.image, expected)
    last.artifact.save(tmp_path / "x.png")
    verdict = replay(tmp_path / "x.png", zoo)
    assert verdict.identical
    assert verdict.reasons == ()


def test_one_axis_and_words_label_themselves(models):
    zoo, animals, *_ = models
    *_, last = sheet(sheet_of("classes=fox,owl,cat", Sample(model=animals, seed=2)), zoo)
    cells = [next(sample(Sample(model=animals, seed=2, classes=c), zoo)).images[0] for c in "012"]
    assert torch.equal(last.artifact.image, labelled([cells], [], ["fox", "owl", "cat"]))


def test_a_class_may_have_a_comma_in_its_name():
    made = sheet_of(['classes=["tench, Tinca tinca", "fox:0.5+owl:0.5"]'], {"kind": "sample"})
    for name in made.vary[0].values:
        assert cell_of(made, {"classes": name}).classes == (name,)


def test_models_of_other_sizes_and_channels_stand_beside_one_another(models):
    zoo, animals, clear, styled = models
    made = sheet_of([f"model={animals},{clear},{styled}", "seed=1-2"], {"kind": "sample"})
    *_, last = sheet(made, zoo)
    assert last.artifact.image.shape[0] == 3
    assert set(last.artifact.manifest.models) == {animals, clear, styled}


@pytest.mark.slow
def test_words_against_styles(zoo, tmp_path):
    of = tiny("a ^ b", iterations=None, width=None, height=None)
    made = sheet_of(["style=flat,neon", "iterations=2,3"], of)
    cell = cell_of(made, {"style": "neon", "iterations": "3"})
    assert cell.prompt == "a | neon ^ b | neon"
    *steps, last = sheet(made, zoo)
    assert isinstance(last, Painted)
    assert all(step.index < step.total for step in steps)
    *_, alone = imagine(cell, zoo)
    height, width = alone.artifact.image.shape[1:]
    assert torch.equal(last.artifact.image[:, -height - 4 : -4, -width - 4 : -4], alone.images[0])
    whole = last.artifact.manifest.recipe.of
    assert whole.width == width  # what was left to the model is written down
    assert whole.iterations is None  # it varies
    last.artifact.save(tmp_path / "x.png")
    assert replay(tmp_path / "x.png", zoo).identical


@pytest.mark.parametrize(
    ("vary", "said"),
    [
        (["sed=0-3"], "unknown key 'sed'; did you mean 'seed'"),
        (["psi=-1:0:3"], "truncation_psi: '-1' should be greater than or equal to 0"),
        (["psi=0:1:3"], "has no styles"),
        (["classes=fox,dog"], "no class 'dog'"),
        (["style=flat,neon"], "a style follows a prompt"),
    ],
)
def test_mistakes(models, vary, said):
    zoo, animals, *_ = models
    with pytest.raises(RecipeError, match=said):
        list(sheet(sheet_of(vary, Sample(model=animals, seed=1)), zoo))


def test_a_mistake_in_the_last_value_shows_before_anything_is_painted(models):
    zoo, animals, *_ = models
    steps = sheet(sheet_of(["threshold=1,-1"], Sample(model=animals, seed=1)), zoo)
    with pytest.raises(RecipeError, match="greater than 0"):
        next(steps)
