"""An animation: frame 0 is a picture, and each other frame goes on from the one before it.

    frame k = of(start: camera_k(frame k-1), strength_k, words_k, seed + k)

Frames are what PNGs hold, 8 bits a channel, also while they are handed on: so a run that was killed
goes on from its files to the same film. In the run's folder: frames/000000.png, ..., each with a
recipe of its own, and film.mp4 or film.gif.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from phosphene.core.images import Picture, from_uint8, to_uint8
from phosphene.core.protocols import Step
from phosphene.studio.artifact import Artifact, Manifest, Surroundings, artifact_of
from phosphene.studio.camera import move
from phosphene.studio.craft import Craft, Painted
from phosphene.studio.imagine import begin, set_up
from phosphene.studio.recipe import Animate
from phosphene.studio.reel import BEFORE, Reel, following
from phosphene.studio.strip import frames_shown, small, strip_of
from phosphene.studio.video import write_video
from phosphene.studio.wording import wordings_of
from phosphene.zoo import Zoo

BLANK_SIDE = 16  # px, of the picture that stands for a frame until there is one


@dataclass(frozen=True, slots=True)
class Taken(Step):
    """The step that finished a frame, which is a part of a picture and not handed over alone."""

    artifact: Artifact | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Film:
    """A recipe with everything it names checked.

    Args:
        recipe: Complete: fields of `of` that were left to the model are filled in.
        made_in: What decides the pixels of frames besides the recipe: of frame 0, and of the
            others by their words.
    """

    recipe: Animate
    zoo: Zoo
    device: str
    made_in: Mapping[str | None, Surroundings]

    @property
    def each(self) -> int:
        """Steps of a frame, at most."""
        assert self.recipe.of.iterations is not None
        return self.recipe.of.iterations + 1

    @property
    def total(self) -> int:
        """Steps of the film, as if each frame took as many as the first; the last is the strip."""
        return self.recipe.num_frames * self.each + 1

    def surroundings(self, number: int) -> Surroundings:
        """In which a frame is painted, but for the frame before it."""
        return self.made_in[wording(self.recipe, number) if number else None]

    def paint(self, number: int, before: Artifact | None) -> Iterator[Step]:
        """Paint a frame; the last step is `Taken`."""
        start = None
        if before is not None:
            start = move(before.image[None], self.recipe.camera(number))[0]
        picture = self.recipe.picture(number, wording(self.recipe, number))
        place = set_up(picture, self.zoo, self.device, start)
        painting = begin(place, self.zoo, 0)
        shown = {"picture": float(number)}
        for step in painting.steps():
            index = number * self.each + step.index
            yield Step(index, self.total, step.view, {**step.scalars, **shown}, step.notes)
        made = painting.artifact()
        artifact = artifact_of(
            _as_saved(made.image),
            self.recipe.until(number),
            number,
            made.manifest.iterations,
            following(place.surroundings, before),
            frame=True,
            prompt=wording(self.recipe, number),
        )
        yield self.taken(number, artifact)

    def taken(self, number: int, artifact: Artifact, notes: tuple[str, ...] = ()) -> Taken:
        """The step that a frame ends with."""
        index, scalars = (number + 1) * self.each - 1, {"picture": float(number)}
        return Taken(index, self.total, artifact.image[None], scalars, notes, artifact)


def animate(
    recipe: Animate,
    zoo: Zoo,
    device: str = "cpu",
    folder: Path | None = None,
    resume: bool = False,
) -> Iterator[Step]:
    """Paint a film frame by frame; see `run` for the arguments and errors.

    Yields:
        The steps of all frames; last the strip, `Painted`, with the film and the frames beside it.
    Raises:
        RecipeError: also when frames in the folder were made with other weights or pictures.
    """
    film = open_film(recipe, zoo, device)
    reel = Reel(folder, film.recipe, resume)
    for step in _strip_of(film, reel):
        yield replace(step, beside=_beside(film, reel)) if isinstance(step, Painted) else step


def animate_again(manifest: Manifest, zoo: Zoo, device: str = "cpu") -> Iterator[Step]:
    """Paint a strip or a frame again, with all frames that lead to it."""
    recipe = manifest.recipe
    assert isinstance(recipe, Animate)
    film = open_film(recipe, zoo, device)
    reel = Reel(None, film.recipe, False)
    if not manifest.frame:
        yield from _strip_of(film, reel)
        return
    for step in _frames(film, reel):
        yield step
    assert isinstance(step, Taken)
    yield Painted(film.total - 1, film.total, step.view, artifact=step.artifact)


def open_film(recipe: Animate, zoo: Zoo, device: str) -> Film:
    """Complete and check a recipe with all its words: a mistake shows before anything is painted.

    Raises:
        PhospheneError: as for `imagine`.
    """
    first = set_up(recipe.picture(0, recipe.prompt), zoo, device)
    of = first.recipe.model_copy(update={"prompt": recipe.of.prompt})
    recipe = recipe.model_copy(update={"of": of})
    made_in: dict[str | None, Surroundings] = {None: first.surroundings}
    blank = torch.zeros(3, BLANK_SIDE, BLANK_SIDE)
    for number in (1, *(at for at in recipe.prompts if at > 1)):
        if number < recipe.num_frames and (said := wording(recipe, number)) not in made_in:
            picture = recipe.picture(number, said)
            made_in[said] = set_up(picture, zoo, device, blank).surroundings
    return Film(recipe, zoo, device, made_in)


def wording(recipe: Animate, number: int) -> str:
    """The words of a frame; of alternatives, frame 0's seed chooses for all, so that they stay."""
    return wordings_of(recipe.of.model_copy(update={"prompt": recipe.words_at(number)}))[0].prompt


def _frames(film: Film, reel: Reel) -> Iterator[Step]:
    """All frames in order, those that are there and those that are painted; each ends `Taken`."""
    before: Artifact | None = None
    for number in range(film.recipe.num_frames):
        made_in = following(film.surroundings(number), before)
        artifact = reel.find(number, made_in)
        if artifact is not None:
            yield film.taken(number, artifact, reel.caution(artifact.manifest, made_in))
        else:
            for step in film.paint(number, before):
                if isinstance(step, Taken) and step.artifact is not None:
                    artifact = step.artifact
                    reel.keep(number, artifact)
                yield step
        before = artifact


def _strip_of(film: Film, reel: Reel) -> Iterator[Step]:
    """The steps of all frames, and the strip."""
    recipe = film.recipe
    shown, seen = set(frames_shown(recipe.num_frames, recipe.num_shown)), []
    models, inputs = dict[str, str](), dict[str, str]()
    for step in _frames(film, reel):
        yield step
        if not isinstance(step, Taken) or step.artifact is None:
            continue
        manifest = step.artifact.manifest
        models |= manifest.models
        inputs |= {name: text for name, text in manifest.inputs.items() if name != BEFORE}
        if manifest.index in shown:
            seen.append(small(step.artifact.image[None]))
    platform = film.surroundings(0).platform
    made_in = Surroundings(models=models, inputs=inputs, platform=platform)
    strip = artifact_of(strip_of(seen), recipe, 0, 1, made_in)
    yield Painted(film.total - 1, film.total, strip.image[None], artifact=strip)


def _as_saved(image: Picture) -> Picture:
    """A picture with no more than a PNG holds."""
    saved: Picture = from_uint8(to_uint8(image))
    return saved


def _beside(film: Film, reel: Reel) -> dict[str, Path]:
    """Make the film; returns what lies beside the strip."""
    if reel.folder is None:
        return {}
    found, recipe = {}, film.recipe
    reel.folder.tidy(keep_frames=True)
    if recipe.video:
        found[f".{recipe.video}"] = reel.folder.path / f"film.{recipe.video}"
        write_video(reel.paths(), found[f".{recipe.video}"], recipe.fps)
    if recipe.keep_frames:
        found["-frames"] = reel.paths()[0].parent
    return found


CRAFT = Craft(animate, animate_again)
