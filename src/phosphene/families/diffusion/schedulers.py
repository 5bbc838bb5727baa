"""Samplers of published pipelines by name: diffusers' schedulers, out of a closed table.

Karras et al. 2022, "Elucidating the Design Space of Diffusion-Based Generative Models" (euler,
heun, dpm2); Lu et al. 2022, "DPM-Solver++"; Zhao et al. 2023, "UniPC"; Song et al. 2020, "DDIM";
Liu et al. 2022, "Pseudo Numerical Methods for Diffusion Models" (pndm); Luo et al. 2023, "Latent
Consistency Models" (lcm).
"""

import functools
import importlib.util
import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.core.errors import Unsupported

Settings = Mapping[str, Any]
# The settings are laid over those of the model's own scheduler.
SAMPLERS: Mapping[str, tuple[str, Settings]] = {
    "euler": ("EulerDiscreteScheduler", {}),
    "euler-a": ("EulerAncestralDiscreteScheduler", {}),
    "heun": ("HeunDiscreteScheduler", {}),
    "dpm2": ("KDPM2DiscreteScheduler", {}),
    "dpm2-a": ("KDPM2AncestralDiscreteScheduler", {}),
    "dpm++": (
        "DPMSolverMultistepScheduler",
        {"algorithm_type": "dpmsolver++", "use_karras_sigmas": False},
    ),
    "dpm++-karras": (
        "DPMSolverMultistepScheduler",
        {"algorithm_type": "dpmsolver++", "use_karras_sigmas": True},
    ),
    "dpm++-sde": (
        "DPMSolverMultistepScheduler",
        {"algorithm_type": "sde-dpmsolver++", "use_karras_sigmas": False},
    ),
    "unipc": ("UniPCMultistepScheduler", {}),
    "deis": ("DEISMultistepScheduler", {}),
    "ddim": ("DDIMScheduler", {}),
    "ddpm": ("DDPMScheduler", {}),
    "pndm": ("PNDMScheduler", {"skip_prk_steps": True}),
    "lms": ("LMSDiscreteScheduler", {}),
    "lcm": ("LCMScheduler", {}),
}
FLOW = {"use_flow_sigmas": True, "prediction_type": "flow_prediction"}
FLOW_SAMPLERS: Mapping[str, tuple[str, Settings]] = {
    "euler": ("FlowMatchEulerDiscreteScheduler", {}),
    "heun": ("FlowMatchHeunDiscreteScheduler", {}),
    "dpm++": ("DPMSolverMultistepScheduler", FLOW),
    "unipc": ("UniPCMultistepScheduler", FLOW),
}
NEEDS_SCIPY = {"lms"}
# Whose noisy latents are x0 + sigma n; those of all others are alpha x0 + sigma n.
EXPLODING = {
    *("EulerDiscreteScheduler", "EulerAncestralDiscreteScheduler", "HeunDiscreteScheduler"),
    *("KDPM2DiscreteScheduler", "KDPM2AncestralDiscreteScheduler", "LMSDiscreteScheduler"),
}
KNOWN = {name for name, _ in (*SAMPLERS.values(), *FLOW_SAMPLERS.values())}


def scheduler_class(name: str) -> Any:
    """The class of diffusers of a name that this module knows.

    Raises:
        Unsupported: another name.
    """
    if name not in KNOWN:
        raise Unsupported(
            f"the scheduler {name[:60]!r} is not one that phosphene knows: "
            f"{', '.join(sorted(KNOWN))}"
        )
    import diffusers

    return getattr(diffusers, name)


def is_flow(scheduler: Any) -> bool:
    """Whether a model's own scheduler is of flow matching."""
    return type(scheduler).__name__.startswith("FlowMatch")


def table_of(own: Any) -> Mapping[str, tuple[str, Settings]]:
    """The samplers for a model, by its own scheduler; without those that lack a library."""
    if is_flow(own):
        return FLOW_SAMPLERS
    here = importlib.util.find_spec("scipy") is not None
    return {name: made for name, made in SAMPLERS.items() if here or name not in NEEDS_SCIPY}


def own_sampler(own: Any) -> str:
    """What a model's own scheduler is called here.

    Raises:
        Unsupported: it is in no list.
    """
    kind = type(own).__name__
    names = [name for name, (found, _) in table_of(own).items() if found == kind]
    if not names:
        raise Unsupported(
            f"the model's own scheduler {kind!r} cannot be used here; name another class in its "
            "scheduler_config.json"
        )
    fitting = [
        name
        for name in names
        if all(own.config.get(key) == value for key, value in table_of(own)[name][1].items())
    ]
    return (fitting or names)[0]


def made(sampler: str, own: Any) -> Any:
    """A new scheduler for a sampler of `table_of(own)`, of the noise that the model knows.

    Args:
        own: The model's scheduler. Its sampler keeps all of its settings.
    """
    if sampler == own_sampler(own):
        return type(own).from_config(own.config)
    name, settings = table_of(own)[sampler]
    more = dict(settings)
    if settings is FLOW:
        more["flow_shift"] = own.config.get("shift", 1.0)
    return scheduler_class(name).from_config(own.config, **more)


class Expectation:
    """What a scheduler's last step took the clean latents to be; None before the first.

    Args:
        scheduler: Is made to report its steps here.
    """

    def __init__(self, scheduler: Any) -> None:
        self.latents: Tensor | None = None
        step: Callable[..., Any] = scheduler.step

        # keeps the signature: pipelines look there for what a scheduler takes
        @functools.wraps(step)
        def reporting(
            model_output: Tensor, timestep: Any, sample: Tensor, *rest: Any, **named: Any
        ) -> Any:
            self.latents = expected(scheduler, model_output, timestep, sample)
            return step(model_output, timestep, sample, *rest, **named)

        scheduler.step = reporting


@torch.no_grad()
def expected(
    scheduler: Any,
    output: Float[Tensor, "b c h w"],
    timestep: Any,
    sample: Float[Tensor, "b c h w"],
) -> Float[Tensor, "b c h w"]:
    """What the clean latents are taken to be, x0, where the network said `output` of `sample`.

    With x = alpha x0 + sigma n: x0 = (x - sigma eps) / alpha, or alpha x - sigma v where
    alpha^2 + sigma^2 = 1, or x - sigma v of flows. In float32. To be called before the step.
    """
    x, said = sample.float(), output.float()
    kind = scheduler.config.get("prediction_type", "epsilon")
    if is_flow(scheduler) or kind == "flow_prediction":
        return x - _sigma(scheduler, timestep) * said
    if kind == "sample":
        return said
    if type(scheduler).__name__ in EXPLODING:
        sigma = _sigma(scheduler, timestep)
        alpha = 1 / math.sqrt(sigma**2 + 1)
        sigma, x = sigma * alpha, x * alpha
    else:
        kept = float(scheduler.alphas_cumprod[int(timestep)])
        alpha, sigma = math.sqrt(kept), math.sqrt(1 - kept)
    if kind == "v_prediction":
        return alpha * x - sigma * said
    return (x - sigma * said) / alpha


def _sigma(scheduler: Any, timestep: Any) -> float:
    """The noise that a scheduler has at a timestep."""
    index = scheduler.step_index
    if index is None:  # before its first step
        index = scheduler.begin_index
    if index is None:
        index = int((scheduler.timesteps == timestep).nonzero()[0])
    return float(scheduler.sigmas[index])
