"""The optimisation that paints: move a latent until its picture fits the objective.

Knows neither prompts nor perceptors: it is given a `Decoder`, a starting latent and an objective.
Source of the method: Crowson et al. 2022, "VQGAN-CLIP: Open Domain Image Generation and Editing
with Natural Language Guidance".
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.core.errors import Diverged, RecipeError, did_you_mean
from phosphene.core.images import Images
from phosphene.core.latent import Latent
from phosphene.core.protocols import Autoencoder, Confined, Decoder, Objective, Step
from phosphene.prompting.novograd import NovoGrad
from phosphene.prompting.pyramid import PyramidAdam

ObjectiveAt = Callable[[int], Objective]
"""The objective of a step: its randomness (cutouts, noise) is keyed by the step's index."""

OPTIMISERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "novograd": NovoGrad,
    "pyramid": PyramidAdam,
    "adamw": torch.optim.AdamW,
    "nadam": torch.optim.NAdam,
    "radam": torch.optim.RAdam,
    "adamax": torch.optim.Adamax,
    "adagrad": torch.optim.Adagrad,
    "rmsprop": torch.optim.RMSprop,
    "sgd": torch.optim.SGD,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimising:
    """Settings of an optimisation.

    Args:
        iterations: Steps in all.
        optimiser: A name of `OPTIMISERS`.
        learning_rate: At the start.
        final_rate: At the end, as a share of the start; half a cosine in between.
        repaint_every: Steps between two passes of the picture through the decoder's own encoder,
            which takes out what no picture has, such as weaves of codes; 0 is none. `Autoencoder`s
            alone have one.
    Raises:
        RecipeError: a negative `repaint_every`.
    """

    iterations: int = 500
    optimiser: str = "adam"
    learning_rate: float = 0.1
    final_rate: float = 0.1
    repaint_every: int = 0

    def __post_init__(self) -> None:
        if self.repaint_every < 0:
            raise RecipeError(f"repaint_every is {self.repaint_every}; use 0 or more")

    def progress(self, index: int) -> float:
        """Share of the run that is over at a step, 0 to 1."""
        return min(1.0, index / max(1, self.iterations - 1))

    def rate(self, index: int) -> float:
        """Learning rate of a step."""
        falling = 0.5 * (1 + math.cos(math.pi * self.progress(index)))
        return self.learning_rate * (self.final_rate + (1 - self.final_rate) * falling)


class Optimisation:
    """One optimisation in progress: step it, look at it, save it, go on another day.

    Args:
        decoder: Paints; an `Autoencoder` also snaps the latent to its codebook before painting, a
            `Confined` one brings it back after each step.
        latent: The start; each sample of the batch is optimised on its own.
        objective: Gives the objective of a step.
    Raises:
        RecipeError: unknown optimiser.
    """

    def __init__(
        self, decoder: Decoder, latent: Latent, objective: ObjectiveAt, settings: Optimising
    ) -> None:
        if settings.optimiser not in OPTIMISERS:
            known = ", ".join(OPTIMISERS)
            hint = did_you_mean(settings.optimiser, OPTIMISERS)
            raise RecipeError(f"unknown optimiser {settings.optimiser!r}{hint}; known: {known}")
        self.decoder, self.objective, self.settings = decoder, objective, settings
        self.latent = latent.with_data(latent.data.detach().clone().requires_grad_())
        self.optimizer = OPTIMISERS[settings.optimiser]([self.latent.data], lr=1.0)
        self.index = 0

    @property
    def total(self) -> int:
        """Steps in all."""
        return self.settings.iterations

    def paint(self) -> Images:
        """The picture of the latent as it is, in [-1, 1]."""
        with torch.no_grad():
            return self._decode().clamp(-1, 1)

    def _decode(self) -> Images:
        latent = self.latent
        if isinstance(self.decoder, Autoencoder):
            latent = self.decoder.snap(latent)
        return self.decoder.decode(latent)

    @torch.enable_grad()
    def step(self) -> Step:
        """Make one step; the images are the picture before it.

        Raises:
            Diverged: the loss or the gradient is not finite; the latent is left as it was.
        """
        self._repaint()
        images = self._decode()
        losses: Float[Tensor, " b"] = self.objective(self.index)(images)
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(losses.sum())
        gradient = self.latent.data.grad
        if gradient is None or not bool(torch.isfinite(losses.detach().sum() + gradient.sum())):
            raise Diverged(
                f"the loss stopped being finite at iteration {self.index}; "
                "try a lower learning_rate"
            )
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.rate(self.index)
            group["progress"] = self.settings.progress(self.index)
        self.optimizer.step()
        if isinstance(self.decoder, Confined):
            with torch.no_grad():
                self.latent.data.copy_(self.decoder.confine(self.latent).data)
        scalars = {"loss": float(losses.detach().mean())}
        step = Step(self.index, self.settings.iterations, images.detach().clamp(-1, 1), scalars)
        self.index += 1
        return step

    @torch.no_grad()
    def _repaint(self) -> None:
        every = self.settings.repaint_every
        due = every > 0 and self.index > 0 and self.index % every == 0
        if due and isinstance(self.decoder, Autoencoder):
            self.replace(self.decoder.encode(self.paint()))

    def replace(self, latent: Latent) -> None:
        """Go on from another latent of the same shape, keeping the optimiser's momentum."""
        with torch.no_grad():
            self.latent.data.copy_(latent.data)

    def state(self) -> dict[str, Any]:
        """Everything that the next step depends on."""
        return {
            "index": self.index,
            "latent": self.latent.data.detach(),
            "optimizer": self.optimizer.state_dict(),
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Continue from `state()`, bit for bit."""
        self.index = int(state["index"])
        with torch.no_grad():
            self.latent.data.copy_(state["latent"])
        self.optimizer.load_state_dict(state["optimizer"])


def optimise(
    decoder: Decoder, latent: Latent, objective: ObjectiveAt, settings: Optimising
) -> Iterator[Step]:
    """Run an optimisation to its end.

    Yields:
        A Step an iteration, with the picture before it; then a last one with the final picture,
        whose index is `iterations`.
    """
    optimisation = Optimisation(decoder, latent, objective, settings)
    while optimisation.index < settings.iterations:
        yield optimisation.step()
    yield Step(settings.iterations, settings.iterations + 1, optimisation.paint())
