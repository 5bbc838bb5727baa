import pytest
from pydantic import ValidationError

from phosphene.studio.recipes.base import Painting, Recipe
from phosphene.studio.recipes.imagine import Imagine


def test_a_recipe_cannot_change():
    with pytest.raises(ValidationError, match="frozen"):
        Imagine(prompt="x").prompt = "y"


def test_nothing_that_was_not_asked_for():
    with pytest.raises(ValidationError, match="extra"):
        Recipe(kind="x", prompt="y")


def test_a_kind_of_painting_has_a_title_and_seeds():
    with pytest.raises(TypeError, match="abstract"):
        Painting(kind="x")

    class Dots(Painting):
        kind: str = "dots"

        @property
        def title(self) -> str:
            return "dots"

        def all_seeds(self) -> tuple[int, ...]:
            return 3, 5

    assert Dots().labels() == ["3", "5"]
    assert Dots().with_seed() == Dots()
