"""What the configs of all GAN families check. Knows no network."""

from collections.abc import Mapping
from typing import Any, TypeVar

from phosphene.core.errors import CheckpointError, RecipeError

Config = TypeVar("Config")
Resolution = int | tuple[int, int]

MAX_SIDE = 4096
MAX_CLASSES = 100_000
CHANNELS = (1, 3, 4)  # grey, RGB, RGBA
# the zoo's own keys, and the generator's: not the network's
OUTER_KEYS = ("family", "arch", "size", "class_names", "prior")


def demand_whole(family: str, name: str, value: object, lowest: int, highest: int) -> None:
    """Check a whole number.

    Raises:
        RecipeError: names the family, the field, its value and the range.
    """
    if type(value) is not int or not lowest <= value <= highest:
        raise RecipeError(
            f"{family} {name} is {str(value)[:40]}; it must be a whole number from {lowest:,} to "
            f"{highest:,}"
        )


def demand_choice(family: str, name: str, value: object, choices: tuple[Any, ...]) -> None:
    """Check that a value is one of a few.

    Raises:
        RecipeError: names the family, the field, its value and the choices.
    """
    if value not in choices or type(value) not in {type(choice) for choice in choices}:
        raise RecipeError(
            f"{family} {name} is {str(value)[:40]!r}; it can be "
            f"{', '.join(str(choice) for choice in choices)}"
        )


def sides_of(family: str, resolution: object) -> tuple[int, int]:
    """Height and width in px of a resolution given as one side or as a pair.

    Raises:
        RecipeError: it is neither, or out of range.
    """
    pair = resolution if isinstance(resolution, tuple) else (resolution, resolution)
    if len(pair) != 2:
        raise RecipeError(
            f"{family} resolution is {str(resolution)[:40]}; give one side, or height and width"
        )
    for side in pair:
        demand_whole(family, "resolution", side, 4, MAX_SIDE)
    return pair


def demand_network(family: str, num_classes: object, channels: object) -> None:
    """Check what every network has.

    Raises:
        RecipeError: a number of classes or channels that cannot be.
    """
    demand_whole(family, "num_classes", num_classes, 0, MAX_CLASSES)
    demand_choice(family, "channels", channels, CHANNELS)


def config_from(kind: type[Config], values: Mapping[str, Any]) -> Config:
    """Rebuild a config dataclass from JSON, where tuples became lists.

    Raises:
        CheckpointError: an unknown field, or a value out of range.
    """
    fixed: dict[str, Any] = {
        key: _tupled(value) for key, value in values.items() if key not in OUTER_KEYS
    }
    try:
        return kind(**fixed)
    except (TypeError, RecipeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise CheckpointError(f"not a {kind.__name__}: {reason}") from None


def _tupled(value: Any) -> Any:
    return tuple(_tupled(item) for item in value) if isinstance(value, list) else value
