"""How one kind of recipe is carried out, and a picture of it made again.

The module that carries out a kind of recipe has a `CRAFT`; `recipe.HOMES` says which module it is.
"""

import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from phosphene.core.protocols import Step
from phosphene.studio.artifact import Artifact, Manifest
from phosphene.studio.recipe import HOMES, Recipe
from phosphene.zoo import Zoo


@dataclass(frozen=True, slots=True)
class Painted(Step):
    """The step that finished a picture.

    Args:
        beside: Other files that belong to the picture, by what follows its name's stem, as
            ".mp4", with where they lie in the run's folder; they move to where the picture goes.
    """

    artifact: Artifact | None = None
    beside: Mapping[str, Path] = field(default_factory=dict)


class CarryOut(Protocol):
    """Carries out a recipe; `run` tells the arguments and errors.

    What keeps no files ignores the folder, and what cannot go on from a checkpoint `resume`.
    """

    def __call__(
        self, recipe: Any, zoo: Zoo, device: str, folder: Path | None, resume: bool, /
    ) -> Iterator[Step]: ...


class Again(Protocol):
    """Paints the one picture of a manifest again; its last step is `Painted`."""

    def __call__(self, manifest: Manifest, zoo: Zoo, device: str, /) -> Iterator[Step]: ...


@dataclass(frozen=True, slots=True)
class Craft:
    """What can be done with a kind of recipe.

    Args:
        again: None for what paints no pictures.
        shared: Several processes can carry it out together; `carry_out` then takes their `team`.
    """

    carry_out: CarryOut
    again: Again | None = None
    shared: bool = False


def craft_of(recipe: Recipe) -> Craft:
    """Find how a recipe is carried out; only then is what it needs imported."""
    craft: Craft = importlib.import_module(HOMES[type(recipe)]).CRAFT
    return craft
