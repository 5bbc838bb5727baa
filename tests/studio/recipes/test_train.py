import math

import pytest
from pydantic import ValidationError

from phosphene.studio.recipes.train import Train


@pytest.mark.parametrize("bad", [{"a": math.inf}, {"a": [math.nan]}, {"a": {"b": "\udcff"}}])
def test_free_form_sections_hold_what_json_holds(bad):
    with pytest.raises(ValidationError):
        Train(learner="vqgan", steps=1, model=bad)


def test_its_seed_is_never_drawn():
    recipe = Train(learner="vqgan", steps=1)
    assert recipe.with_seed() is recipe
