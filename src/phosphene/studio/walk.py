"""A walk: the frames of a path at an even pace, their film, and the strip that carries the recipe.

Two passes: frames are measured until their times are spaced evenly (`explore/pace.py`); then all
are painted. The strip's recipe holds the times that were found, so that it replays without being
measured again. In the run's folder: frames/000000.png, ..., each with a recipe of its own, and
walk.mp4 or walk.gif.
"""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path as FilePath

import torch
from torch import Tensor

from phosphene.core.errors import RecipeError, Unsupported, WeightsError
from phosphene.core.images import Images, on_white
from phosphene.core.protocols import Step
from phosphene.explore.breed import Genes
from phosphene.explore.genes_text import genes_text
from phosphene.explore.pace import ROUNDS, Pace, pacing
from phosphene.explore.path_text import path_of
from phosphene.explore.paths import Mix, Path, Stop, Term, Track, frame_times, pictures_in, spell
from phosphene.explore.walk import Walk as Wandering
from phosphene.nn.features import FeatureNet
from phosphene.studio.album import PictureAlbum
from phosphene.studio.ancestry import path_of as path_of_picture
from phosphene.studio.artifact import Artifact, Manifest, artifact_of
from phosphene.studio.craft import Craft, Painted
from phosphene.studio.dreamer import Dreamer, set_up
from phosphene.studio.provenance import input_hashes
from phosphene.studio.recipe import Walk
from phosphene.studio.strip import frames_shown, small, strip_of, to_side
from phosphene.studio.video import write_video
from phosphene.zoo import Zoo

SEEN_SIDE = 128  # px: longer side at which frames are compared by features
COLOUR_SIDE = 32  # px: by colours
FEWEST_PACED = 3  # frames
DIGITS = 9  # of times: finer than any film, and the same text on every machine


@dataclass(frozen=True, slots=True, eq=False)
class Journey:
    """A recipe with its model and its path ready."""

    recipe: Walk
    dreamer: Dreamer
    wandering: Wandering

    @property
    def loop(self) -> bool:
        """Whether the last frame leads to the first."""
        return self.wandering.path.loop

    def own(self, time: float) -> Images:
        """The picture at a time, in the model's own size, 1 c h w."""
        with torch.no_grad():
            moment = self.wandering.at(time)
        return self.dreamer.paint(moment)

    def frame(self, time: float) -> Images:
        """The picture at a time, in the recipe's size."""
        own = self.own(time)
        return own if self.recipe.side is None else to_side(own, self.recipe.side)


def walk(
    recipe: Walk,
    zoo: Zoo,
    device: str = "cpu",
    folder: FilePath | None = None,
    _resume: bool = False,
) -> Iterator[Step]:
    """Walk along a recipe's path.

    Yields:
        A step for each frame that is measured, then one for each that is painted; last the strip,
        `Painted`, with the film and the frames beside it.
    Raises:
        RecipeError: a path that cannot be read, or a class that the model lacks.
        Unsupported: the path moves what the model does not have.
        PhospheneError: as for `dreamer.set_up` and `write_video`.
    """
    journey = _open(recipe, zoo, device)
    times, done = recipe.times, 0
    if times is None:
        times, done = yield from _spaced(journey, zoo)
    recipe = recipe.model_copy(update={"times": times})
    total = done + len(times) + 1
    shown, painted = set(_shown(recipe, journey.loop)), []
    for index, time in enumerate(times):
        images = journey.frame(time)
        if folder is not None and (recipe.video or recipe.keep_frames):
            _frame_artifact(journey, recipe, images, time).save(_frame_path(folder, index))
        if index in shown:
            painted.append(images if len(times) == 1 else small(images))
        yield Step(done + index, total, images)
    artifact = _strip(journey, recipe, painted)
    beside = {} if folder is None else _beside(recipe, folder, len(times))
    yield Painted(total - 1, total, artifact.image[None], artifact=artifact, beside=beside)


def walk_again(manifest: Manifest, zoo: Zoo, device: str = "cpu") -> Iterator[Step]:
    """Paint a strip or a frame again."""
    recipe = manifest.recipe
    assert isinstance(recipe, Walk)
    assert recipe.times is not None
    journey = _open(recipe, zoo, device)
    shown = [0] if manifest.frame else _shown(recipe, journey.loop)
    painted = []
    for index, number in enumerate(shown):
        images = journey.frame(recipe.times[number])
        painted.append(images if len(recipe.times) == 1 else small(images))
        yield Step(index, len(shown) + 1, images)
    if manifest.frame:
        new = _frame_artifact(journey, recipe, painted[0], recipe.times[0])
    else:
        new = _strip(journey, recipe, painted)
    yield Painted(len(shown), len(shown) + 1, new.image[None], artifact=new)


def _open(recipe: Walk, zoo: Zoo, device: str) -> Journey:
    """Read the path first: a mistake in it shows before weights are loaded."""
    assert recipe.path is not None
    path = path_of(recipe.path)
    if recipe.truncation_psi is not None:
        path = _with_psi(path, recipe.truncation_psi)
    pictures = pictures_in(path)
    inputs = input_hashes(str(path_of_picture(entry)) for entry in pictures)
    dreamer = set_up(recipe, zoo, device)
    if inputs:
        surroundings = dreamer.surroundings.model_copy(update={"inputs": inputs})
        dreamer = replace(dreamer, surroundings=surroundings)
    album = PictureAlbum(dreamer, zoo, device)
    assert recipe.seed is not None
    condition = None if "class" in path.tracks else dreamer.condition(recipe.seed)
    with torch.no_grad():
        wandering = Wandering(
            path, album, seed=recipe.seed, condition=condition, styled=dreamer.styled
        )
    return Journey(recipe, dreamer, wandering)


def _with_psi(path: Path, psi: float) -> Path:
    """The path at a psi that stays.

    Raises:
        RecipeError: the path moves psi itself.
    """
    if "psi" in path.tracks:
        raise RecipeError("the path moves psi; leave truncation_psi out")
    still = Track((Stop(Mix((Term(name=spell(psi)),))),))
    return Path({**path.tracks, "psi": still}, path.loop)


def _spaced(journey: Journey, zoo: Zoo) -> Generator[Step, None, tuple[tuple[float, ...], int]]:
    """Find the times of the frames; returns also how many steps that took."""
    recipe, count = journey.recipe, journey.recipe.num_frames
    if not recipe.even or count < FEWEST_PACED:
        return tuple(round(time, DIGITS) for time in frame_times(count, journey.loop)), 0
    eye, notes = _eye(recipe, zoo, journey.dreamer)
    going, done, rounds = pacing(count, journey.loop), 0, 0
    knots = next(going)
    while True:
        # if this is the last round, the strip and its frames are all that follows
        total = done + (ROUNDS + 1 - rounds) * len(knots) + count + 1
        distances: list[float] = []
        before: Sequence[Tensor] | None = None
        for time in knots:
            images = journey.own(time)
            seen = eye.look(images)
            if before is not None:
                distances.append(eye.distance(before, seen))
            before = seen
            yield Step(done, total, images, notes=notes)
            notes, done = (), done + 1
        try:
            knots, rounds = going.send(distances), rounds + 1
        except StopIteration as ended:
            pace: Pace = ended.value
            break
    said = (
        f"speed: uneven by {pace.before:.1%} before, {pace.after:.1%} after "
        f"({count} frames, measured {pace.rounds + 1} x)"
    )
    yield Step(done, done + count + 2, images, notes=(said,))
    return tuple(round(time, DIGITS) for time in pace.times), done + 1


@dataclass(frozen=True, slots=True, eq=False)
class Eye:
    """Tells how different frames look: by a network's features, or by colours without one."""

    network: FeatureNet | None
    device: torch.device

    @torch.no_grad()
    def look(self, images: Images) -> list[Tensor]:
        """What is compared of a frame."""
        if self.network is None:
            return [to_side(on_white(images), COLOUR_SIDE)]
        seen = to_side(on_white(images), SEEN_SIDE).to(self.device)
        return self.network.signature(seen)

    @torch.no_grad()
    def distance(self, a: Sequence[Tensor], b: Sequence[Tensor]) -> float:
        """Root of the mean squared difference."""
        if self.network is None:
            return float((a[0] - b[0]).square().mean().sqrt())
        return float(self.network.distance(list(a), list(b)).sqrt())


def _eye(recipe: Walk, zoo: Zoo, dreamer: Dreamer) -> tuple[Eye, tuple[str, ...]]:
    """The recipe's network; colours if it is not here, and a line that says so."""
    device = torch.device(dreamer.surroundings.platform.device)
    try:
        network = zoo.load(recipe.features, device)
    except WeightsError as error:
        return Eye(None, device), (f"frames are compared by their colours: {error}",)
    if not isinstance(network, FeatureNet):
        raise Unsupported(f"features: {recipe.features!r} cannot tell how different pictures look")
    return Eye(network, device), ()


def _shown(recipe: Walk, loop: bool) -> list[int]:
    return frames_shown(recipe.num_frames, recipe.num_shown, loop)


def _strip(journey: Journey, recipe: Walk, painted: list[Images]) -> Artifact:
    """The strip; a walk of one frame is that frame, with its genes, as a picture of its own."""
    if len(painted) > 1 or recipe.num_frames > 1:
        return artifact_of(strip_of(painted), recipe, 0, 1, journey.dreamer.surroundings)
    assert recipe.times is not None
    moment = journey.wandering.at(recipe.times[0])
    latent = moment.latent.with_data(moment.latent.data.float().cpu())
    classes = None if moment.condition is None else moment.condition.classes
    text = genes_text(Genes(latent, classes))
    own = painted[0][0]
    return artifact_of(own, recipe, 0, 1, journey.dreamer.surroundings, genes=text)


def _frame_artifact(journey: Journey, recipe: Walk, images: Images, time: float) -> Artifact:
    """A frame, with the recipe of a walk that is this frame alone."""
    alone = {"times": (time,), "num_frames": 1, "num_shown": 1}
    own = recipe.model_copy(update={**alone, "video": None, "keep_frames": False})
    return artifact_of(images[0], own, 0, 1, journey.dreamer.surroundings, frame=True)


def _frame_path(folder: FilePath, index: int) -> FilePath:
    return folder / "frames" / f"{index:06d}.png"


def _beside(recipe: Walk, folder: FilePath, count: int) -> dict[str, FilePath]:
    """Make the film; returns what lies beside the strip."""
    found = {}
    if recipe.video:
        found[f".{recipe.video}"] = folder / f"walk.{recipe.video}"
        frames = [_frame_path(folder, index) for index in range(count)]
        write_video(frames, found[f".{recipe.video}"], recipe.fps)
    if recipe.keep_frames:
        found["-frames"] = folder / "frames"
    return found


CRAFT = Craft(walk, walk_again)
