"""Start reading here: a recipe goes in, steps come out.

    for step in run(Imagine(prompt="green heart | flat", seed=7), Zoo(home())):
        print(step.index, step.total, step.scalars)

A recipe is plain data (`recipe.py`). Each kind of recipe is carried out by the module of its name,
as an iterator of steps: to watch is to look at the steps, to cancel is to close the iterator.
"""

from collections.abc import Iterator
from pathlib import Path

from phosphene.core.protocols import Step
from phosphene.core.runtime import out_of_memory_named, prepare
from phosphene.core.team import ALONE, Team
from phosphene.studio.imagine import imagine
from phosphene.studio.recipe import Imagine, Recipe, Sample, Train, with_seed
from phosphene.studio.sample import sample
from phosphene.studio.train import train
from phosphene.zoo import Zoo


def run(
    recipe: Recipe,
    zoo: Zoo,
    device: str = "cpu",
    folder: Path | None = None,
    resume: bool = False,
    *,
    team: Team = ALONE,
) -> Iterator[Step]:
    """Carry out a recipe.

    Args:
        device: `cpu`, `cuda`, `cuda:1`, `mps`, or `auto` for the best.
        folder: Where the run keeps its files (see `folder.py`); None writes nothing.
        resume: Go on from the folder's checkpoint, to the same result bit for bit.
        team: The processes that train together; see `training.processes`.
    Yields:
        A step for each moment worth looking at.
    Raises:
        RecipeError: the recipe cannot be carried out as written; nothing has been written.
        WeightsError: weights are missing or damaged.
        Diverged: numbers stopped being finite; the last good picture or checkpoint is kept.
        DeviceError: no such device, or out of memory.
        StorageError: disk full, folder not writable.
    """
    prepare()
    with out_of_memory_named():
        match recipe:
            case Imagine():
                yield from imagine(with_seed(recipe), zoo, device, folder, resume)
            case Sample():
                yield from sample(with_seed(recipe), zoo, device)
            case Train():
                yield from train(recipe, zoo, device, folder, team=team)
