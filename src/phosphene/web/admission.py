"""Which recipes may come over HTTP: those that name no file of this machine.

Pictures are named by `artifact:ID`, models by their name in the registry, folders to learn from by
`folder:NAME` where whoever serves has allowed it. Each field that can hold
text has a rule; a field without one is refused, so that one that is added later is refused until
somebody has thought about it.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Annotated, Any, Literal, get_args, get_origin

from phosphene.core.errors import RecipeError, did_you_mean
from phosphene.prompting.alternatives import combinations, has_alternatives, num_combinations
from phosphene.prompting.prompt import SCENE_MARK, clean, parse
from phosphene.studio.data_folders import PREFIX, folder_name
from phosphene.studio.recipe import (
    Animate,
    Breed,
    Edit,
    Imagine,
    Incantation,
    Invert,
    Mix,
    Recipe,
    Sample,
    Sheet,
    Train,
    Walk,
)
from phosphene.studio.recipe_text import recipe_with
from phosphene.studio.recipes.fields import split_weight
from phosphene.studio.recipes.sheet import STYLE
from phosphene.studio.references import REFERENCE, file_name

Models = Collection[str]
Rule = Callable[[Any, Models], Iterator[str]]
"""Takes a value and the models there are; yields complaints."""

MAX_COMBINATIONS = 256  # of alternatives that are looked at one by one
NOT_A_PICTURE = "names a file; over HTTP a picture is `artifact:ID`, of the gallery"
_PICTURE = re.compile(rf"{REFERENCE.pattern}(:\d+)?")
_SEEDS = re.compile(r"\d+(-\d+)?")
_WORD = re.compile(r"[A-Za-z0-9_,-]{0,200}")  # of a learner's settings
_FILE = re.compile(r"\.(png|jpe?g|webp|json|toml|safetensors|txt)", re.IGNORECASE)


def admit(recipe: Recipe, models: Models) -> None:
    """Let a recipe from the network pass, or not.

    Args:
        models: Names of the registry.
    Raises:
        RecipeError: it names a file, or a model that is none of these.
    """
    rules = RULES.get(type(recipe))
    if rules is None:
        raise RecipeError(f"kind: {recipe.kind!r} reads and writes files; run it at the terminal")
    _apply(rules, recipe, models)


def _apply(rules: Mapping[str, Rule], recipe: Recipe, models: Models) -> None:
    for name, field in type(recipe).model_fields.items():
        value = getattr(recipe, name)
        rule = rules.get(name) or (_plain if is_closed(field.annotation) else _unknown)
        if value == field.get_default() and rule is not _model:
            continue
        for complaint in rule(value, models):
            raise RecipeError(f"{name}: {complaint}")


def is_closed(annotation: Any) -> bool:
    """Whether a field can hold numbers and words of a list alone, so no name of a file."""
    if get_origin(annotation) is Annotated:
        return is_closed(get_args(annotation)[0])
    if get_origin(annotation) is Literal or annotation in (int, float, bool, type(None)):
        return True
    inner = [a for a in get_args(annotation) if a is not Ellipsis]
    if inner and all(isinstance(a, type) or get_origin(a) is not None for a in inner):
        return all(is_closed(a) for a in inner)
    fields = getattr(annotation, "model_fields", None)
    if fields is not None:
        return all(is_closed(field.annotation) for field in fields.values())
    return False


def _plain(_value: Any, _models: Models) -> Iterator[str]:
    """Text that is looked up among names, or only shown: nothing opens it."""
    yield from ()


def _unknown(_value: Any, _models: Models) -> Iterator[str]:
    yield "cannot be given over HTTP"


def _model(value: Any, models: Models) -> Iterator[str]:
    if value is not None and value not in models:
        near = did_you_mean(value, models)
        yield f"no model {value[:80]!r} in the registry{near}; over HTTP models go by name"


def _other_model(value: Any, models: Models) -> Iterator[str]:
    """One that is used if another field asks for it: the default may be missing."""
    yield from _model(value, models)


def _models(value: Any, models: Models) -> Iterator[str]:
    for entry in value:
        yield from _model(split_weight(entry)[0], models)


def _picture(value: Any, _models: Models) -> Iterator[str]:
    if value is not None and not _PICTURE.fullmatch(value):
        yield f"{value[:80]!r} {NOT_A_PICTURE}"


def _pictures(value: Any, models: Models) -> Iterator[str]:
    for entry in value:
        yield from _picture(split_weight(entry)[0], models)


def _relatives(value: Any, _models: Models) -> Iterator[str]:
    """Seeds, ranges of seeds, and pictures."""
    for entry in value:
        if not _SEEDS.fullmatch(entry) and not _PICTURE.fullmatch(entry):
            yield f"{entry[:80]!r} {NOT_A_PICTURE}"


def _examples(value: Any, models: Models) -> Iterator[str]:
    for examples in value.values():
        yield from _relatives((*examples.having, *examples.lacking), models)


def _prompt(value: Any, _models: Models) -> Iterator[str]:
    """Words; a phrase that reads as a picture has to be one of the gallery."""
    text = REFERENCE.sub(lambda match: file_name(match[1]), value)
    known = {file_name(name) for name in REFERENCE.findall(value)}
    prompts = [text]
    if has_alternatives(text):
        if num_combinations(text) <= MAX_COMBINATIONS:
            prompts += combinations(text)
        elif "." in text:  # a picture's name has a point, however it is put together
            yield f"more than {MAX_COMBINATIONS} combinations, with a point in them"
            return
    for prompt in prompts:
        if not clean(prompt.replace(SCENE_MARK, " ")).strip("| "):
            continue
        for scene in parse(prompt).scenes:
            for phrase in scene:
                if phrase.image is not None and phrase.image not in known:
                    yield f"{phrase.image[:80]!r} {NOT_A_PICTURE}"


def _prompts(value: Any, models: Models) -> Iterator[str]:
    for prompt in value:
        yield from _prompt(prompt, models)


def _words(value: Any, models: Models) -> Iterator[str]:
    """Prompts by frame."""
    yield from _prompts(value.values(), models)


def _path(value: Any, models: Models) -> Iterator[str]:
    """A walk, as text or as data: no text in it looks like a file's name."""
    if isinstance(value, str):
        has_folder = re.search(r"[/\\]", value) and REFERENCE.search(value)
        if has_folder or _FILE.search(REFERENCE.sub("", value)):
            yield f"{value[:80]!r} {NOT_A_PICTURE}"
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _path(str(key), models)
            yield from _path(inner, models)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _path(inner, models)


def _nested(value: Any, models: Models) -> Iterator[str]:
    admit(value, models)
    yield from ()


def _table(value: Any, models: Models) -> Iterator[str]:
    """A network's shape, or a learner's settings: numbers, and words of a list."""
    if isinstance(value, str) and not _WORD.fullmatch(value):
        yield f"{value[:80]!r} is no word of a learner's settings"
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            if key in ("autoencoder", "text"):  # a model's config: opened when it paints
                yield f"{key} is said by the fields painter and text"
            yield from _table(key, models)
            yield from _table(inner, models)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _table(inner, models)


# where training is allowed; `output` is the server's, so it has no rule
TRAINING: dict[str, Rule] = {
    "data": _plain,  # looked up among the folders before
    "name": _plain,  # has a pattern: letters, digits, points
    "classes": _plain,  # looked up among the names of what was found
    "styles": _plain,
    "features": _other_model,
    "text": _other_model,
    "painter": _other_model,
    "model": _table,
    "settings": _table,
}
RULES: dict[type[Recipe], dict[str, Rule]] = {
    Imagine: {
        "prompt": _prompt,
        "model": _model,
        "drafter": _other_model,
        "perceptors": _models,
        "init_image": _picture,
        "mask": _picture,
        "image_prompts": _pictures,
        "negative_prompt": _plain,  # words, whatever they look like
        "sampler": _plain,
        **dict.fromkeys(("cut_overview", "cut_smallest"), _plain),  # curves
    },
    Animate: {
        "of": _nested,
        "prompts": _words,
        **dict.fromkeys(("zoom", "angle", "shift_x", "shift_y", "strength"), _plain),
    },
    Sample: {"model": _model, "seeds": _plain, "classes": _plain},
    Mix: {"model": _model, "rows": _plain, "columns": _plain, "layers": _plain, "classes": _plain},
    Walk: {"model": _model, "path": _path, "features": _model},
    Breed: {
        "model": _model,
        **dict.fromkeys(("parents", "liked", "shown"), _relatives),
        "classes": _plain,
        "family": _path,
        "born": _plain,
    },
    Edit: {
        "model": _model,
        "source": _picture,
        "classes": _plain,
        "directions": _plain,
        "attributes": _examples,
        "layers": _plain,
        "start": _plain,
    },
    Invert: {"photo": _picture, "model": _model, "classes": _plain, "features": _model},
    Sheet: {"of": _nested, "vary": _plain},
    Incantation: {
        "words": _prompt,
        "prompts": _prompts,
        "seeds": _plain,
        "of": _nested,
        "judge": _model,
        "features": _model,
    },
}


def _varied(value: Any, models: Models) -> Iterator[str]:
    """Each value of each axis: of words, that they name no picture; see `admit_sheet`."""
    for axis in value:
        if axis.field == STYLE:
            yield from _prompts(axis.values, models)


RULES[Sheet]["vary"] = _varied


def admit_recipe(recipe: Recipe, models: Models, folders: Collection[str] | None = None) -> None:
    """The same, and each recipe that a sheet would carry out; and training, where it is allowed.

    Args:
        folders: Names of those that may be learnt from; None lets nobody train.
    Raises:
        RecipeError: as for `admit`; or a training that names none of the folders.
    """
    if isinstance(recipe, Train):
        _admit_training(recipe, models, folders)
        return
    admit(recipe, models)
    if isinstance(recipe, Sheet):
        for axis in recipe.vary:
            for value in axis.values if axis.field != STYLE else ():
                admit(recipe_with(recipe.of, {axis.field: value}), models)


def _admit_training(recipe: Train, models: Models, folders: Collection[str] | None) -> None:
    if folders is None:
        raise RecipeError(
            "kind: 'train' reads and writes files; run it at the terminal, or start "
            "`phosphene serve --data-dir DIR`"
        )
    if folder_name(recipe) not in folders:
        given = "nothing" if recipe.data is None else repr(recipe.data[:80])
        raise RecipeError(f"data: {given} is no `{PREFIX}NAME` of a folder that is offered here")
    _apply(TRAINING, recipe, models)
