import math

import pytest
from pydantic import ValidationError

from phosphene.studio.recipes.train import Train
from phosphene.training.loop import CHECKPOINT, HEALTHY


@pytest.mark.parametrize("bad", [{"a": math.inf}, {"a": [math.nan]}, {"a": {"b": "\udcff"}}])
def test_free_form_sections_hold_what_json_holds(bad):
    with pytest.raises(ValidationError):
        Train(learner="vqgan", steps=1, model=bad)


def test_its_seed_is_never_drawn():
    recipe = Train(learner="vqgan", steps=1)
    assert recipe.with_seed() is recipe


@pytest.mark.parametrize("file", [CHECKPOINT, HEALTHY])
def test_a_name_must_not_be_that_of_a_file_of_the_run(file):
    name = file.removesuffix(".safetensors")
    with pytest.raises(ValidationError, match=f"{name}.safetensors is a file of the run itself"):
        Train(learner="gan", steps=1, name=name)
    assert Train(learner="gan", steps=1, name=f"{name}-1").name == f"{name}-1"
