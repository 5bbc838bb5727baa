"""What all pictures of a recipe share: the models, the words and pictures they are to follow.

Cheap checks come first, so that a mistake in the recipe shows before gigabytes are loaded.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from phosphene.core.checksum import sha256_of
from phosphene.core.errors import ImageError, RecipeError, Unsupported
from phosphene.core.images import Images, Picture, fit, open_image
from phosphene.core.latent import Latent
from phosphene.core.protocols import Autoencoder, Objective, Perceptor
from phosphene.core.rng import Rng
from phosphene.core.runtime import painting_dtype, resolve_device
from phosphene.prompting.cutouts import Cutouts
from phosphene.prompting.objective import (
    Gaze,
    InitPull,
    PromptObjective,
    StepObjective,
    TotalVariation,
    weighted_sum,
)
from phosphene.prompting.optimise import ObjectiveAt, Optimising
from phosphene.prompting.prompt import Phrase, Story, parse
from phosphene.studio.artifact import Platform, Surroundings
from phosphene.studio.recipe import Imagine
from phosphene.studio.recipes.fields import split_weight
from phosphene.studio.recipes.imagine import Optimiser
from phosphene.zoo import Zoo
from phosphene.zoo.fetch import beside, identity, with_needs

Model = TypeVar("Model")


@runtime_checkable
class Canvas(Autoencoder, Protocol):
    """An autoencoder with a codebook that paints any size."""

    factor: int

    def grid_of(self, height: int, width: int) -> tuple[int, int]: ...

    def lookup(self, tokens: Latent) -> Latent: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What a recipe leaves to the model."""

    iterations: int = 500
    optimiser: Optimiser = "adam"
    learning_rate: float = 0.1
    num_cutouts: int = 32


DEFAULTS = {
    "emoji-vqgan": Defaults(
        iterations=50, optimiser="novograd", learning_rate=0.015, num_cutouts=12
    )
}
SKETCHES = "sketches"  # family of the models that hold starts
DEFAULT_SIZE = 256  # px, of models whose card names none


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A recipe with everything it names loaded.

    Args:
        recipe: Complete: fields that were left to the model are filled in.
        pictures: The opened pictures of image prompts, by path.
        init: The picture to start from, c h w, as it was read.
        sketches: Name of the model that holds starts, where the recipe may use one.
        surroundings: What else decides the pixels: weights, pictures read, platform.
    """

    recipe: Imagine
    story: Story
    decoder: Canvas
    gazes: tuple[Gaze, ...]
    pictures: Mapping[str, Picture]
    init: Picture | None
    sketches: str | None
    surroundings: Surroundings

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the picture that is wanted, px."""
        assert self.recipe.height is not None
        assert self.recipe.width is not None
        return self.recipe.height, self.recipe.width

    @property
    def device(self) -> torch.device:
        """Where the models are."""
        return torch.device(self.surroundings.platform.device)

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of codes; they may paint a little more than is wanted."""
        return self.decoder.grid_of(*self.size)

    @property
    def settings(self) -> Optimising:
        """Settings of the optimisation."""
        assert self.recipe.iterations is not None
        assert self.recipe.optimiser is not None
        assert self.recipe.learning_rate is not None
        return Optimising(
            iterations=self.recipe.iterations,
            optimiser=self.recipe.optimiser,
            learning_rate=self.recipe.learning_rate,
        )

    def init_images(self) -> Images:
        """The picture to start from, 1 c h w, covering the grid.

        Raises:
            RecipeError: the recipe names none.
        """
        if self.init is None:
            raise RecipeError("start: 'image' needs an init_image")
        rows, columns = self.grid
        factor = self.decoder.factor
        covering = fit(self.init[None], rows * factor, columns * factor)
        return covering.to(self.device)

    def crop(self, images: Images) -> Float[Tensor, "b c _h _w"]:
        """Cut the wanted size from the middle of what the grid paints."""
        height, width = self.size
        top, left = (images.shape[-2] - height) // 2, (images.shape[-1] - width) // 2
        return images[..., top : top + height, left : left + width]

    def objective(self, rng: Rng) -> ObjectiveAt:
        """What pictures are pulled towards at each iteration; a story changes scene and loops.

        Args:
            rng: One seed a picture.
        """
        scenes = [self._scene(scene, rng.fork(i)) for i, scene in enumerate(self.story.scenes)]
        assert self.recipe.story_every is not None
        every = self.recipe.story_every

        def at(index: int) -> Objective:
            return scenes[index // every % len(scenes)].at(index)

        return at

    def _scene(self, phrases: tuple[Phrase, ...], rng: Rng) -> StepObjective:
        words = PromptObjective.of_scene(phrases, self.gazes, rng, self.pictures)
        terms: list[tuple[StepObjective, float]] = [
            (words, 1.0),
            (TotalVariation(), self.recipe.tv_weight),
        ]
        if self.init is not None:
            terms.append((InitPull(self.init_images()), self.recipe.init_weight))
        return weighted_sum(terms)


def set_stage(recipe: Imagine, zoo: Zoo, device: str = "cpu") -> Stage:
    """Open, check and load everything that a recipe names.

    Raises:
        RecipeError: the prompt has no words, a picture or a model is missing, ...
        WeightsError: weights are not here, or damaged.
        DeviceError: no such device.
    """
    story = _with_image_prompts(parse(recipe.prompt), recipe.image_prompts)
    place = resolve_device(device)
    paths = {phrase.image for scene in story.scenes for phrase in scene if phrase.image}
    pictures = {path: open_image(Path(path)) for path in sorted(paths)}
    init = open_image(Path(recipe.init_image)) if recipe.init_image else None
    if init is None and recipe.init_weight:
        raise RecipeError("init_weight needs an init_image to pull towards")
    judges = [split_weight(entry) for entry in recipe.perceptors]
    sketches = _sketches(recipe, zoo)
    names = [recipe.model, *(name for name, _ in judges), sketches]
    models = model_hashes(filter(None, names), zoo)

    decoder = _frozen(zoo.load(recipe.model, place, painting_dtype(place)))
    if not isinstance(decoder, Canvas):
        raise Unsupported(
            f"{recipe.model[:80]!r} cannot paint by vqgan-clip: it is no autoencoder with a "
            "codebook; `phosphene models` shows the family of each"
        )
    recipe = _complete(recipe, story, zoo.card(recipe.model).size or DEFAULT_SIZE)
    return Stage(
        recipe=recipe,
        story=story,
        decoder=decoder,
        gazes=tuple(_gaze(recipe, zoo.load(name, place), name, w) for name, w in judges),
        pictures=pictures,
        init=init,
        sketches=sketches,
        surroundings=Surroundings(
            models=models,
            inputs=_input_hashes(filter(None, [recipe.init_image, *pictures])),
            platform=Platform.here(str(place), dtype_of(decoder)),
        ),
    )


def _sketches(recipe: Imagine, zoo: Zoo) -> str | None:
    """Find the sketches drawn with the recipe's model, unless it starts elsewhere."""
    if recipe.start in ("codebook", "image") or (recipe.start == "auto" and recipe.init_image):
        return None
    cards = [card for card in zoo.cards() if card.family == SKETCHES and recipe.model in card.needs]
    return cards[0].name if cards else None


def _with_image_prompts(story: Story, entries: Iterable[str]) -> Story:
    """Add the recipe's image prompts to every scene."""
    named = [split_weight(entry) for entry in entries]
    added = tuple(Phrase(image=path, weight=weight) for path, weight in named)
    return Story(tuple(scene + added for scene in story.scenes))


def _complete(recipe: Imagine, story: Story, size: int) -> Imagine:
    """Fill in what the recipe leaves to the model, so that it means the same for ever.

    Args:
        size: Side in px of what the model was trained on.
    """
    default = DEFAULTS.get(recipe.model, Defaults())
    iterations = recipe.iterations or default.iterations
    share = -(-iterations // len(story.scenes))
    return recipe.model_copy(
        update={
            "iterations": iterations,
            "width": recipe.width or size,
            "height": recipe.height or size,
            "optimiser": recipe.optimiser or default.optimiser,
            "learning_rate": recipe.learning_rate or default.learning_rate,
            "num_cutouts": recipe.num_cutouts or default.num_cutouts,
            "story_every": recipe.story_every or share,
        }
    )


def _gaze(recipe: Imagine, perceptor: object, name: str, weight: float) -> Gaze:
    """How one perceptor looks at the pictures of a recipe."""
    if not isinstance(perceptor, Perceptor):
        raise Unsupported(f"{name[:80]!r} is no perceptor: it cannot compare pictures with words")
    assert recipe.num_cutouts is not None
    cutouts = Cutouts(
        policy=recipe.cut_policy,
        count=recipe.num_cutouts,
        size=perceptor.input_size,
        power=recipe.cut_power,
        noise=recipe.cut_noise,
    )
    return Gaze(_frozen(perceptor), cutouts, weight)


def _frozen(model: Model) -> Model:
    """Only the latent learns: gradients of parameters would cost a third of each iteration."""
    if isinstance(model, nn.Module):
        model.requires_grad_(False).eval()
    return model


def dtype_of(model: object) -> str:
    """Name of what a model's parameters are kept in; "none" where it has none."""
    dtypes = [str(p.dtype) for p in model.parameters()] if isinstance(model, nn.Module) else []
    return (dtypes[0] if dtypes else "none").removeprefix("torch.")


def model_hashes(names: Iterable[str], zoo: Zoo) -> dict[str, str]:
    """Sha256 of each model's weights, of files beside them that shape it, and of its parts."""
    hashes: dict[str, str] = {}
    for name in names:
        for card in with_needs(zoo.card(name), zoo.home):
            own = name if card.name == zoo.card(name).name else card.name
            hashes[own] = identity(card, zoo.home)
            hashes |= {f"{own}/{path.name}": sha256_of(path) for path in beside(card, zoo.home)}
    return hashes


def _input_hashes(paths: Iterable[str]) -> dict[str, str]:
    hashes = {}
    for path in paths:
        try:
            hashes[path] = hashlib.sha256(Path(path).read_bytes()).hexdigest()
        except OSError as error:
            raise ImageError(f"cannot read {path!r}: {error.strerror}") from None
    return hashes
