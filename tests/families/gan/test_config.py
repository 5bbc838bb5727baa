"""What every config of a GAN checks, and in which words."""

from dataclasses import dataclass

import pytest

from phosphene.core.errors import CheckpointError, RecipeError
from phosphene.families.gan.config import (
    config_from,
    demand_choice,
    demand_network,
    demand_whole,
    sides_of,
)


@dataclass(frozen=True)
class Shape:
    widths: tuple[tuple[int, int], ...] = ()
    depth: int = 1

    def __post_init__(self) -> None:
        demand_whole("Toy", "depth", self.depth, 1, 8)


def test_lists_become_tuples_and_the_zoos_keys_are_left_out() -> None:
    values = {"widths": [[1, 2]], "family": "gan", "arch": "toy", "class_names": ["a"], "size": 4}
    assert config_from(Shape, values) == Shape(((1, 2),))


@pytest.mark.parametrize(("values", "word"), [({"deep": 1}, "deep"), ({"depth": 9}, "depth is 9")])
def test_configs_that_cannot_be(values: dict[str, int], word: str) -> None:
    with pytest.raises(CheckpointError, match=f"not a Shape: .*{word}"):
        config_from(Shape, values)


def test_sides() -> None:
    assert sides_of("Toy", 64) == (64, 64)
    assert sides_of("Toy", (32, 64)) == (32, 64)
    for wrong in ((1, 2, 3), 3, 5000, True, "64"):
        with pytest.raises(RecipeError, match="Toy resolution is"):
            sides_of("Toy", wrong)


def test_whole_numbers_choices_and_networks() -> None:
    for wrong in (0, 9, 1.0, True, None):
        with pytest.raises(RecipeError, match=r"Toy depth is .* from 1 to 8"):
            demand_whole("Toy", "depth", wrong, 1, 8)
    with pytest.raises(RecipeError, match="it can be a, b"):
        demand_choice("Toy", "kind", "c", ("a", "b"))
    demand_network("Toy", 0, 4)
    for classes, channels in ((-1, 3), (0, 2), (0, True)):
        with pytest.raises(RecipeError):
            demand_network("Toy", classes, channels)
