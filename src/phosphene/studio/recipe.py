"""Recipes: what is wanted, as plain data. Imports neither torch nor numpy.

A recipe is the same thing in a TOML file, in JSON, in a web form, on the command line and inside
the PNG it made. Its fields are the only declaration of an option. Each kind stands in a module of
its own below `recipes/`; `HOMES` is the table of all kinds, and all that has to know of a new one.
"""

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from phosphene.studio.recipes.animate import Animate
from phosphene.studio.recipes.base import Painting, Recipe
from phosphene.studio.recipes.breed import Breed
from phosphene.studio.recipes.edit import Edit
from phosphene.studio.recipes.imagine import Imagine, Zoom
from phosphene.studio.recipes.incantation import Incantation
from phosphene.studio.recipes.invert import Invert
from phosphene.studio.recipes.mix import Mix
from phosphene.studio.recipes.sample import Sample
from phosphene.studio.recipes.sheet import Sheet
from phosphene.studio.recipes.train import Train
from phosphene.studio.recipes.walk import Walk

# Each kind of recipe, and the module whose CRAFT carries it out (see `craft.py`).
HOMES: dict[type[Recipe], str] = {
    Imagine: "phosphene.studio.imagine",
    Animate: "phosphene.studio.animate",
    Mix: "phosphene.studio.mix",
    Sample: "phosphene.studio.sample",
    Breed: "phosphene.studio.breed",
    Edit: "phosphene.studio.edit",
    Incantation: "phosphene.studio.incantation",
    Invert: "phosphene.studio.invert",
    Sheet: "phosphene.studio.sheet",
    Train: "phosphene.studio.train",
    Walk: "phosphene.studio.walk",
}
KINDS: dict[object, type[Recipe]] = {
    kind.model_fields["kind"].default: kind for kind in HOMES
}  # by name

if TYPE_CHECKING:
    AnyRecipe = Recipe
    AnyPainting = Painting
else:  # what pydantic reads: the kinds, told apart by their name
    _PAINTINGS = [kind for kind in HOMES if issubclass(kind, Painting)]
    AnyRecipe = Annotated[reduce(or_, HOMES), Field(discriminator="kind")]
    AnyPainting = Annotated[reduce(or_, _PAINTINGS), Field(discriminator="kind")]

__all__ = [
    "HOMES",
    "KINDS",
    "Animate",
    "AnyPainting",
    "AnyRecipe",
    "Breed",
    "Edit",
    "Imagine",
    "Incantation",
    "Invert",
    "Mix",
    "Painting",
    "Recipe",
    "Sample",
    "Sheet",
    "Train",
    "Walk",
    "Zoom",
]
