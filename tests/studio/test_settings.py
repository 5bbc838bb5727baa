"""Settings of plain tables; what is wrong is named with its section."""

from dataclasses import dataclass

import pytest

from phosphene.core.errors import RecipeError
from phosphene.studio.settings import settings_of


@dataclass(frozen=True)
class Tune:
    tempo: int = 120
    notes: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.tempo > 300:
            raise RecipeError(f"tempo is {self.tempo}; nobody can play that")


def test_tables_become_settings() -> None:
    assert settings_of(Tune, {"notes": [1, 2]}, "tune") == Tune(120, (1, 2))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"temp": 1}, r"unknown key tune\.temp; did you mean 'tempo'.* keys are: tempo, notes"),
        ({"tempo": 400}, "^tempo is 400; nobody can play that$"),
        ({"tempo": "fast"}, r"tune\.tempo: 'fast' should be a valid integer"),
    ],
)
def test_mistakes(values: dict[str, object], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        settings_of(Tune, values, "tune")
