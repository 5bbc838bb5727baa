"""A sheet: a recipe carried out for each pair of values of two of its fields, laid out as a table.

Each cell is the sole picture of its recipe: `phosphene sample --seed 3 --psi 0.5` is what stands
where seed 3 meets psi 0.5.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from phosphene.core.errors import RecipeError
from phosphene.core.lettering import labelled
from phosphene.core.protocols import Step
from phosphene.prompting.prompt import with_phrase
from phosphene.studio.artifact import Artifact, Manifest, Surroundings, artifact_of
from phosphene.studio.craft import Craft, Painted, craft_of
from phosphene.studio.recipe import Imagine, Painting, Sample, Sheet
from phosphene.studio.recipe_text import recipe_with
from phosphene.studio.recipes.sheet import SHORT, STYLE, Vary
from phosphene.zoo import Zoo

Varied = TypeVar("Varied", Sample, Imagine, Sample | Imagine)
SPEAK_FOR_THEMSELVES = ("prompt", STYLE, "classes", "model", "method")  # labels without a name


def sheet(
    recipe: Sheet,
    zoo: Zoo,
    device: str = "cpu",
    _folder: Path | None = None,
    _resume: bool = False,
) -> Iterator[Step]:
    """Paint a sheet.

    Yields:
        The steps of all pictures, one after the other; the sheet is `Painted` last.
    Raises:
        RecipeError: a field that the recipe lacks, or a value that it does not take.
        PhospheneError: as for what is varied.
    """
    cells = [cell_of(recipe, values) for values in _combinations(recipe)]
    artifacts: list[Artifact] = []
    total = 0
    for number, cell in enumerate(cells):
        for step in craft_of(cell).carry_out(cell, zoo, device, None, False):
            # as if all pictures took as long as this one
            index, total = number * step.total + step.index, len(cells) * step.total + 1
            yield Step(index, total, step.view, step.scalars, step.notes)
            if isinstance(step, Painted) and step.artifact is not None:
                artifacts.append(step.artifact)
    new = _laid_out(recipe, artifacts)
    yield Painted(total - 1, total, new.image[None], artifact=new)


def sheet_again(manifest: Manifest, zoo: Zoo, device: str = "cpu") -> Iterator[Step]:
    """Paint a sheet again."""
    assert isinstance(manifest.recipe, Sheet)
    return sheet(manifest.recipe, zoo, device)


def cell_of(recipe: Sheet, values: Mapping[str, str]) -> Sample | Imagine:
    """The recipe of one picture: what is varied, with a value for each field that varies.

    Raises:
        RecipeError: a field that the recipe lacks, or a value that it does not take.
    """
    fields = {name: value for name, value in values.items() if name != STYLE}
    if "classes" in fields:  # one class a picture, whose name may hold commas
        fields["classes"] = json.dumps([fields["classes"]])
    of = recipe.of
    if isinstance(of, Imagine) and "model" not in fields:
        # all cells by one method, also those whose value is the default
        of = of.model_copy(update={"method": of.method_with(fields)})
    cell = recipe_with(of, fields)
    if STYLE not in values:
        return cell
    if not isinstance(cell, Imagine):
        raise RecipeError("vary: a style follows a prompt; give one, or vary another field")
    return recipe_with(cell, {"prompt": with_phrase(cell.prompt, values[STYLE])})


def _combinations(recipe: Sheet) -> list[dict[str, str]]:
    """The values of each picture, row by row; the first axis runs across."""
    across, *down = recipe.vary
    rows = [{down[0].field: value} for value in down[0].values] if down else [{}]
    return [{across.field: value, **row} for row in rows for value in across.values]


def _laid_out(recipe: Sheet, artifacts: list[Artifact]) -> Artifact:
    """The table of the pictures; its recipe leaves nothing open that they agree in."""
    across, *down = recipe.vary
    width = len(across.values)
    images = [artifact.image for artifact in artifacts]
    rows = [images[start : start + width] for start in range(0, len(images), width)]
    image = labelled(rows, [label for axis in down for label in _labels(axis)], _labels(across))
    of = completed(recipe.of, [artifact.manifest.recipe for artifact in artifacts])
    whole = recipe.model_copy(update={"of": of})
    return artifact_of(image, whole, 0, 1, surroundings_of(artifacts))


def surroundings_of(artifacts: Sequence[Artifact]) -> Surroundings:
    """What decides the pixels of pictures that were painted together, at least one."""
    manifests = [artifact.manifest for artifact in artifacts]
    return Surroundings(
        models={name: text for m in manifests for name, text in m.models.items()},
        inputs={name: text for m in manifests for name, text in m.inputs.items()},
        platform=manifests[0].platform,
    )


def completed(of: Varied, cells: Sequence[Painting]) -> Varied:
    """Fill in what the recipe left to the model, where all pictures were given the same."""
    filled = {}
    for name in type(of).model_fields:
        values = [getattr(cell, name) for cell in cells]
        if getattr(of, name) is None and all(value == values[0] for value in values):
            filled[name] = values[0]
    return of.model_copy(update=filled)


def _labels(axis: Vary) -> list[str]:
    if axis.field in SPEAK_FOR_THEMSELVES:
        return list(axis.values)
    names = {field: short for short, field in SHORT.items()}
    return [f"{names.get(axis.field, axis.field)} {value}" for value in axis.values]


CRAFT = Craft(sheet, sheet_again)
