"""Guided diffusion: any denoiser steered by any objective, a step at a time.

Source of the method: Dhariwal & Nichol 2021, "Diffusion Models Beat GANs", section 4, and Crowson's
CLIP-guided diffusion of the same year (later Disco Diffusion). Here the gradient is that at the
expected picture, not through the denoiser (Bansal et al. 2023, "Universal Guidance for Diffusion
Models", equation 9), which costs a third and steers as well: with x0 what the denoiser expects,

    x0' = x0 - push sigma g / rms(g),   g = gradient of the objective of decode(x0) at x0
    x   = x + (sigma' - sigma) (x - x0') / sigma

so pushes are as large as the codes at the start, where shapes are decided, and nothing at the end.
A gradient holds for some steps, since what is expected changes little from one to the next (Dinh et
al. 2024, "Compress Guidance in Conditional Diffusion Sampling"). Knows neither prompts nor
perceptors.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.core.errors import Diverged
from phosphene.core.images import Images
from phosphene.core.latent import Latent, Space
from phosphene.core.protocols import Denoiser, Objective, Step
from phosphene.core.rng import Rng
from phosphene.families.diffusion.schedule import between, sigmas_of

Symmetry = Literal["none", "sides", "halves"]
MIRRORED_UNTIL = 0.15  # sigma down to which pictures are made symmetric: details are free


@dataclass(frozen=True, slots=True, kw_only=True)
class Guiding:
    """How a sampling is steered.

    Args:
        steps: For the whole way.
        push: How far the expected codes are moved a round, in their deviations at sigma = 1.
        rounds: Gradients a step that looks.
        look_every: Steps from one that looks to the next; those between push as it did last.
        strength: Of a start from a picture: the share of the way that is gone again; the first
            steps are skipped.
        symmetry: "sides" mirrors the left half onto the right one, "halves" the upper one down.
    """

    steps: int = 30
    push: float = 0.15
    rounds: int = 1
    look_every: int = 1
    strength: float = 1.0
    symmetry: Symmetry = "none"


class GuidedSampling:
    """One sampling in progress: step it, look at it, save it, go on another day.

    Args:
        denoiser: Told its words already.
        objective: Gives the objective of a step, keyed by its index.
        rng: One seed a sample.
        init: A picture to start from.
    """

    def __init__(
        self,
        denoiser: Denoiser,
        objective: Callable[[int], Objective],
        rng: Rng,
        settings: Guiding,
        init: Images | None = None,
    ) -> None:
        self.denoiser, self.objective, self.settings = denoiser, objective, settings
        sigmas = sigmas_of(settings.steps, 1.0 if init is None else settings.strength)
        self.sigmas = [*sigmas.tolist(), 0.0]
        noise = rng.fork("noise").normal(*denoiser.shape)
        x = noise
        if init is not None:
            known = denoiser.encode(init)
            x = between(known, noise.to(known), self.sigmas[0])
        self.latent = Latent(Space.NOISE, x)
        self.index = 0
        self._push: Tensor | None = None  # of the step that looked last, at sigma = 1
        self._loss = 0.0

    @property
    def total(self) -> int:
        """Steps in all."""
        return len(self.sigmas) - 1

    def paint(self) -> Images:
        """What is expected of the picture as it is, in [-1, 1]."""
        x, sigma = self.latent.data, self.sigmas[self.index]
        return self._picture(self.denoiser.denoise(x, sigma) if sigma else x)

    def step(self) -> Step:
        """Make one step; the images are what was expected before it was pushed, the loss theirs.

        Between two looks the loss is that of the last one.

        Raises:
            Diverged: the loss or its gradient is not finite; nothing is changed.
        """
        sigma, following = self.sigmas[self.index : self.index + 2]
        x = self.latent.data
        expected = self._mirrored(self.denoiser.denoise(x, sigma), sigma)
        view: Images | Callable[[], Images] = cache(partial(self._picture, expected))
        if self._push is None or self.index % self.settings.look_every == 0:
            self._push, view, self._loss = self._push_of(expected, sigma)
        x0 = expected - sigma * self._push
        self.latent = self.latent.with_data(x + (following - sigma) / sigma * (x - x0))
        step = Step(self.index, self.total, view, {"loss": self._loss})
        self.index += 1
        return step

    def _push_of(self, expected: Tensor, sigma: float) -> tuple[Tensor, Images, float]:
        """Where perceptors want expected codes, at sigma = 1; what they saw first, and its loss."""
        gradient, images, loss = self._look(expected)
        push = self.settings.push * gradient
        for _ in range(self.settings.rounds - 1):
            push = push + self.settings.push * self._look(expected - sigma * push)[0]
        return push, images, loss

    @torch.no_grad()
    def _picture(self, x0: Tensor) -> Images:
        return self.denoiser.decode(x0).clamp(-1, 1)

    @torch.enable_grad()
    def _look(self, x0: Tensor) -> tuple[Tensor, Images, float]:
        """The gradient at expected codes, of size 1; the picture, and its loss."""
        leaf = x0.detach().requires_grad_()
        images = self.denoiser.decode(leaf)
        losses: Float[Tensor, " b"] = self.objective(self.index)(images)
        (gradient,) = torch.autograd.grad(losses.sum(), leaf)
        if not bool(torch.isfinite(losses.detach().sum() + gradient.sum())):
            raise Diverged(f"the loss stopped being finite at step {self.index}; use less push")
        size = gradient.square().flatten(1).mean(dim=1).sqrt().clamp_min(1e-12)
        gradient = gradient / size.view(-1, *[1] * (gradient.ndim - 1))
        return gradient, images.detach().clamp(-1, 1), float(losses.detach().mean())

    @torch.no_grad()
    def _mirrored(self, x0: Tensor, sigma: float) -> Tensor:
        """Expected codes of a picture whose second half mirrors its first one."""
        if self.settings.symmetry == "none" or sigma < MIRRORED_UNTIL:
            return x0
        images = self.denoiser.decode(x0)
        axis = -1 if self.settings.symmetry == "sides" else -2
        half = images.shape[axis] // 2
        first = images.narrow(axis, 0, images.shape[axis] - half)
        whole = torch.cat([first, images.narrow(axis, 0, half).flip(axis)], dim=axis)
        return self.denoiser.encode(whole.clamp(-1, 1)).to(x0)

    def replace(self, latent: Latent) -> None:
        """Go on from another state of the same noise."""
        self.latent = latent

    def state(self) -> dict[str, Any]:
        """Everything that the next step depends on."""
        latent = self.latent.data
        return {"index": self.index, "latent": latent, "push": self._push, "loss": self._loss}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Continue from `state()`, bit for bit."""
        self.index = int(state["index"])
        self.latent = self.latent.with_data(state["latent"].to(self.latent.data))
        push = state["push"]
        self._push = None if push is None else push.to(self.latent.data)
        self._loss = float(state["loss"])
