"""What every recipe is: frozen, validated plain data. Imports neither torch nor numpy."""

from abc import abstractmethod
from typing import Self

from pydantic import BaseModel, ConfigDict


class Plain(BaseModel):
    """Data that cannot change, and holds nothing that was not asked for."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, protected_namespaces=()
    )


class Recipe(Plain):
    """What is wanted.

    Args:
        kind: Tells the kinds apart; each has a name of its own, which is its default.
    """

    kind: str

    @property
    def leaves_files(self) -> bool:
        """Whether files that belong to its pictures lie beside them, in the run's folder."""
        return False

    def with_seed(self) -> Self:
        """The recipe with a seed: its own, or one drawn now.

        Surfaces call this before they run a recipe, so that what runs is what is written down.
        """
        return self


class Painting(Recipe):
    """A recipe of pictures that carry it."""

    @property
    @abstractmethod
    def title(self) -> str:
        """What the pictures show, in a few words: files are named after it."""

    @abstractmethod
    def all_seeds(self) -> tuple[int, ...]:
        """The seed of each picture; of a picture of many, theirs."""

    def labels(self) -> list[str]:
        """What tells the files apart, one label each; it follows the title in their names."""
        return [str(seed) for seed in self.all_seeds()]
