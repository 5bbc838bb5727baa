"""What a visitor of Train has chosen: a folder and the text of a recipe; as a recipe, and back."""

import json
import shlex
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from phosphene.core.errors import RecipeError
from phosphene.studio.data_folders import PREFIX, folder_name
from phosphene.studio.recipe import Train
from phosphene.studio.recipe_text import parse_recipe
from phosphene.web.pages.wish import MAX_LINK

STARTERS = {"dcgan": "Small DCGAN", "fastgan": "FastGAN", "stylegan2": "Small StyleGAN2"}
PLACE = Path(__file__).with_name("starters")
MAX_TEXT = 100_000


@cache
def starter(name: str) -> str:
    """The text of a recipe to begin with, TOML."""
    return (PLACE / f"{name}.toml").read_text(encoding="utf-8")


@dataclass
class TrainingPlan:
    """The form, and the run that is looked at.

    Args:
        folder: Name of the folder that is learnt from.
        text: The recipe, TOML or JSON.
        job: Id of the run; empty if there is none.
    """

    folder: str = ""
    text: str = ""
    job: str = ""

    def recipe(self) -> Train:
        """The recipe of what is filled in; nobody has admitted it yet.

        Raises:
            RecipeError: no folder, or a text that is no training recipe.
        """
        if not self.folder:
            raise RecipeError("data: choose a folder to learn from")
        recipe = parse_recipe({**_values(self.text), "data": PREFIX + self.folder})
        if not isinstance(recipe, Train):
            raise RecipeError(f"kind: {recipe.kind!r} is no training; it should be 'train'")
        return recipe

    @property
    def starter(self) -> str:
        """Which of the starters the text is; empty if it is none."""
        return next((name for name in STARTERS if starter(name) == self.text), "")

    def query(self) -> dict[str, str]:
        """The form as the query of an address; a text that is too long for one is left out."""
        if self.job:
            return {"job": self.job}
        text = {"recipe": self.text} if len(self.text) <= MAX_LINK else {}
        if self.starter:
            text = {"start": self.starter}
        return {**({"folder": self.folder} if self.folder else {}), **text}


def plan_from(
    query: Mapping[str, str], folders: list[str], recipe: Train | None = None
) -> TrainingPlan:
    """The form of an address.

    Args:
        folders: Names of those that are offered; the first is chosen if none is.
        recipe: Of the run that the address names.
    """
    first = next(iter(STARTERS))
    if recipe is not None:
        return TrainingPlan(folder_name(recipe) or "", _text_of(recipe), query.get("job", ""))
    start = query.get("start", first)
    text = query.get("recipe", "") or starter(start if start in STARTERS else first)
    folder = query.get("folder", "")
    return TrainingPlan(folder if folder in folders else next(iter(folders), ""), text[:MAX_TEXT])


def _text_of(recipe: Train) -> str:
    """The starter that says the same, with its comments; else the recipe as TOML."""
    folder = folder_name(recipe) or "-"
    plans = [TrainingPlan(folder, starter(name)) for name in STARTERS]
    return next((p.text for p in plans if p.recipe() == recipe), toml_of(recipe))


def toml_of(recipe: Train) -> str:
    """A recipe as TOML, without the folder: the fields that were changed."""
    changed = recipe.model_dump(mode="json", exclude_defaults=True, exclude={"kind", "data"})
    tables = {name: changed.pop(name) for name in ("model", "settings") if name in changed}
    lines = ['kind = "train"', *_lines(changed)]
    for name, values in tables.items():
        lines += ["", f"[{name}]", *_lines(values)]
    return "\n".join(lines) + "\n"


def train_command(recipe: Train) -> str:
    """The recipe as a line for a shell, in the folder that its pictures' folder is in."""
    data = shlex.quote(folder_name(recipe) or recipe.data or "")
    text = shlex.quote(toml_of(recipe))
    return f"printf '%s' {text} > recipe.toml && phosphene train recipe.toml {data}"


def train_python(recipe: Train) -> str:
    """The recipe as a few lines of Python, likewise."""
    changed = recipe.model_dump(mode="json", exclude_defaults=True, exclude={"kind", "data"})
    whole = {"kind": "train", "data": folder_name(recipe) or recipe.data, **changed}
    return (
        "from pathlib import Path\n\n"
        "from phosphene import Zoo, run\n"
        "from phosphene.studio.recipe_text import parse_recipe\n\n"
        f"recipe = parse_recipe({whole!r})\n"
        f'for step in run(recipe, Zoo(), folder=Path("phosphene-runs/train-{recipe.name}")):\n'
        "    print(step.index + 1, dict(step.scalars))"
    )


def address_query(recipe: Train) -> dict[str, str]:
    """The query of an address that opens with the recipe filled in."""
    return TrainingPlan(folder_name(recipe) or "", toml_of(recipe)).query()


def _lines(values: Mapping[str, Any]) -> list[str]:
    return [f"{_key(name)} = {_toml(v)}" for name, v in values.items() if v is not None]


def _toml(value: Any) -> str:
    """A value in a line; what JSON says of numbers, words and lists TOML says too."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(_lines(value)) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(v) for v in value if v is not None) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    """A key, bare where it can be."""
    return name if name.isascii() and name.isidentifier() else _toml(name)


def _values(text: str) -> dict[str, Any]:
    """What a text says.

    Raises:
        RecipeError: it is neither TOML nor JSON, or holds no fields.
    """
    if not text.strip():
        raise RecipeError("recipe: paste one, or choose one to begin with")
    if len(text) > MAX_TEXT:
        raise RecipeError(f"recipe: longer than {MAX_TEXT:,} characters")
    try:
        is_json = text.lstrip().startswith("{")
        values = json.loads(text) if is_json else tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        reason = str(error).splitlines()[0] or type(error).__name__
        raise RecipeError(f"recipe: neither TOML nor JSON: {reason}") from None
    return {"kind": "train", **values}
