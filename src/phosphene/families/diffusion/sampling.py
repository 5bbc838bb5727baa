"""How noise becomes a picture: solvers of the flow, guided by words. Knows no network's inside.

Guidance: with u the velocity for the negative prompt (or none) and c the one for the prompt,
v = u + s (c - u); see `nn.guidance`, also for words that count more or less than others.

A picture to start from joins the straight path at sigma = strength (Meng et al. 2022, "SDEdit").
Where a mask is 0, codes are put back onto the path of that picture after every step (Lugmayr et
al. 2022, "RePaint", without its resampling). Sample i depends on its own seed and words alone.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, UniPCMultistepScheduler
from jaxtyping import Float
from torch import Tensor

from phosphene.core.rng import Rng
from phosphene.core.streams import at_once
from phosphene.families.diffusion.flow import Flow, Words, parted, stacked
from phosphene.families.diffusion.schedule import between, sigmas_of
from phosphene.nn.guidance import led

SAMPLERS: dict[str, Callable[[], Any]] = {
    "euler": FlowMatchEulerDiscreteScheduler,
    "unipc": lambda: UniPCMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sampling:
    """How samples are drawn.

    Args:
        steps: Of the solver, for the whole way.
        guidance_scale: 1 is off.
        sampler: One of `SAMPLERS`.
        init: Normalised codes to start from.
        strength: Share of the way from noise that is gone again from `init`.
        mask: 1 where codes are painted anew.
        halves: For a small network: its prompts are passed in two halves, each by one thread, so
            that a picture does not depend on how many there are. Else all are passed together.
    """

    steps: int = 16
    guidance_scale: float = 4.0
    sampler: str = "euler"
    init: Float[Tensor, "b d h w"] | None = None
    strength: float = 1.0
    mask: Float[Tensor, "b 1 h w"] | None = None
    halves: bool = False


class Term(NamedTuple):
    """Some words, and what they count: everywhere, or within their share of each place."""

    words: Words
    weight: float = 1.0
    share: Float[Tensor, "1 1 h w"] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """Where a sampling is.

    Args:
        clean: Normalised codes that the network expects to come of it; at the end, what came.
    """

    index: int
    total: int
    clean: Float[Tensor, "b d h w"]


@torch.no_grad()
def sample(
    flow: Flow, terms: Sequence[Term], unsaid: Words, rng: Rng, sampling: Sampling
) -> Iterator[Moment]:
    """Draw one sample for each row of the terms' words, led away from `unsaid`.

    Args:
        rng: One seed a sample.
    """
    c = flow.config
    noise = rng.fork("noise").normal(c.latent_channels, c.latent_size, c.latent_size)
    noise = noise.to(unsaid.states.device)
    sigmas = sigmas_of(sampling.steps, 1.0 if sampling.init is None else sampling.strength)
    x = noise if sampling.init is None else between(sampling.init, noise, float(sigmas[0]))
    scheduler = scheduler_of(sampling.sampler, sigmas)
    times, levels = scheduler.timesteps, scheduler.sigmas
    for index, time in enumerate(times):
        sigma = float(levels[index])
        velocity = guided(
            flow, x, sigma, terms, unsaid, sampling.guidance_scale, halves=sampling.halves
        )
        clean = x - sigma * velocity
        x = scheduler.step(velocity, time, x, return_dict=False)[0].float()
        if sampling.mask is not None and sampling.init is not None:
            known = between(sampling.init, noise, float(levels[index + 1]))
            x = sampling.mask * x + (1 - sampling.mask) * known
            clean = sampling.mask * clean + (1 - sampling.mask) * sampling.init
        last = index == len(times) - 1
        yield Moment(index, len(times), x if last else clean)


def scheduler_of(sampler: str, sigmas: Float[np.ndarray, " n"]) -> Any:
    """A solver of diffusers, set to walk through `sigmas` and then to 0."""
    scheduler = SAMPLERS[sampler]()
    scheduler.set_timesteps(sigmas=sigmas.copy())
    return scheduler


def guided(
    flow: Flow,
    x: Tensor,
    sigma: float,
    terms: Sequence[Term],
    unsaid: Words,
    scale: float,
    *,
    halves: bool = False,
) -> Float[Tensor, "b d h w"]:
    """The velocity at x, away from `unsaid`; for `halves` see `Sampling`."""
    asked = [term for term in terms if term.weight]
    told = [term.words for term in asked] + ([unsaid] if scale != 1 else [])
    words = stacked(told)

    def said(words: Words, count: int) -> Tensor:
        times = torch.full((count * len(x),), sigma, device=x.device)
        velocity: Tensor = flow(x.repeat(count, 1, 1, 1), times, words)
        return velocity

    if halves:
        counts = [n for n in (len(told) - len(told) // 2, len(told) // 2) if n]
        parts = parted(words, [n * len(x) for n in counts])
        calls = [partial(said, *part) for part in zip(parts, counts, strict=True)]
        velocities = torch.cat(at_once(calls))
    else:
        velocities = said(words, len(told))
    each = velocities.chunk(len(told))
    towards, away = each[: len(asked)], None if scale == 1 else each[-1]
    weights, shares = [term.weight for term in asked], [term.share for term in asked]
    return led(towards, weights, away, scale, shares)
