"""A generator made ready for a recipe: what seeds, classes and styles are to it, and its pictures.

Each picture is decoded by itself, so that it has the same pixels alone, in a file among others, in
a grid, on a walk. Seed 7 is the same z everywhere.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.core.errors import RecipeError, Unsupported
from phosphene.core.images import Images, on_white
from phosphene.core.latent import Condition, Latent, Space
from phosphene.core.protocols import Decoder, Generator, Styled
from phosphene.core.rng import Rng
from phosphene.core.runtime import resolve_device
from phosphene.explore import geometry
from phosphene.explore.walk import LayerNoise, Moment
from phosphene.studio.artifact import Platform, Surroundings
from phosphene.studio.provenance import dtype_of, model_hashes
from phosphene.zoo import Zoo


class Dreaming(Protocol):
    """What recipes for generators have in common."""

    @property
    def model(self) -> str: ...

    @property
    def truncation_psi(self) -> float | None: ...

    @property
    def truncation_threshold(self) -> float | None: ...

    @property
    def truncation_scale(self) -> float | None: ...


@dataclass(frozen=True, slots=True, eq=False)
class Dreamer:
    """A generator with a recipe's truncation; an `explore.walk.Atlas` of itself.

    Args:
        transparent: False lays the pictures of RGBA models on white.
    """

    generator: Any
    recipe: Dreaming
    surroundings: Surroundings
    transparent: bool = True

    @property
    def styled(self) -> Styled | None:
        """The generator, if it has styles."""
        return self.generator if isinstance(self.generator, Styled) else None

    def image(self, seed: int, condition: Condition | None = None) -> Images:
        """The sample of a seed, 1 c h w, clipped to [-1, 1].

        Args:
            condition: Classes; None lets the seed draw one where there are any.
        """
        rng = _of(seed).fork("render")
        latent = Latent(Space.Z, self.z(seed))
        if self.recipe.truncation_psi is not None:
            latent = self.styles(latent, self.condition(seed, condition))
        *_, last = self.generator.render(latent, rng, condition)
        return self._finished(last.images)

    @torch.no_grad()
    def paint(self, moment: Moment) -> Images:
        """The picture of a moment of a walk, 1 c h w, clipped; its layer noise is its own."""
        if moment.layer_noise is None:
            return self._finished(self.generator.decode(moment.latent, moment.condition))
        images = self.generator.decode(moment.latent, moment.condition, moment.layer_noise)
        return self._finished(images)

    def z(self, seed: int) -> Float[Tensor, "1 ..."]:
        """What a seed draws, truncated as the recipe says."""
        rng, recipe = _of(seed).fork("z"), self.recipe
        shape = self.generator.spec.shape
        if recipe.truncation_threshold is not None:
            return geometry.resample_threshold(rng, recipe.truncation_threshold, *shape)
        if recipe.truncation_scale is not None:
            return geometry.scaled_truncated_normal(rng, recipe.truncation_scale, *shape)
        z: Tensor = self.generator.draw(rng).data
        return z

    @torch.no_grad()
    def styles(self, z: Latent, condition: Condition | None) -> Latent:
        """Map z to w+, with the recipe's psi.

        Raises:
            Unsupported: the model has no styles.
        """
        if self.styled is None:
            raise Unsupported(f"model: {self.recipe.model!r} has no styles; take a StyleGAN")
        w = self.styled.map(z, condition)
        psi = self.recipe.truncation_psi
        if psi is None:
            return w
        return w.with_data(geometry.truncate_psi(w.data, self.styled.w_avg, psi))

    def classes(self, name: str) -> Float[Tensor, "1 num_classes"]:
        """Weights of a class by its name or number."""
        condition = self.wanted(name)
        assert condition.classes is not None
        return condition.classes

    def wanted(self, entry: str) -> Condition:
        """Read a class, or a mixture as `fox:0.5+owl:0.5`.

        Raises:
            Unsupported: the model knows no classes.
            RecipeError: a class that it lacks, or a weight that is no number.
        """
        if not getattr(self.generator, "num_classes", 0):
            raise Unsupported(f"model: {self.recipe.model!r} knows no classes; leave them out")
        condition: Condition = self.generator.condition_of([_mixture(entry, self.generator)])
        return condition

    def condition(self, seed: int, condition: Condition | None = None) -> Condition | None:
        """The classes given; else those that a seed draws, where the model has any."""
        if condition is not None or not hasattr(self.generator, "any_condition"):
            return condition
        drawn: Condition = self.generator.any_condition(_of(seed).fork("render"))
        return drawn if drawn.classes is not None else None

    def layer_noise(self, seed: int) -> LayerNoise:
        """The layer noise of a seed's sample."""
        return tuple(self.generator.layer_noise(_of(seed).fork("render")))

    def _finished(self, images: Images) -> Float[Tensor, "b _c h w"]:
        images = images.clamp(-1, 1).cpu()
        return images if self.transparent or images.shape[1] != 4 else on_white(images)


def set_up(recipe: Dreaming, zoo: Zoo, device: str = "cpu") -> Dreamer:
    """Load the generator of a recipe, and see that it can be truncated as asked.

    Raises:
        Unsupported: the model is no generator of latents, or has no such truncation.
        RecipeError: two truncations of z.
        WeightsError: its weights are not here.
    """
    place = resolve_device(device)
    generator = zoo.load(recipe.model, place)
    if not isinstance(generator, Generator) or not isinstance(generator, Decoder):
        family = zoo.card(recipe.model).family
        raise Unsupported(
            f"model: {recipe.model!r} ({family}) is no generator that draws by itself; "
            "`phosphene models` shows the family of each"
        )
    surroundings = Surroundings(
        models=model_hashes([recipe.model], zoo),
        inputs={},
        platform=Platform.here(str(place), dtype_of(generator)),
    )
    _check_truncation(recipe, generator)
    # published BigGANs keep averages of their norms for each truncation
    if recipe.truncation_scale is not None and hasattr(generator, "at_truncation"):
        generator = generator.at_truncation(recipe.truncation_scale)
    transparent = getattr(recipe, "transparent", None)
    if transparent and getattr(generator, "channels", 3) != 4:
        raise Unsupported(f"model: {recipe.model!r} paints no transparency; leave it out")
    return Dreamer(generator, recipe, surroundings, transparent is not False)


def _check_truncation(recipe: Dreaming, generator: object) -> None:
    truncates_z = recipe.truncation_threshold is not None or recipe.truncation_scale is not None
    if recipe.truncation_threshold is not None and recipe.truncation_scale is not None:
        raise RecipeError(
            "truncation_threshold and truncation_scale are two ways to draw z; leave one out"
        )
    if truncates_z and getattr(generator, "prior", "normal") != "normal":
        raise Unsupported(
            f"model: {recipe.model!r} draws z evenly from -1 to 1: there are no tails to truncate"
        )
    if recipe.truncation_psi is not None and not isinstance(generator, Styled):
        raise Unsupported(
            f"truncation_psi: {recipe.model!r} has no styles; "
            "use truncation_threshold, or take a StyleGAN"
        )


def _of(seed: int) -> Rng:
    return Rng((seed,), "/sample")


def _mixture(entry: str, generator: object) -> str | dict[str, float]:
    """Read `fox`, or `fox:0.5+owl:0.5`; a name of the model's is itself, whatever is in it.

    Raises:
        RecipeError: a weight that is no number.
    """
    if entry in getattr(generator, "class_names", ()) or ":" not in entry:
        return entry
    weights: dict[str, float] = {}
    for part in entry.split("+"):
        name, _, weight = part.strip().rpartition(":")
        try:
            weights[name] = weights.get(name, 0.0) + float(weight)
        except ValueError:
            raise RecipeError(
                f"classes: {part.strip()!r} is not name:weight; for example fox:0.5+owl:0.5"
            ) from None
    return weights
