"""What all pictures of a recipe share: the models, the words and pictures they are to follow.

Cheap checks come first, so that a mistake in the recipe shows before gigabytes are loaded.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.core.errors import RecipeError, Unsupported
from phosphene.core.images import Images, Picture, fit, open_image
from phosphene.core.protocols import Objective, Perceptor
from phosphene.core.rng import Rng
from phosphene.core.runtime import resolve_device
from phosphene.prompting.cut_schedule import CutSchedule, NoiseFall
from phosphene.prompting.cutouts import Cutouts
from phosphene.prompting.objective import (
    Gaze,
    InitPull,
    PromptObjective,
    RangePenalty,
    Saturation,
    StepObjective,
    TotalVariation,
    weighted_sum,
)
from phosphene.prompting.optimise import ObjectiveAt, Optimising
from phosphene.prompting.prompt import Phrase, Story
from phosphene.prompting.steering import Steered
from phosphene.studio.artifact import Platform, Surroundings
from phosphene.studio.defaults import BLANKS
from phosphene.studio.methods import METHODS, Canvas, Guide, Own, Paints, demand_own_fields, frozen
from phosphene.studio.provenance import input_hashes, model_hashes
from phosphene.studio.recipe import Imagine
from phosphene.studio.recipes.curves import value_at
from phosphene.studio.recipes.fields import split_weight
from phosphene.studio.recipes.imagine import OWN_MODELS
from phosphene.studio.wording import Wording, scenes_of, wordings_of
from phosphene.zoo import Zoo

Number = TypeVar("Number", int, float)

SKETCHES = "sketches"  # family of the models that hold starts


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A recipe with everything it names loaded.

    Args:
        recipe: Complete: fields that were left to the model are filled in.
        wordings: What each of the pictures is to show.
        number: Of the picture that is painted, from 0.
        pictures: The opened pictures of image prompts, by path.
        init: The picture to start from, c h w, as it was read.
        sketches: Name of the model that holds starts, where the recipe may use one.
        surroundings: What else decides the pixels: weights, pictures read, platform.
    """

    recipe: Imagine
    wordings: tuple[Wording, ...]
    decoder: Paints
    gazes: tuple[Gaze, ...]
    pictures: Mapping[str, Picture]
    init: Picture | None
    sketches: str | None
    surroundings: Surroundings
    number: int = 0

    def of_picture(self, number: int) -> "Stage":
        """The stage of one picture of the recipe."""
        return replace(self, number=number)

    @property
    def seed(self) -> int:
        """Of the picture."""
        return self.recipe.all_seeds()[self.number]

    @property
    def story(self) -> Story:
        """What the picture is to show."""
        return self.wordings[self.number].story

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
    def canvas(self) -> Canvas:
        """The decoder of a recipe that paints with codes."""
        assert isinstance(self.decoder, Canvas)
        return self.decoder

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of codes; they may paint a little more than is wanted."""
        return self.canvas.grid_of(*self.size)

    @property
    def painted(self) -> tuple[int, int]:
        """Height and width of what the decoder paints, px."""
        if isinstance(self.decoder, Steered):
            return self.decoder.resolution
        if isinstance(self.decoder, Guide):
            return self.size
        rows, columns = self.grid
        return rows * self.canvas.factor, columns * self.canvas.factor

    @property
    def settings(self) -> Optimising:
        """Settings of the optimisation."""
        assert self.recipe.iterations is not None
        assert self.recipe.optimiser is not None
        assert self.recipe.learning_rate is not None
        assert self.recipe.repaint_every is not None
        return Optimising(
            iterations=self.recipe.iterations,
            optimiser=self.recipe.optimiser,
            learning_rate=self.recipe.learning_rate,
            repaint_every=self.recipe.repaint_every,
        )

    def init_images(self) -> Images:
        """The picture to start from, 1 c h w, covering what is painted.

        Raises:
            RecipeError: the recipe names none.
        """
        if self.init is None:
            raise RecipeError("start: 'image' needs an init_image")
        return fit(self.init[None], *self.painted).to(self.device)

    def crop(self, images: Images) -> Float[Tensor, "b c _h _w"]:
        """Cut the wanted size from the middle of what is painted."""
        height, width = self.size
        top, left = (images.shape[-2] - height) // 2, (images.shape[-1] - width) // 2
        return images[..., top : top + height, left : left + width]

    def objective(self, rng: Rng) -> ObjectiveAt:
        """What pictures are pulled towards at each iteration; a story changes scene and loops.

        Args:
            rng: One seed a picture.
        """
        gazes, recipe = self.gazes, self.recipe
        assert recipe.story_every is not None
        assert recipe.start_noise is not None
        every = recipe.story_every
        schedule = CutSchedule(
            noise=NoiseFall(start=recipe.start_noise, end=recipe.cut_noise, iterations=every),
            overview=partial(value_at, recipe.cut_overview),
            smallest=partial(value_at, recipe.cut_smallest),
        )
        scenes = [
            self._scene(scene, gazes, rng.fork(i), schedule)
            for i, scene in enumerate(self.story.scenes)
        ]

        def at(index: int) -> Objective:
            return scenes[index // every % len(scenes)].at(index)

        return at

    def verdict(self, rng: Rng) -> Objective:
        """The first scene's objective as it is at the end of a run, to choose among few."""
        return self._scene(self.story.scenes[0], self.gazes, rng).at(0)

    def first_glance(self, rng: Rng) -> Objective:
        """The first scene's objective, of whole pictures: cheap, to choose among many."""
        glances = tuple(
            Gaze(
                gaze.perceptor,
                replace(gaze.cutouts, policy="whole", count=1, noise=0.0),
                gaze.weight,
            )
            for gaze in self.gazes
        )
        return self._scene(self.story.scenes[0], glances, rng).at(0)

    def _scene(
        self,
        phrases: tuple[Phrase, ...],
        gazes: tuple[Gaze, ...],
        rng: Rng,
        schedule: CutSchedule | None = None,
    ) -> StepObjective:
        words = PromptObjective.of_scene(phrases, gazes, rng, self.pictures, schedule)
        terms: list[tuple[StepObjective, float]] = [
            (words, 1.0),
            (TotalVariation(), self.recipe.tv_weight),
            (RangePenalty(), self.recipe.range_weight),
            (Saturation(), self.recipe.saturation_weight),
        ]
        if self.init is not None:
            terms.append((InitPull(self.init_images()), self.recipe.init_weight))
        return weighted_sum(terms)


def set_stage(recipe: Imagine, zoo: Zoo, device: str = "cpu", init: Picture | None = None) -> Stage:
    """Open, check and load everything that a recipe names.

    Args:
        init: A picture to start from that no file holds; the recipe then names none.
    Raises:
        RecipeError: the prompt has no words, a picture or a model is missing, ...
        WeightsError: weights are not here, or damaged.
        DeviceError: no such device.
    """
    wordings = wordings_of(recipe)
    demand_own_fields(recipe)
    place = resolve_device(device)
    scenes = [scene for wording in wordings for scene in wording.story.scenes]
    paths = {phrase.image for scene in scenes for phrase in scene if phrase.image}
    pictures = {path: open_image(Path(path)) for path in sorted(paths)}
    init = open_image(Path(recipe.init_image)) if recipe.init_image else init
    if init is None and recipe.init_weight:
        raise RecipeError("init_weight needs an init_image to pull towards")
    recipe = _started(recipe, wordings, init)
    judges = [split_weight(entry) for entry in recipe.perceptors]
    sketches = _sketches(recipe, zoo)
    drafter = recipe.drafter if recipe.start == "draft" else None
    names = [recipe.model_name, *(name for name, _ in judges), sketches, drafter]
    models = model_hashes(filter(None, names), zoo)

    decoder, own = METHODS[recipe.chosen_method](recipe, zoo, place)
    recipe = _complete(recipe, own)
    return Stage(
        recipe=recipe,
        wordings=wordings,
        decoder=decoder,
        gazes=tuple(_gaze(recipe, zoo.load(name, place), name, w) for name, w in judges),
        pictures=pictures,
        init=init,
        sketches=sketches,
        surroundings=Surroundings(
            models=models,
            inputs=input_hashes(filter(None, [recipe.init_image, *pictures])),
            platform=Platform.here(str(place), own.dtype),
        ),
    )


def _started(recipe: Imagine, wordings: tuple[Wording, ...], init: Picture | None) -> Imagine:
    """Where a search by the embedded model starts for lack of a better one: from a draft."""
    own = OWN_MODELS["vqgan-clip"]
    if init is not None or recipe.start != "auto" or recipe.model_name != own:
        return recipe
    for wording in wordings:
        if not any(p.text is not None and p.pull > 0 for p in wording.story.scenes[0]):
            return recipe  # pictures alone cannot be drafted
    return recipe.model_copy(update={"start": "draft"})


def _sketches(recipe: Imagine, zoo: Zoo) -> str | None:
    """Find the sketches drawn with the recipe's model, unless it starts elsewhere."""
    if recipe.chosen_method != "vqgan-clip" or recipe.start in (*BLANKS, "draft", "flow", "image"):
        return None
    if recipe.start == "auto" and recipe.init_image:
        return None
    cards = [
        card for card in zoo.cards() if card.family == SKETCHES and recipe.model_name in card.needs
    ]
    return cards[0].name if cards else None


def _complete(recipe: Imagine, own: Own) -> Imagine:
    """Fill in what the recipe leaves to the model, so that it means the same for ever."""
    default = own.defaults
    iterations = recipe.iterations or default.iterations
    share = -(-iterations // scenes_of(recipe))
    filled: dict[str, Any] = {
        "method": recipe.chosen_method,
        "model": recipe.model_name,
        "iterations": iterations,
        "width": recipe.width or own.size[1],
        "height": recipe.height or own.size[0],
        "num_cutouts": recipe.num_cutouts or default.num_cutouts,
        "start_noise": _first(recipe.start_noise, default.start_noise, recipe.cut_noise),
        "story_every": recipe.story_every or share,
    }
    if recipe.chosen_method == "guided-diffusion":
        filled |= {
            "guidance_scale": _first(recipe.guidance_scale, default.guidance_scale),
            "push": _first(recipe.push, default.push),
            "rounds": recipe.rounds or default.rounds,
            "look_every": recipe.look_every or default.look_every,
        }
    else:
        filled |= {
            "optimiser": recipe.optimiser or default.optimiser,
            "learning_rate": recipe.learning_rate or default.learning_rate,
            "repaint_every": _first(recipe.repaint_every, default.repaint_every),
        }
    return recipe.model_copy(update=filled)


def _first(*values: Number | None) -> Number:
    """The first value that is one, be it 0; the last is one."""
    return next(value for value in values if value is not None)


def _gaze(recipe: Imagine, perceptor: object, name: str, weight: float) -> Gaze:
    """How one perceptor looks at the pictures of a recipe, at the end of the run."""
    if not isinstance(perceptor, Perceptor):
        raise Unsupported(f"{name[:80]!r} is no perceptor: it cannot compare pictures with words")
    assert recipe.num_cutouts is not None
    assert recipe.iterations is not None
    last = recipe.iterations - 1
    cutouts = Cutouts(
        policy=recipe.cut_policy,
        count=recipe.num_cutouts,
        size=perceptor.input_size,
        power=recipe.cut_power,
        noise=recipe.cut_noise,
        overview=value_at(recipe.cut_overview, last),
        smallest=value_at(recipe.cut_smallest, last),
    )
    return Gaze(frozen(perceptor), cutouts, weight)
