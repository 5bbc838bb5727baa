"""A generator or a perceptor learns from pictures: a recipe becomes a learner, data and weights.

The run's folder holds recipe.json, the checkpoint, sample sheets, metrics.jsonl and, at the end,
the weights as NAME.safetensors, which `--model PATH` opens. A run resumes by itself.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch

from phosphene.core.errors import RecipeError, Unsupported
from phosphene.core.protocols import Autoencoder, Learner, Step
from phosphene.core.rng import Rng
from phosphene.core.runtime import painting_dtype
from phosphene.core.team import ALONE, Team
from phosphene.core.weights import save_weights
from phosphene.families.diffusion.flow import LatentDiffusionConfig, Reader
from phosphene.families.diffusion.training import (
    LatentDiffusionLearner,
    LatentDiffusionTraining,
)
from phosphene.families.tokens.training import VQGANLearner, VQGANTraining
from phosphene.families.tokens.transformer import TokenTransformerConfig
from phosphene.families.tokens.transformer_training import TokenLearner, TokenTraining
from phosphene.families.tokens.vqgan import VQGANConfig
from phosphene.prompting.contrastive import ContrastiveLearner, ContrastiveTraining
from phosphene.prompting.perceptor import PerceptorConfig
from phosphene.prompting.sketches import SketchLearner
from phosphene.studio.craft import Craft
from phosphene.studio.folder import RunFolder
from phosphene.studio.recipe import Train
from phosphene.studio.settings import settings_of
from phosphene.studio.train_gan import gan_learner
from phosphene.studio.training_room import check_pictures
from phosphene.training.data import Batches, FolderSource, Source, View, open_source
from phosphene.training.encoded import EncodedBatches
from phosphene.training.events import has_tensorboard
from phosphene.training.loop import BatchSource, Schedule
from phosphene.training.loop import train as train_loop
from phosphene.training.pictures import BROKEN
from phosphene.zoo import Zoo

CODES = "codes"  # folder of a run's encoded pictures
NUM_SHOWN = 32  # held-out pictures on a sample sheet


class Kind(NamedTuple):
    """A kind of learner: how it is made, and what its weights are to the zoo."""

    make: Callable[[Train, Zoo, Source, Team], Learner]
    family: str
    arch: str | None  # None: the recipe's model names it


def train(
    recipe: Train,
    zoo: Zoo,
    device: str = "cpu",
    folder: Path | None = None,
    _resume: bool = True,
    *,
    team: Team = ALONE,
) -> Iterator[Step]:
    """Train, or go on training, and write the weights at the end.

    Args:
        folder: The run's; the recipe's `output` if None.
        team: The processes that train together. What comes out is the same to rounding.
    Yields:
        First, one without numbers if there is something to tell (`notes`); then a step an optimiser
        step, with images when a sample sheet was made.
    Raises:
        RecipeError: no data, no folder, a setting that the learner does not have, or no memory
            for it.
        StorageError: the folder holds another run, or cannot be written.
        Diverged: the training died a second time; the last healthy checkpoint stays.
    """
    if device not in ("cpu", "auto"):
        raise Unsupported(f"training runs on the CPU so far, not on {device!r}; use cpu")
    place = folder or (Path(recipe.output) if recipe.output else None)
    if place is None:
        raise RecipeError("no folder to train in; name one as `output`, or with --out")
    if recipe.data is None:
        raise RecipeError("no data to learn from; name a folder as `data`")
    kind = LEARNERS[recipe.learner]
    check_pictures(recipe, team.size)
    source = _source(recipe, recipe.data, siblings=recipe.siblings)
    shown = _shown(recipe, recipe.data, source)
    learner = kind.make(recipe, zoo, source, team)
    batches = _batches(recipe, learner, source, place, team)
    if team.leads:
        RunFolder(place).begin(recipe, resume=True)
    notes = _notes(recipe, source)
    if notes:
        yield Step(0, recipe.steps, notes=notes)
    schedule = Schedule(
        steps=recipe.steps,
        checkpoint_every=recipe.checkpoint_every,
        sheet_every=recipe.sheet_every,
        tensorboard=recipe.tensorboard and has_tensorboard(),
    )
    yield from train_loop(learner, batches, shown, schedule, place, recipe.seed, team=team)
    broken = getattr(source, "skipped", {}).get(BROKEN, 0)
    if broken:
        line = f"{broken:,} of the pictures turned out broken inside, and others stood in for them"
        yield Step(recipe.steps - 1, recipe.steps, notes=(line,))
    if team.leads:
        export(learner, kind, recipe, place / f"{recipe.name}.safetensors")


def _batches(
    recipe: Train, learner: Learner, source: Source, place: Path, team: Team
) -> BatchSource:
    """What a learner learns from: pictures, or codes that are kept beside the run."""
    if isinstance(learner, LatentDiffusionLearner | TokenLearner):
        return EncodedBatches(
            source,
            learner.encode,
            place / CODES,
            learner.settings.num_examples,
            recipe.batch_size,
            seed=recipe.seed,
            team=team,
        )
    groups = getattr(learner, "groups", 1)
    return Batches(source, recipe.batch_size, recipe.seed, team=team, groups=groups)


def _notes(recipe: Train, source: Source) -> tuple[str, ...]:
    """What whoever trains should know before it begins: files left out, logs not written."""
    notes = []
    skipped: Mapping[str, int] = getattr(source, "skipped", {})
    reasons = ", ".join(f"{why} ({n:,})" for why, n in skipped.items() if why != BROKEN)
    if reasons:
        notes.append(f"{len(source):,} pictures to learn from; left out: {reasons}")
    if recipe.tensorboard and not has_tensorboard():
        notes.append(
            "no TensorBoard event file, since tensorboard is not installed "
            "(pip install 'phosphene[logs]'); metrics.jsonl has all numbers"
        )
    return tuple(notes)


def export(learner: Learner, kind: Kind, recipe: Train, path: Path) -> None:
    """Write what a learner has learnt, in half precision, as the zoo reads it."""
    network, config = learner.export()
    arch = kind.arch or recipe.model["arch"]
    config = {"family": kind.family, "arch": arch, "size": recipe.size, **config}
    save_weights(path, network.state_dict(), config, torch.float16)


def _vqgan(recipe: Train, zoo: Zoo, _source: Source, team: Team) -> Learner:
    config = settings_of(VQGANConfig, recipe.model, "model")
    settings = settings_of(VQGANTraining, recipe.settings, "settings")
    features = zoo.load(recipe.features)
    return VQGANLearner(config, settings, features, Rng((recipe.seed,), "/learner"), team)


def _perceptor(recipe: Train, zoo: Zoo, _source: Source, team: Team) -> Learner:
    config = settings_of(PerceptorConfig, recipe.model, "model")
    settings = settings_of(ContrastiveTraining, recipe.settings, "settings")
    text, features = zoo.load(recipe.text), zoo.load(recipe.features).state_dict()
    painter = _painter(recipe.painter, zoo) if recipe.painter else None
    rng = Rng((recipe.seed,), "/learner")
    return ContrastiveLearner(config, settings, text, features, painter, rng, team=team)


def _sketches(recipe: Train, zoo: Zoo, _source: Source, team: Team) -> Learner:
    if team.size > 1:
        raise Unsupported(
            f"sketches are drawn in one pass by one process, not by {team.size}; leave --devices"
        )
    if recipe.painter is None:
        raise RecipeError("sketches need a painter; name an autoencoder in the recipe")
    return SketchLearner(_painter(recipe.painter, zoo), zoo.load(recipe.text))


def _diffusion(recipe: Train, zoo: Zoo, _source: Source, team: Team) -> Learner:
    painter, text, given = _parts(recipe, zoo)
    config = settings_of(LatentDiffusionConfig, {**given, **recipe.model}, "model")
    settings = settings_of(LatentDiffusionTraining, recipe.settings, "settings")
    if not isinstance(text, Reader):
        raise Unsupported(
            f"text: {recipe.text!r} gives words alone; diffusion needs one that gives sentences, "
            "too, such as emoji-clip"
        )
    rng = Rng((recipe.seed,), "/learner")
    return LatentDiffusionLearner(config, settings, painter, text, rng, team)


def _tokens(recipe: Train, zoo: Zoo, _source: Source, team: Team) -> Learner:
    painter, text, given = _parts(recipe, zoo)
    config = settings_of(
        TokenTransformerConfig, {**given, "vocab": painter.spec.vocab, **recipe.model}, "model"
    )
    settings = settings_of(TokenTraining, recipe.settings, "settings")
    return TokenLearner(config, settings, painter, text, Rng((recipe.seed,), "/learner"), team)


def _parts(recipe: Train, zoo: Zoo) -> tuple[Autoencoder, Any, dict[str, Any]]:
    """The autoencoder whose codes are learnt, the text network, and what a config says of them."""
    if recipe.painter is None:
        what = f"{recipe.learner} needs an autoencoder to learn the codes of"
        raise RecipeError(f"{what}; name a painter")
    painter = _painter(recipe.painter, zoo)
    # as it will be when it paints
    text = zoo.load(recipe.text, dtype=painting_dtype(torch.device("cpu")))
    given = {"autoencoder": recipe.painter, "text": recipe.text, "resolution": recipe.size}
    return painter, text, given


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
    "gan": Kind(gan_learner, "gan", None),
    "diffusion": Kind(_diffusion, "diffusion", "latent"),
    "tokens": Kind(_tokens, "tokens", "transformer"),
}


def _source(recipe: Train, data: str, split: str = "train", siblings: int = 1) -> Source:
    size = recipe.size if recipe.height is None else (recipe.height, recipe.size)
    view = View(
        channels=recipe.channels,
        drawings=recipe.drawings,
        plain_share=recipe.plain_share,
        drawn=recipe.learner in ("diffusion", "tokens") and bool(recipe.model.get("sketches")),
        classes=recipe.classes,
        styles=recipe.styles,
    )
    return open_source(data, size, recipe.seed, split, siblings, view=view)


def _shown(recipe: Train, data: str, source: Source) -> Mapping[str, Any]:
    """The pictures on sample sheets: held-out ones, where the data holds any out."""
    try:
        if isinstance(source, FolderSource):
            source = source.split_off("held-out")
        else:
            source = _source(recipe, data, "held-out")
    except RecipeError:
        pass
    return Batches(source, NUM_SHOWN, recipe.seed).batch(0)


CRAFT = Craft(train, shared=True)
