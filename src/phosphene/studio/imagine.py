"""Words become pictures: each searched for, denoised or drawn, one picture after another."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from phosphene.core.errors import Diverged
from phosphene.core.images import Picture
from phosphene.core.protocols import Step
from phosphene.studio.artifact import Manifest
from phosphene.studio.craft import Craft, Painted
from phosphene.studio.easel import FOREIGN, Easel, set_easel
from phosphene.studio.illustration import Illustration
from phosphene.studio.painting import Painting
from phosphene.studio.recipe import Imagine
from phosphene.studio.record import Record, record_of
from phosphene.studio.room import check_room
from phosphene.studio.stage import Stage, set_stage
from phosphene.zoo import Zoo


def imagine(
    recipe: Imagine,
    zoo: Zoo,
    device: str = "cpu",
    folder: Path | None = None,
    resume: bool = False,
) -> Iterator[Step]:
    """Paint the pictures of a recipe; see `run` for the arguments and errors.

    Yields:
        A step an iteration, with the picture before it; a `Painted` step for each picture when it
        is finished. Indices count through all pictures. The first step notes what there is to
        know of a run that goes on.
    """
    place = set_up(recipe, zoo, device)
    record = record_of(folder, place.recipe, place.surroundings, resume)
    notes = record.cautions
    for number in range(record.first(), len(place.wordings)):
        painting = begin(place, zoo, number)
        record.open(painting)
        yield from _paint(painting, record, notes)
        notes = ()
    record.close()


def set_up(recipe: Imagine, zoo: Zoo, device: str, init: Picture | None = None) -> Stage | Easel:
    """Everything that the recipe names, loaded; with room for a picture.

    Args:
        init: A picture to start from that no file holds; the recipe then names none.
    Raises:
        PhospheneError: as for `set_easel`, `set_stage` and `check_room`.
    """
    if recipe.chosen_method in FOREIGN:
        return set_easel(recipe, zoo, device, init)
    stage = set_stage(recipe, zoo, device, init)
    check_room(stage)
    return stage


def begin(place: Stage | Easel, zoo: Zoo, number: int) -> Painting | Illustration:
    """One picture of the recipe, at its beginning."""
    if isinstance(place, Easel):
        return Illustration(place, zoo, number)
    return Painting(place, zoo, number)


def _paint(
    painting: Painting | Illustration, record: Record, notes: tuple[str, ...]
) -> Iterator[Step]:
    """Paint one picture to its end, and keep it; if anything comes between, keep what there is."""
    try:
        for step in painting.steps():
            record.note(painting, step)
            yield replace(step, notes=notes)
            notes = ()
    except (KeyboardInterrupt, GeneratorExit, Diverged):
        if painting.iterations > 0:
            record.keep(painting.artifact(), finished=False)
        raise
    finished = painting.finished()
    assert finished.artifact is not None
    record.keep(finished.artifact)
    yield replace(finished, notes=notes)


def imagine_again(manifest: Manifest, zoo: Zoo, device: str = "cpu") -> Iterator[Step]:
    """Paint one picture again, as far as it had come."""
    assert isinstance(manifest.recipe, Imagine)
    # a frame is what the next iteration began with
    made = manifest.iterations + manifest.frame
    painting = begin(set_up(manifest.recipe, zoo, device), zoo, manifest.index)
    for index, step in enumerate(painting.steps(made)):
        yield Step(index, made + 1, step.view, step.scalars)
    new = painting.frame(step) if manifest.frame else painting.artifact()
    yield Painted(made, made + 1, new.image[None], artifact=new)


CRAFT = Craft(imagine, imagine_again)
