"""phosphene: the open studio for neural image synthesis.

    import phosphene

    image = phosphene.imagine("green heart | flat", seed=7)
    image.save("heart.png")

Names are loaded when they are first used, so that importing phosphene takes no time.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from phosphene.core.errors import PhospheneError
    from phosphene.core.protocols import Step
    from phosphene.studio.heredity import breed, edit, invert
    from phosphene.studio.picture import Picture, imagine, sample
    from phosphene.studio.recipe import Imagine, Recipe
    from phosphene.studio.recipe_text import load_recipe
    from phosphene.studio.replay import Verdict, replay
    from phosphene.studio.run import run
    from phosphene.studio.wander import mix, sheet, walk
    from phosphene.zoo import Zoo
    from phosphene.zoo import cards as models

__version__ = "0.1.0"

_HOMES = {
    "Imagine": "phosphene.studio.recipe",
    "PhospheneError": "phosphene.core.errors",
    "Picture": "phosphene.studio.picture",
    "Recipe": "phosphene.studio.recipe",
    "Step": "phosphene.core.protocols",
    "Verdict": "phosphene.studio.replay",
    "Zoo": "phosphene.zoo",
    "breed": "phosphene.studio.heredity",
    "edit": "phosphene.studio.heredity",
    "imagine": "phosphene.studio.picture",
    "invert": "phosphene.studio.heredity",
    "load_recipe": "phosphene.studio.recipe_text",
    "mix": "phosphene.studio.wander",
    "models": "phosphene.zoo:cards",
    "replay": "phosphene.studio.replay",
    "run": "phosphene.studio.run",
    "sample": "phosphene.studio.picture",
    "sheet": "phosphene.studio.wander",
    "walk": "phosphene.studio.wander",
}

__all__ = [
    "Imagine",
    "PhospheneError",
    "Picture",
    "Recipe",
    "Step",
    "Verdict",
    "Zoo",
    "__version__",
    "breed",
    "edit",
    "imagine",
    "invert",
    "load_recipe",
    "mix",
    "models",
    "replay",
    "run",
    "sample",
    "sheet",
    "walk",
]


def __getattr__(name: str) -> Any:
    """Load a public name from its home, once."""
    if name not in _HOMES:
        raise AttributeError(f"module 'phosphene' has no attribute {name!r}")
    module, _, original = _HOMES[name].partition(":")
    value = getattr(importlib.import_module(module), original or name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
