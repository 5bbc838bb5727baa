"""Any recipe as something to take away: a command, a piece of Python, an address."""

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from phosphene.studio.recipe import Breed, Imagine, Recipe, Sample, Sheet, Train, Walk
from phosphene.studio.recipe_text import dump_recipe
from phosphene.studio.references import REFERENCE
from phosphene.web.pages.layout import pairs_of
from phosphene.web.pages.training_plan import address_query, train_command, train_python
from phosphene.web.pages.walked import route_of
from phosphene.web.pages.wish import query_of
from phosphene.web.persons import dream_fields

# options of the command line that are not called as their fields
OPTIONS = {
    "imagine": {
        **{n: f"--{n}" for n in ("method", "model", "iterations", "seed", "count", "video")},
        "init_image": "--init",
    },
    "sample": {
        **{n: f"--{n}" for n in ("count", "seed", "seeds", "classes")},
        "truncation_psi": "--psi",
        "truncation_threshold": "--threshold",
    },
    "breed": {n: f"--{n}" for n in ("parents", "children", "mutation", "space", "seed", "layout")},
}
SUBJECTS = {"imagine": "prompt", "sample": "model", "breed": "model"}


def as_command(recipe: Recipe) -> str:
    """The recipe as a line for a shell. A picture of the gallery is a file that is called as its
    download is.
    """
    kind = recipe.kind
    if isinstance(recipe, Train):
        return train_command(recipe)
    if kind not in OPTIONS:
        text = shlex.quote(_with_files(dump_recipe(recipe)))
        return f"printf '%s' {text} > recipe.json && phosphene run recipe.json"
    fields = _fields(recipe)
    named = fields.pop(SUBJECTS[kind], getattr(recipe, SUBJECTS[kind]))
    subject = _with_files(str(named or ""))
    words = ["phosphene", kind]
    if "width" in fields and "height" in fields and kind == "imagine":
        words += ["--size", str(fields.pop("width")), str(fields.pop("height"))]
    for name, value in fields.items():
        option = OPTIONS[kind].get(name)
        if option is not None:
            words += [option, _with_files(_plain(value))]
        else:
            for key, inner in _flat(name, value):
                words += ["--set", f"{key}={_with_files(_plain(inner))}"]
    if subject:
        words += ["--", subject] if subject.startswith("-") else [subject]
    return shlex.join(words)


def as_python(recipe: Recipe) -> str:
    """The recipe as a few lines of Python."""
    if isinstance(recipe, Train):
        return train_python(recipe)
    fields = _fields(recipe)
    if isinstance(recipe, Imagine | Sample) and fields.get("count", 1) == 1:
        subject = fields.pop(SUBJECTS[recipe.kind], getattr(recipe, SUBJECTS[recipe.kind]))
        given = [repr(_with_files(subject))]
        given += [f"{name}={_literal(value)}" for name, value in fields.items()]
        first = "" if isinstance(recipe, Imagine) else "[0]"
        call = f"phosphene.{recipe.kind}({', '.join(given)}){first}"
        return f'import phosphene\n\n{call}.save("picture.png")'
    whole = {"kind": recipe.kind, **fields}
    return (
        "from phosphene import Zoo, run\n"
        "from phosphene.studio.recipe_text import parse_recipe\n\n"
        f"recipe = parse_recipe({_literal(whole)})\n"
        "made = [step.artifact for step in run(recipe, Zoo()) if hasattr(step, 'artifact')]\n"
        "for number, artifact in enumerate(made):\n"
        '    artifact.save(f"picture-{number}.png")'
    )


def as_address(base: str, recipe: Recipe) -> str:
    """An address of this studio that opens with the recipe filled in; of a face, the face itself.

    Args:
        base: Scheme and host, without a slash at the end.
    """
    path, query = _place(recipe)
    return f"{base}{path}?{urlencode(query)}"


def _place(recipe: Recipe) -> tuple[str, Mapping[str, str] | list[tuple[str, str]]]:
    """The page that shows a recipe, and the query that fills it in; else what the gallery has."""
    match recipe:
        case Imagine():
            found: Any = ("/imagine", query_of(recipe))
        case Train():
            found = ("/train", address_query(recipe))
        case Sample(count=1, seed=int(seed), truncation_psi=psi, truncation_threshold=threshold):
            truncation = threshold if psi is None else psi
            found = ("/person", dream_fields(recipe.model, seed, truncation))
        case Breed():
            found = ("/breed", query_of(recipe))
        case Sheet():
            found = ("/sheets", pairs_of(recipe))
        case Walk() if (route := route_of(recipe)) is not None:
            found = ("/wander", route.query())
        case _:
            found = ("/gallery", {"kind": recipe.kind})
    return found  # type: ignore[no-any-return]


def file_for(artifact: str) -> str:
    """What a picture is called when it is downloaded."""
    return f"{artifact[:12]}.png"


def _fields(recipe: Recipe) -> dict[str, Any]:
    changed = recipe.model_dump(mode="json", exclude_defaults=True)
    changed.pop("kind", None)
    return changed


def _with_files(text: str) -> str:
    return REFERENCE.sub(lambda match: file_for(match[1]), text)


def _literal(value: Any) -> str:
    return _with_files(repr(value))


def _plain(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(v, str) and "," not in v for v in value):
        return ",".join(value)
    return json.dumps(value, ensure_ascii=False)


def _flat(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(f"{name}.{key}", inner)
    else:
        yield name, value
