"""An incantation put to the test: pictures with and without the words, painted and compared.

For each prompt the pictures of each seed are painted twice. Two questions are asked of them: do
they look different, by more than other seeds make them look different; and does a perceptor find
them nearer to the words. A prompt is one pair: its seeds are averaged, and the interval tells what
other prompts might have said.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.core.errors import Unsupported
from phosphene.core.images import Images, Picture, from_uint8, on_white, resize, to_uint8
from phosphene.core.lettering import labelled
from phosphene.core.protocols import Perceptor, Step
from phosphene.core.rng import Rng
from phosphene.core.runtime import resolve_device
from phosphene.metrics.intervals import Effect, effect_of
from phosphene.metrics.shift import Distances, Shift, shift_of
from phosphene.nn.features import FeatureNet
from phosphene.prompting.emphasis import Span, Spans
from phosphene.prompting.prompt import clean, parse
from phosphene.prompting.weighing import embed_words
from phosphene.studio.artifact import Artifact, Manifest, artifact_of
from phosphene.studio.craft import Craft, Painted, craft_of
from phosphene.studio.experiment_report import Finding, report_lines, write_report
from phosphene.studio.recipe import Incantation
from phosphene.studio.recipes.fields import split_weight
from phosphene.studio.sheet import completed, surroundings_of
from phosphene.zoo import Zoo

SEEN_SIDE = 128  # px: shorter side at which pictures are compared


@dataclass(frozen=True, slots=True, eq=False)
class Gauge:
    """Measures pictures: how they look, and how well they fit the words.

    Args:
        words: Their unit embedding, 1 d.
    """

    network: FeatureNet
    perceptor: Perceptor
    words: Float[Tensor, "1 d"]
    device: torch.device

    @torch.no_grad()
    def look(self, image: Picture) -> list[Tensor]:
        """What is compared of a picture: features of its bytes, as they are saved."""
        images = _as_saved(image)
        height, width = images.shape[-2:]
        scale = SEEN_SIDE / min(height, width)
        seen = resize(images, round(height * scale), round(width * scale))
        return self.network.signature(seen.to(self.device))

    @torch.no_grad()
    def distances(self, a: Sequence[list[Tensor]], b: Sequence[list[Tensor]]) -> Distances:
        """Squared perceptual distances of each of the first looks to each of the second."""
        rows = [[float(self.network.distance(x, y)) for y in b] for x in a]
        return torch.tensor(rows, dtype=torch.float64)

    @torch.no_grad()
    def score(self, image: Picture) -> float:
        """Cosine of a picture, seen whole, with the words."""
        side = self.perceptor.input_size
        seen = self.perceptor.encode_image(resize(_as_saved(image).to(self.device), side, side))
        return float(seen.float()[0] @ self.words[0].float())


def _as_saved(image: Picture) -> Images:
    return on_white(from_uint8(to_uint8(image))[None])


def incantation(
    recipe: Incantation,
    zoo: Zoo,
    device: str = "cpu",
    folder: Path | None = None,
    _resume: bool = False,
) -> Iterator[Step]:
    """Paint all pairs and compare them.

    Yields:
        The steps of all pictures; the sheet of the pairs is `Painted` last, with what was found in
        its notes, and all numbers beside it as JSON.
    Raises:
        Unsupported: the judge is no perceptor, or the features are none.
        PhospheneError: as for `imagine`.
    """
    gauge = _gauge(recipe, zoo, device)
    artifacts: list[Artifact] = []
    for step in _painted(recipe, zoo, device):
        if isinstance(step, Painted) and step.artifact is not None:
            artifacts.append(step.artifact)
        yield Step(step.index, step.total, step.view, step.scalars, step.notes)
    finding = _find(recipe, artifacts, gauge)
    new = _laid_out(recipe, artifacts)
    beside = {} if folder is None else {".json": write_report(finding, folder)}
    total, notes = step.total, report_lines(finding)
    yield Painted(total - 1, total, new.image[None], notes=notes, artifact=new, beside=beside)


def incantation_again(manifest: Manifest, zoo: Zoo, device: str = "cpu") -> Iterator[Step]:
    """Paint the sheet of an experiment again; nothing is measured."""
    recipe = manifest.recipe
    assert isinstance(recipe, Incantation)
    artifacts: list[Artifact] = []
    for step in _painted(recipe, zoo, device):
        if isinstance(step, Painted) and step.artifact is not None:
            artifacts.append(step.artifact)
        yield Step(step.index, step.total, step.view, step.scalars, step.notes)
    new = _laid_out(recipe, artifacts)
    yield Painted(step.total - 1, step.total, new.image[None], artifact=new)


def _painted(recipe: Incantation, zoo: Zoo, device: str) -> Iterator[Step]:
    """Steps of all pictures: prompt by prompt, seed by seed, without the words and with them."""
    cells = [
        recipe.cell(prompt, seed, spoken=spoken)
        for prompt in recipe.prompts
        for seed in recipe.all_seeds()
        for spoken in (False, True)
    ]
    for number, cell in enumerate(cells):
        for step in craft_of(cell).carry_out(cell, zoo, device, None, False):
            # as if all pictures took as long as this one
            place = number * step.total + step.index, len(cells) * step.total + 1
            if isinstance(step, Painted):
                yield Painted(*place, step.view, step.scalars, step.notes, step.artifact)
            else:
                yield Step(*place, step.view, step.scalars, step.notes)


def _gauge(recipe: Incantation, zoo: Zoo, device: str) -> Gauge:
    """Load what measures: early, so that what is missing shows before anything is painted."""
    place = resolve_device(device)
    network = zoo.load(recipe.features, place)
    if not isinstance(network, FeatureNet):
        raise Unsupported(f"features: {recipe.features!r} cannot tell how different pictures look")
    judge = judge_of(recipe)
    perceptor: Any = zoo.load(judge, place)
    if not isinstance(perceptor, Perceptor):
        raise Unsupported(
            f"judge: {judge!r} is no perceptor: it cannot compare pictures with words"
        )
    words = embed_words(perceptor.encode_text, [_asked(recipe)])
    return Gauge(network, perceptor, words, place)


def judge_of(recipe: Incantation) -> str:
    """Name of the perceptor that scores."""
    return recipe.judge or split_weight(recipe.of.perceptors[0])[0]


def _asked(recipe: Incantation) -> Spans:
    """The words as one text; of nothing but white space none."""
    if not clean(recipe.words).strip("| "):
        return ()
    phrases = parse(recipe.words).scenes[0]
    if recipe.of.emphasis:
        phrases = tuple(phrase.emphasised() for phrase in phrases)
    return tuple(span for phrase in phrases for span in (*phrase.words, Span(", ")))[:-1]


def _find(recipe: Incantation, artifacts: list[Artifact], gauge: Gauge) -> Finding:
    """Measure the pictures, prompt by prompt."""
    each = 2 * len(recipe.all_seeds())
    shifts: list[Shift] = []
    scores: list[tuple[list[float], list[float]]] = []
    for start in range(0, len(artifacts), each):
        images = [artifact.image for artifact in artifacts[start : start + each]]
        looks, fits = [gauge.look(x) for x in images], [gauge.score(x) for x in images]
        plain, spoken = looks[::2], looks[1::2]
        compared = ((plain, plain), (spoken, spoken), (plain, spoken))
        shifts.append(shift_of(*(gauge.distances(a, b) for a, b in compared)))
        scores.append((fits[::2], fits[1::2]))
    gains = [math.fsum(b) / len(b) - math.fsum(a) / len(a) for a, b in scores]
    whole = _whole(recipe, artifacts)
    return Finding(
        recipe=whole,
        judge=judge_of(recipe),
        shifts=shifts,
        scores=scores,
        look=_effect([shift.beyond for shift in shifts], recipe, "look"),
        score=_effect(gains, recipe, "score"),
    )


def _effect(differences: list[float], recipe: Incantation, what: str) -> Effect:
    rng = Rng(recipe.all_seeds()[:1], "/incantation").fork(what)
    return effect_of(torch.tensor(differences, dtype=torch.float64), rng)


def _whole(recipe: Incantation, artifacts: list[Artifact]) -> Incantation:
    """The recipe with what it left to the model, where all pictures were given the same."""
    of = completed(recipe.of, [artifact.manifest.recipe for artifact in artifacts])
    return recipe.model_copy(update={"of": of})


def _laid_out(recipe: Incantation, artifacts: list[Artifact]) -> Artifact:
    """The pairs as a table: a row a prompt, for each seed one without the words and one with."""
    seeds = recipe.all_seeds()
    width = 2 * len(seeds)
    images = [artifact.image for artifact in artifacts]
    rows = [images[start : start + width] for start in range(0, len(images), width)]
    columns = [
        label for seed in seeds for label in (f"seed {seed}", f"+ {clean(recipe.words)[:60]}")
    ]
    image = labelled(rows, recipe.prompts, columns)
    return artifact_of(image, _whole(recipe, artifacts), 0, 1, surroundings_of(artifacts))


CRAFT = Craft(incantation, incantation_again)
