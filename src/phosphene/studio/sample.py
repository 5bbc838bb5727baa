"""A recipe's samples, one generator and one picture a seed."""

from collections.abc import Iterator
from pathlib import Path

import torch

from phosphene.core.images import Images, grid
from phosphene.core.latent import Condition
from phosphene.core.protocols import Step
from phosphene.studio.artifact import Artifact, Manifest, artifact_of
from phosphene.studio.craft import Craft, Painted
from phosphene.studio.dreamer import Dreamer, set_up
from phosphene.studio.recipe import Sample
from phosphene.zoo import Zoo


def sample(
    recipe: Sample,
    zoo: Zoo,
    device: str = "cpu",
    _folder: Path | None = None,
    _resume: bool = False,
) -> Iterator[Step]:
    """Paint all samples of a recipe.

    Yields:
        A step a picture, `Painted` if it is a file of its own; the grid is `Painted` last.
    Raises:
        PhospheneError: as for `dreamer.set_up` and `Dreamer.wanted`.
    """
    dreamer, conditions = _open(recipe, zoo, device)
    total, made = len(recipe.all_seeds()), []
    for index in range(total):
        images = _image(dreamer, recipe, conditions, index)
        if recipe.layout == "files":
            artifact = _artifact(dreamer, recipe, images, index)
            yield Painted(index, total, images, artifact=artifact)
        else:
            made.append(images)
            yield Step(index, total + 1, images)
    if recipe.layout == "grid":
        artifact = _artifact(dreamer, recipe, torch.cat(made), 0)
        yield Painted(total, total + 1, artifact.image[None], artifact=artifact)


def sample_again(manifest: Manifest, zoo: Zoo, device: str = "cpu") -> Iterator[Step]:
    """Paint one artifact again: the grid, or one of the pictures."""
    recipe, index = manifest.recipe, manifest.index
    assert isinstance(recipe, Sample)
    dreamer, conditions = _open(recipe, zoo, device)
    which = range(len(recipe.all_seeds())) if recipe.layout == "grid" else [index]
    made = torch.cat([_image(dreamer, recipe, conditions, i) for i in which])
    new = _artifact(dreamer, recipe, made, index)
    yield Painted(0, 1, new.image[None], artifact=new)


def _open(recipe: Sample, zoo: Zoo, device: str) -> tuple[Dreamer, list[Condition]]:
    """The generator and the classes that take turns: one that is missing shows at once."""
    dreamer = set_up(recipe, zoo, device)
    return dreamer, [dreamer.wanted(entry) for entry in recipe.classes]


def _image(dreamer: Dreamer, recipe: Sample, conditions: list[Condition], index: int) -> Images:
    turn = conditions[index % len(conditions)] if conditions else None
    return dreamer.image(recipe.all_seeds()[index], turn)


def _artifact(dreamer: Dreamer, recipe: Sample, images: Images, index: int) -> Artifact:
    """A picture, or the grid of all, with its manifest."""
    image = images[0]
    if recipe.layout == "grid":
        count = len(recipe.classes)
        image = grid(images, recipe.columns or (count if 1 < count <= 64 else None))
    return artifact_of(image, recipe, index, 1, dreamer.surroundings)


CRAFT = Craft(sample, sample_again)
