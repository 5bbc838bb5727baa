"""A generator or a perceptor learns from pictures: a recipe becomes a learner, data and weights.

The run's folder holds recipe.json, the checkpoint, sample sheets, metrics.jsonl and, at the end,
the weights as NAME.safetensors, which `--model PATH` opens. A run resumes by itself.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import torch
from pydantic import TypeAdapter, ValidationError

from phosphene.core.errors import RecipeError, Unsupported, did_you_mean
from phosphene.core.protocols import Autoencoder, Learner, Step
from phosphene.core.rng import Rng
from phosphene.core.runtime import painting_dtype
from phosphene.core.weights import save_weights
from phosphene.families.tokens.training import VQGANLearner, VQGANTraining
from phosphene.families.tokens.vqgan import VQGANConfig
from phosphene.prompting.contrastive import ContrastiveLearner, ContrastiveTraining
from phosphene.prompting.perceptor import PerceptorConfig
from phosphene.prompting.sketches import SketchLearner
from phosphene.studio.folder import RunFolder
from phosphene.studio.recipe import Train
from phosphene.training.data import Batches, open_source
from phosphene.training.loop import Schedule
from phosphene.training.loop import train as train_loop
from phosphene.zoo import Zoo

NUM_SHOWN = 32  # held-out pictures on a sample sheet

Settings = TypeVar("Settings")


class Kind(NamedTuple):
    """A kind of learner: how it is made, and what its weights are to the zoo."""

    make: Callable[[Train, Zoo], Learner]
    family: str
    arch: str


def train(
    recipe: Train, zoo: Zoo, device: str = "cpu", folder: Path | None = None
) -> Iterator[Step]:
    """Train, or go on training, and write the weights at the end.

    Args:
        folder: The run's; the recipe's `output` if None.
    Yields:
        A step an optimiser step; with images when a sample sheet was made.
    Raises:
        RecipeError: no data, no folder, or a setting that the learner does not have.
        StorageError: the folder holds another run, or cannot be written.
        Diverged: a loss stopped being finite; the last checkpoint stays.
    """
    if device not in ("cpu", "auto"):
        raise Unsupported(f"training runs on the CPU so far, not on {device!r}; use cpu")
    place = folder or (Path(recipe.output) if recipe.output else None)
    if place is None:
        raise RecipeError("no folder to train in; name one as `output`, or with --out")
    if recipe.data is None:
        raise RecipeError("no data to learn from; name a folder as `data`")
    kind = LEARNERS[recipe.learner]
    source = open_source(recipe.data, recipe.size, recipe.seed, siblings=recipe.siblings)
    shown = _shown(recipe, recipe.data)
    learner = kind.make(recipe, zoo)
    RunFolder(place).begin(recipe, resume=True)
    schedule = Schedule(
        steps=recipe.steps,
        checkpoint_every=recipe.checkpoint_every,
        sheet_every=recipe.sheet_every,
    )
    batches = Batches(source, recipe.batch_size, recipe.seed)
    yield from train_loop(learner, batches, shown, schedule, place, recipe.seed)
    export(learner, kind, recipe, place / f"{recipe.name}.safetensors")


def export(learner: Learner, kind: Kind, recipe: Train, path: Path) -> None:
    """Write what a learner has learnt, in half precision, as the zoo reads it."""
    network, config = learner.export()
    config = {"family": kind.family, "arch": kind.arch, "size": recipe.size, **config}
    save_weights(path, network.state_dict(), config, torch.float16)


def settings_of(kind: type[Settings], values: Mapping[str, Any], section: str) -> Settings:
    """Make a settings dataclass of plain values.

    Raises:
        RecipeError: an unknown key, or a value of the wrong type.
    """
    known = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    for key in values:
        if key not in known:
            hint = did_you_mean(key, known)
            raise RecipeError(f"unknown key {section}.{key}{hint}; keys are: {', '.join(known)}")
    try:
        return TypeAdapter(kind).validate_python(dict(values))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in (section, *first["loc"]))
        reason = first["msg"].removeprefix("Input ")
        raise RecipeError(f"{where}: {first['input']!r} {reason}") from None


def _vqgan(recipe: Train, zoo: Zoo) -> Learner:
    config = settings_of(VQGANConfig, recipe.model, "model")
    settings = settings_of(VQGANTraining, recipe.settings, "settings")
    features = zoo.load(recipe.features)
    return VQGANLearner(config, settings, features, Rng((recipe.seed,), "/learner"))


def _perceptor(recipe: Train, zoo: Zoo) -> Learner:
    config = settings_of(PerceptorConfig, recipe.model, "model")
    settings = settings_of(ContrastiveTraining, recipe.settings, "settings")
    text, features = zoo.load(recipe.text), zoo.load(recipe.features).state_dict()
    painter = _painter(recipe.painter, zoo) if recipe.painter else None
    rng = Rng((recipe.seed,), "/learner")
    return ContrastiveLearner(config, settings, text, features, painter, rng)


def _sketches(recipe: Train, zoo: Zoo) -> Learner:
    if recipe.painter is None:
        raise RecipeError("sketches need a painter; name an autoencoder in the recipe")
    return SketchLearner(_painter(recipe.painter, zoo), zoo.load(recipe.text))


def _painter(name: str, zoo: Zoo) -> Autoencoder:
    """An autoencoder that helps another model to learn, in the precision that is fastest here."""
    painter = zoo.load(name, dtype=painting_dtype(torch.device("cpu")))
    if not isinstance(painter, Autoencoder):
        raise Unsupported(f"painter: {name!r} is no autoencoder with a codebook")
    return painter


LEARNERS = {
    "vqgan": Kind(_vqgan, "tokens", "vqgan"),
    "perceptor": Kind(_perceptor, "perceptor", "emoji-clip"),
    "sketches": Kind(_sketches, "sketches", "sketchbook"),
}


def _shown(recipe: Train, data: str) -> Mapping[str, Any]:
    """The pictures on sample sheets: held-out ones, where the data holds any out."""
    try:
        source = open_source(data, recipe.size, recipe.seed, "held-out")
    except RecipeError:
        source = open_source(data, recipe.size, recipe.seed)
    return Batches(source, NUM_SHOWN, recipe.seed).batch(0)
