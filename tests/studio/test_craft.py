import pytest

from phosphene.studio.craft import Craft, craft_of
from phosphene.studio.recipe import HOMES, Imagine, Painting, Sample
from phosphene.studio.sample import sample, sample_again


@pytest.mark.parametrize("kind", HOMES, ids=lambda kind: kind.__name__)
def test_every_kind_is_carried_out_and_every_painting_again(kind):
    craft = craft_of(kind.model_construct())
    assert isinstance(craft, Craft)
    assert (craft.again is not None) == issubclass(kind, Painting)


def test_each_by_its_own_module():
    assert craft_of(Sample()) == Craft(sample, sample_again)
    assert craft_of(Imagine(prompt="x")) != craft_of(Sample())
