"""Inversion: find the latent whose picture is a given one, by optimisation.

Knows no perceptual loss: the objective compares pictures and is passed in. The recipe is
StyleGAN2's projector (Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN",
appendix D) for any decoder: start at the mean, warm up, explore with fading noise, come to rest;
in styles first one w for all layers, then, to fit what it cannot, one for each.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.core.errors import Diverged, RecipeError
from phosphene.core.images import Images
from phosphene.core.latent import Condition, Latent, Space
from phosphene.core.protocols import Decoder, Objective, Step, Styled
from phosphene.core.rng import Rng


@dataclass(frozen=True, slots=True, kw_only=True)
class Inverting:
    """Settings of an inversion.

    Args:
        iterations: Steps in all.
        learning_rate: At its height; it rises over the first `warm_up` of the steps and falls as
            half a cosine over the last `cool_down`, both shares of 0 to 1.
        noise: Noise on the latent while looking for the place, as a share of `spread`; it fades as
            `(1 - progress / noise_until)²`.
        noise_until: Share of the steps with noise.
        spread: Typical distance of latents from their mean, per component: 1 for z.
        free_layers_from: Share of the steps after which the layers of w+ go their own ways; 1
            keeps them one w.
        pull: Weight of the mean square distance from the anchor, in units of `spread`.
    Raises:
        RecipeError: a value out of range.
    """

    iterations: int = 500
    learning_rate: float = 0.1
    warm_up: float = 0.05
    cool_down: float = 0.25
    noise: float = 0.05
    noise_until: float = 0.75
    spread: float = 1.0
    free_layers_from: float = 0.5
    pull: float = 0.0

    def __post_init__(self) -> None:
        if not 1 <= self.iterations <= 1_000_000:
            raise RecipeError(f"iterations is {self.iterations}; use 1 to 1,000,000")
        for name in ("learning_rate", "spread"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise RecipeError(f"{name} is {value}; use a number above 0")
        for name in ("warm_up", "cool_down", "noise_until", "free_layers_from"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise RecipeError(f"{name} is {value}; use a share from 0 to 1")
        for name in ("noise", "pull"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise RecipeError(f"{name} is {value}; use 0 or above")

    def rate(self, index: int) -> float:
        """Learning rate of a step."""
        progress = (index + 1) / self.iterations
        rising = min(1.0, progress / self.warm_up) if self.warm_up else 1.0
        left = min(1.0, (1 - index / self.iterations) / self.cool_down) if self.cool_down else 1.0
        return self.learning_rate * rising * (1 - math.cos(math.pi * left)) / 2

    def noise_level(self, index: int) -> float:
        """Standard deviation of the noise on the latent at a step."""
        if not self.noise_until:
            return 0.0
        left = max(0.0, 1 - index / self.iterations / self.noise_until)
        return self.noise * self.spread * left * left


@dataclass(frozen=True, slots=True)
class Inverted(Step):
    """A step of an inversion.

    Args:
        latent: The best so far of each sample; detached.
        losses: Of the best so far, one a sample.
    """

    latent: Latent | None = None
    losses: Float[Tensor, " b"] | None = None


def mean_start(decoder: Decoder, space: Space, count: int, num_seeds: int = 64) -> Latent:
    """Where inversions begin: at the mean style, or near the mean z.

    Not at z = 0 itself, which some networks cannot normalise, but at the mean of `num_seeds` draws.

    Raises:
        RecipeError: a space that the decoder does not take.
    """
    if isinstance(decoder, Styled) and space in (Space.W, Space.W_PLUS):
        mean = decoder.w_avg.detach()
        layers = (decoder.num_ws,) if space is Space.W_PLUS else ()
        return Latent(space, mean.expand(count, *layers, len(mean)).clone())
    if space is not decoder.spec.space or None in decoder.spec.shape:
        raise RecipeError(
            f"this model is not inverted in {space}; its latents are in {decoder.spec.space}"
        )
    shape = tuple(side for side in decoder.spec.shape if side is not None)
    draws = Rng(tuple(range(num_seeds))).fork("mean_start").normal(*shape)
    return Latent(space, draws.mean(0).expand(count, *shape).clone())


def invert(
    decoder: Decoder,
    start: Latent,
    objective: Objective,
    settings: Inverting | None = None,
    *,
    condition: Condition | None = None,
    rng: Rng | None = None,
    anchor: Tensor | None = None,
) -> Iterator[Inverted]:
    """Move a latent until its picture fits.

    Args:
        start: One latent a picture: z, w or w+, see `mean_start`.
        objective: Of the pictures, lower is better; a sample's depends on its own picture alone.
        condition: Classes, for a model that has some.
        rng: Of the noise; one seed a sample. None: seeds 0, 1, ...
        anchor: What `pull` pulls to; it broadcasts. None is the start.
    Yields:
        A step an iteration with the picture before it and the best latent until then; then a last
        one, of index `iterations`, with the best picture.
    Raises:
        Diverged: the loss stopped being finite.
    """
    inversion = _Inversion(decoder, start, objective, settings or Inverting(), condition, rng)
    if anchor is not None:
        inversion.anchor = anchor.to(start.data)
    total = inversion.settings.iterations + 1
    for index in range(total - 1):
        yield inversion.step(index, total)
    yield inversion.last(total)


class _Inversion:
    """One inversion in progress."""

    def __init__(
        self,
        decoder: Decoder,
        start: Latent,
        objective: Objective,
        settings: Inverting,
        condition: Condition | None,
        rng: Rng | None,
    ) -> None:
        self.decoder, self.objective, self.settings = decoder, objective, settings
        self.condition = condition
        self.start = start.with_data(start.data.detach().clone())
        self.anchor = self.start.data
        count = len(start.data)
        self.rng = (rng or Rng.from_seed(0, count)).fork("invert")
        if len(self.rng) != count:
            raise RecipeError(f"{len(self.rng)} seeds for {count} latents; give one each")
        self.moved = start.data.detach().clone().requires_grad_()
        self.optimizer = torch.optim.Adam([self.moved], lr=1.0, betas=(0.9, 0.99))
        self.best = self.start.data.clone()
        self.best_loss = torch.full((count,), math.inf)

    @torch.enable_grad()
    def step(self, index: int, total: int) -> Inverted:
        """One step; the best so far is judged by the picture without noise or pull."""
        settings = self.settings
        level = settings.noise_level(index)
        tied = self._tied(index)
        looked_at = self.moved + level * self._noise(index, tied) if level else self.moved
        images = self._decode(looked_at)
        losses: Float[Tensor, " b"] = self.objective(images)
        away = (self.moved - self.anchor) / settings.spread
        pulled = losses + settings.pull * away.square().flatten(1).mean(1)
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(pulled.sum())
        gradient = self.moved.grad
        if gradient is None or not bool(torch.isfinite(pulled.detach().sum() + gradient.sum())):
            raise Diverged(
                f"the loss stopped being finite at iteration {index}; try a lower learning_rate"
            )
        self._keep(looked_at.detach(), losses.detach())
        if tied:
            # one w for all layers: each gets the mean step
            gradient.copy_(gradient.mean(1, keepdim=True).expand_as(gradient))
        for group in self.optimizer.param_groups:
            group["lr"] = settings.rate(index) * settings.spread
        self.optimizer.step()
        scalars = {"loss": float(losses.detach().mean()), "best": float(self.best_loss.mean())}
        shown = images.detach().clamp(-1, 1)
        return Inverted(index, total, shown, scalars, latent=self._best(), losses=self.best_loss)

    @torch.no_grad()
    def last(self, total: int) -> Inverted:
        """The best of all, the place after the last step included."""
        self._keep(self.moved.detach(), self.objective(self._decode(self.moved)))
        scalars = {"loss": float(self.best_loss.mean()), "best": float(self.best_loss.mean())}
        images = self._decode(self.best).clamp(-1, 1)
        return Inverted(
            total - 1, total, images, scalars, latent=self._best(), losses=self.best_loss
        )

    def _decode(self, data: Tensor) -> Images:
        return self.decoder.decode(self.start.with_data(data), self.condition)

    def _tied(self, index: int) -> bool:
        free = index >= self.settings.free_layers_from * self.settings.iterations
        return self.start.space is Space.W_PLUS and not free

    def _noise(self, index: int, tied: bool) -> Tensor:
        shape = self.moved.shape[1:]
        drawn = self.rng.fork(index).normal(*(shape[1:] if tied else shape)).to(self.moved)
        return drawn[:, None].expand_as(self.moved) if tied else drawn

    def _keep(self, latents: Tensor, losses: Tensor) -> None:
        losses = losses.float().cpu()
        better = losses < self.best_loss
        self.best_loss = torch.where(better, losses, self.best_loss)
        self.best[better.to(self.best.device)] = latents[better.to(latents.device)]

    def _best(self) -> Latent:
        return self.start.with_data(self.best.clone())
