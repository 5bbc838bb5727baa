"""Start reading here: a recipe goes in, steps come out.

    for step in run(Imagine(prompt="green heart | flat", seed=7), Zoo(home())):
        print(step.index, step.total, step.scalars)

A recipe is plain data (`recipe.py`, which lists all kinds). Each kind is carried out by a module
of its own (`imagine.py`, `sample.py`, ...) as an iterator of steps: to watch is to look at the
steps, to cancel is to close the iterator. Finished pictures come in `Painted` steps (`craft.py`),
with all that is needed to make them again (`artifact.py`, `replay.py`).
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from phosphene.core.errors import Unsupported
from phosphene.core.protocols import Step
from phosphene.core.runtime import out_of_memory_named, prepare
from phosphene.core.team import ALONE, Team
from phosphene.studio.craft import craft_of
from phosphene.studio.recipe import Recipe
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
    craft = craft_of(recipe)
    carry_out: Callable[..., Iterator[Step]] = craft.carry_out
    if team.size > 1:
        if not craft.shared:
            raise Unsupported(f"one process carries this recipe out, not {team.size}; use one")
        carry_out = partial(carry_out, team=team)
    with out_of_memory_named():
        yield from carry_out(recipe.with_seed(), zoo, device, folder, resume)
