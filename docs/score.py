"""How near a generator's pictures are to real ones: `python docs/score.py MODEL DATA [RECIPE]`.

Prints the Fréchet and the kernel distance of as many painted pictures as the data has, on features
of EfficientNet-Lite0, by class if the model knows classes. RECIPE is the one it was trained by: it
says which part of DATA it learnt from. Real pictures against held-out ones are the yardstick.
These are not Inception's FID and KID, and compare with figures of this script alone.
"""

import sys
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from phosphene.core.errors import RecipeError
from phosphene.core.images import from_uint8
from phosphene.core.latent import Condition
from phosphene.core.rng import Rng
from phosphene.metrics.features import features_of
from phosphene.metrics.scores import frechet_distance, kernel_distance
from phosphene.training.data import Source, View, open_source
from phosphene.zoo import Zoo
from phosphene.zoo.registry import home

BATCH = 32
MOST = 5000  # pictures


def real(source: Source, numbers: Sequence[int]) -> Iterator[Tensor]:
    """Pictures of a source, in batches."""
    for start in range(0, len(numbers), BATCH):
        shown = [source.example(i).image for i in numbers[start : start + BATCH]]
        yield from_uint8(torch.stack(shown))


@torch.no_grad()
def painted(generator: Any, classes: Sequence[int] | None, count: int) -> Iterator[Tensor]:
    """Pictures of seeds 0, 1, ...; of these classes in turn, if any."""
    for start in range(0, count, BATCH):
        rng = Rng.from_seed(start, min(BATCH, count - start))
        condition = Condition()
        if classes is not None:
            condition = generator.condition_of(classes[start : start + len(rng)])
        yield generator.decode(generator.draw(rng), condition)


def opened(data: str, split: str, generator: Any, recipe: dict[str, Any]) -> Source:
    """The part of the data that the recipe names, in the generator's size."""
    view = View(
        channels=generator.channels,
        drawings=recipe.get("drawings", False),
        classes=tuple(recipe.get("classes", ())),
        styles=tuple(recipe.get("styles", ())),
    )
    return open_source(data, generator.resolution, 0, split, view=view)


def main(model: str, data: str, recipe: str = "") -> None:
    """Print a line for the generator, and one for held-out pictures where there are any."""
    zoo = Zoo(home())
    generator, extractor = zoo.load(model), zoo.load("efficientnet-lite0")
    told = tomllib.loads(Path(recipe).read_text()) if recipe else {}
    source = opened(data, "train", generator, told)
    numbers = Rng((0,), "/score").dice().sample(range(len(source)), min(MOST, len(source)))
    classes = None
    if generator.num_classes:
        classes = [label for i in numbers if (label := source.example(i).label) is not None]
    truth = features_of(real(source, numbers), extractor)
    found = features_of(painted(generator, classes, len(numbers)), extractor)
    report(f"{model}, {len(found)} painted against", found, truth)
    try:
        held = opened(data, "held-out", generator, told)
    except RecipeError:
        return
    fresh = features_of(real(held, range(len(held))), extractor)
    report(f"yardstick: {len(fresh)} held-out against", fresh, truth)
    few = found[: len(fresh)]
    report(f"{model}, {len(few)} painted against", few, truth)


def report(what: str, features: Tensor, truth: Tensor) -> None:
    """One line of figures."""
    kernel = kernel_distance(features, truth, Rng((0,), "/score"))
    sys.stdout.write(
        f"{what} {len(truth)} real: Fréchet {frechet_distance(features, truth):.1f}, kernel "
        f"{kernel.value:.3f} (95 %: {kernel.low:.3f} to {kernel.high:.3f})\n"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
