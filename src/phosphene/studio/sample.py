"""A recipe's samples, one generator and one picture a seed.

Each picture is decoded by itself, so that it has the same pixels alone, in a file among others and
in a grid.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from phosphene.core.errors import RecipeError, Unsupported
from phosphene.core.images import Images, grid
from phosphene.core.latent import Condition
from phosphene.core.protocols import Generator, Step
from phosphene.core.rng import Rng
from phosphene.core.runtime import resolve_device
from phosphene.studio.artifact import Artifact, Manifest, Platform, Surroundings, artifact_of
from phosphene.studio.craft import Craft, Painted
from phosphene.studio.recipe import Sample
from phosphene.studio.stage import dtype_of, model_hashes
from phosphene.zoo import Zoo


@dataclass(frozen=True, slots=True)
class Studio:
    """What all samples of a recipe share."""

    recipe: Sample
    generator: Any
    surroundings: Surroundings

    def image(self, index: int) -> Images:
        """The `index`-th picture, 1 c h w, clipped to [-1, 1]."""
        seed = self.recipe.all_seeds()[index]
        rng = Rng((seed,), "/sample")
        latent = self.generator.draw(rng.fork("z"))
        condition = self.condition(index)
        *_, last = self.generator.render(latent, rng.fork("render"), condition)
        images: Images = last.images.clamp(-1, 1).cpu()
        return images

    def condition(self, index: int) -> Condition | None:
        """The class whose turn it is; None lets the generator draw one."""
        classes = self.recipe.classes
        if not classes:
            return None
        wanted = _mixture(classes[index % len(classes)], self.generator)
        condition: Condition = self.generator.condition_of([wanted])
        return condition

    def artifact(self, images: Images, index: int) -> Artifact:
        """A picture, or the grid of all, with its manifest."""
        image = images[0]
        if self.recipe.layout == "grid":
            image = grid(images, self.recipe.columns or self._columns())
        return artifact_of(image, self.recipe, index, 1, self.surroundings)

    def _columns(self) -> int | None:
        count = len(self.recipe.classes)
        return count if 1 < count <= 64 else None


def set_up(recipe: Sample, zoo: Zoo, device: str = "cpu") -> Studio:
    """Load the generator of a recipe, and see that it can do what is asked.

    Raises:
        Unsupported: the model is no generator of latents, or knows no classes.
        RecipeError: a class that it lacks.
        WeightsError: its weights are not here.
    """
    place = resolve_device(device)
    generator = zoo.load(recipe.model, place)
    if not isinstance(generator, Generator):
        family = zoo.card(recipe.model).family
        raise Unsupported(
            f"model: {recipe.model!r} ({family}) is no generator that draws by itself; "
            "`phosphene models` shows the family of each"
        )
    if recipe.classes and not hasattr(generator, "condition_of"):
        raise Unsupported(f"model: {recipe.model!r} knows no classes; leave them out")
    surroundings = Surroundings(
        models=model_hashes([recipe.model], zoo),
        inputs={},
        platform=Platform.here(str(place), dtype_of(generator)),
    )
    studio = Studio(recipe, generator, surroundings)
    for index in range(len(recipe.classes)):
        studio.condition(index)  # a class that is not there is known before anything is painted
    return studio


def sample(
    recipe: Sample,
    zoo: Zoo,
    device: str = "cpu",
    _folder: Path | None = None,
    _resume: bool = False,
) -> Iterator[Step]:
    """Paint all samples of a recipe; see `set_up` for the errors.

    Yields:
        A step a picture, `Painted` if it is a file of its own; the grid is `Painted` last.
    """
    studio = set_up(recipe, zoo, device)
    total, made = len(recipe.all_seeds()), []
    for index in range(total):
        images = studio.image(index)
        if recipe.layout == "files":
            yield Painted(index, total, images, artifact=studio.artifact(images, index))
        else:
            made.append(images)
            yield Step(index, total + 1, images)
    if recipe.layout == "grid":
        artifact = studio.artifact(torch.cat(made), 0)
        yield Painted(total, total + 1, artifact.image[None], artifact=artifact)


def sample_again(manifest: Manifest, zoo: Zoo, device: str = "cpu") -> Iterator[Step]:
    """Paint one artifact again: the grid, or one of the pictures."""
    recipe, index = manifest.recipe, manifest.index
    assert isinstance(recipe, Sample)
    studio = set_up(recipe, zoo, device)
    count = len(recipe.all_seeds()) if recipe.layout == "grid" else 0
    made = [studio.image(i) for i in range(count)] or [studio.image(index)]
    new = studio.artifact(torch.cat(made), index)
    yield Painted(0, 1, new.image[None], artifact=new)


def _mixture(entry: str, generator: nn.Module) -> str | dict[str, float]:
    """Read `fox`, or `fox:0.5+owl:0.5`; a name of the model's is itself, whatever is in it.

    Raises:
        RecipeError: a weight that is no number.
    """
    if entry in getattr(generator, "class_names", ()):
        return entry
    if ":" not in entry:
        return entry
    weights: dict[str, float] = {}
    for part in entry.split("+"):
        name, _, weight = part.strip().rpartition(":")
        try:
            weights[name] = weights.get(name, 0.0) + float(weight)
        except ValueError:
            raise RecipeError(
                f"classes: {part.strip()!r} is not name:weight; for example fox:0.5+owl:0.5"
            ) from None
    return weights


CRAFT = Craft(sample, sample_again)
