"""Published pipelines: Stable Diffusion 1, 2, XL, Turbo and 3, through diffusers.

Rombach et al. 2022, "High-Resolution Image Synthesis with Latent Diffusion Models"; Podell et al.
2023, "SDXL"; Esser et al. 2024, "Scaling Rectified Flow Transformers" (SD3). The pipelines are
diffusers' own, unchanged: the same noise and settings give the same pixels.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from phosphene.core.errors import CheckpointError, RecipeError, Unsupported, did_you_mean
from phosphene.core.images import Images
from phosphene.core.protocols import Commission, Habits, Step
from phosphene.core.rng import Rng
from phosphene.core.runtime import out_of_memory_named, painting_dtype
from phosphene.core.weights import Shelf
from phosphene.families.diffusion.components import Parts, load_parts, pipeline_class, quiet
from phosphene.families.diffusion.glimpse import Glimpse
from phosphene.families.diffusion.handover import handed_over
from phosphene.families.diffusion.lora import LoRA, apply_lora
from phosphene.families.diffusion.schedulers import (
    Expectation,
    is_flow,
    made,
    own_sampler,
    table_of,
)
from phosphene.families.diffusion.wording import is_plain, token_weights, unread, weighed

STEPS, FEW_STEPS = 30, 4
GUIDANCE, FLOW_GUIDANCE, LCM_GUIDANCE, OFF = 7.5, 5.0, 8.0, 1.0
MAX_GUIDANCE = 100.0
HABITS = tuple(field.name for field in fields(Habits))  # what a card's config may say of them
LORAS_KEY = "loras"  # of a card's config: pairs of a path and a strength
SAFETY_KEY = "safety_checker"  # of a card's config: false leaves it out
Hand = Callable[[Step], None]


class PublishedPipeline(nn.Module):
    """An `Illustrator` around a pipeline of diffusers.

    Args:
        parts: What it is made of; its networks are in one dtype.
        habits: Entries that replace what is found out from the parts: steps, guidance_scale, ...
    """

    def __init__(self, parts: Parts, habits: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        self.networks = nn.ModuleDict(dict(parts.modules))
        self.requires_grad_(False)
        self.train(False)
        self._parts = parts
        self._vae = parts.modules["vae"]
        self._network = parts.modules[parts.kind.network]
        self.factor: int = 2 ** (len(self._vae.config.block_out_channels) - 1)
        self.habits: Habits = _habits(parts, self.factor, habits or {})
        self._glimpse = Glimpse(self._vae, self.factor)

    def train(self, mode: bool = True) -> "PublishedPipeline":
        """Stay in eval mode."""
        return super().train(False)

    @property
    def samplers(self) -> tuple[str, ...]:
        """Names of what it can be denoised by."""
        return tuple(table_of(self._parts.others["scheduler"]))

    @property
    def tasks(self) -> tuple[str, ...]:
        """What it can begin with: "words" alone, an "init" picture, a "mask"."""
        paints_into_pictures = self._network.config.in_channels != self._latent_channels
        return ("mask",) if paints_into_pictures else ("words", "init", "mask")

    def check(self, commission: Commission) -> None:
        """See that it can be done; see `Illustrator.check`."""
        self._check_numbers(commission)
        self._check_size(commission)
        task = _task(commission)
        if task not in self.tasks:
            raise Unsupported("this model only paints into pictures: give an init and a mask")
        if commission.sampler not in self.samplers:
            hint = did_you_mean(commission.sampler, self.samplers)
            raise RecipeError(
                f"sampler: this model has no {commission.sampler[:40]!r}{hint}; "
                f"it has {', '.join(self.samplers)}"
            )
        with quiet():
            scheduler = made(commission.sampler, self._parts.others["scheduler"])
        if self._is_flow and task != "words" and not hasattr(scheduler, "scale_noise"):
            raise RecipeError(
                f"sampler: {commission.sampler!r} cannot start from a picture with this model; "
                "use euler or heun"
            )
        if not is_plain(commission.spans) and self._is_flow:
            raise Unsupported(
                "weights of words: this model reads prompts with several encoders that do not "
                "share their tokens; leave the brackets out, or `--set emphasis=false`"
            )

    def illustrate(self, commission: Commission, rng: Rng) -> Iterator[Step]:
        """Paint one picture; see `Illustrator.illustrate`.

        Before the last step, pictures are a coarse look at the latents (see `glimpse.py`).

        Raises:
            RecipeError: as `check` says; or the model's safety checker blocks the picture.
            DeviceError: out of memory.
        """
        self.check(commission)
        if len(rng) != 1:
            raise RecipeError(f"illustrate() paints one picture, this Rng has {len(rng)} seeds")

        def work(hand: Hand) -> None:
            def aloud(step: Step) -> None:
                with silence.lifted():
                    hand(step)

            with out_of_memory_named(), quiet() as silence:
                self._paint(commission, rng, aloud)

        return handed_over(work)

    def _noise(self, commission: Commission, rng: Rng) -> Float[Tensor, "1 c h w"]:
        """The latents that a picture of words alone begins with."""
        rows, columns = commission.height // self.factor, commission.width // self.factor
        drawn = rng.fork("latents").normal(self._latent_channels, rows, columns)
        return drawn.to(self.device, self.dtype)

    def _paint(self, commission: Commission, rng: Rng, hand: Hand) -> None:
        task = _task(commission)
        scheduler = made(commission.sampler, self._parts.others["scheduler"])
        expectation = Expectation(scheduler)
        pipe = self._pipe(task, scheduler)
        notes, size = self._notes(commission), (commission.height, commission.width)
        total = 0

        def after_step(_pipe: Any, index: int, _timestep: Any, _tensors: Any) -> dict[str, Any]:
            nonlocal notes, total
            total = int(pipe.num_timesteps)
            if index < total - 1:
                assert expectation.latents is not None
                seen = self._glimpse(expectation.latents, *size)
                hand(Step(index, total, seen, notes=notes))
                notes = ()
            return {}

        result = pipe(
            **self._words(pipe, commission),
            **self._beginning(commission, task, self._noise(commission, rng)),
            num_inference_steps=commission.steps,
            guidance_scale=commission.guidance_scale,
            generator=rng.fork("steps").generator(),
            callback_on_step_end=after_step,
            output_type="pt",
        )
        if any(getattr(result, "nsfw_content_detected", None) or ()):
            raise RecipeError(
                "the model's safety checker blocked the picture; try other words or another seed"
            )
        picture = (result.images.float().cpu() * 2 - 1).clamp(-1, 1)
        hand(Step(total - 1, total, _kept(picture, commission), notes=notes))

    def _pipe(self, task: str, scheduler: Any) -> Any:
        """A pipeline of its own for each picture: pictures that are painted in turns share none."""
        kind = self._parts.kind
        more = dict(self._parts.settings)
        if "safety_checker" in kind.optional:
            more |= {"requires_safety_checker": False, "feature_extractor": None}
        if "tokenizer_2" in kind.tokenizers and kind.network == "unet":
            more["add_watermarker"] = False  # it depends on what else is installed
        others = {**self._parts.others, "scheduler": scheduler}
        pipe = pipeline_class(kind, task)(**{**more, **others, **self._parts.modules})
        pipe.set_progress_bar_config(disable=True)
        return pipe

    def _words(self, pipe: Any, commission: Commission) -> dict[str, Any]:
        """The arguments that say what the picture is to show."""
        negative = commission.negative_prompt or None
        if is_plain(commission.spans):
            return {"prompt": commission.prompt, "negative_prompt": negative}
        others = self._parts.others
        names = [name for name in self._parts.kind.tokenizers if others.get(name) is not None]
        guided = commission.guidance_scale > 1
        with torch.no_grad():
            said = _encoded(pipe, commission.prompt, negative, guided)
            empty = _encoded(pipe, "", None, False)["prompt_embeds"]
        encoders = [
            self._parts.modules[name.replace("tokenizer", "text_encoder")] for name in names
        ]
        widths = [encoder.config.hidden_size for encoder in encoders]
        states = [
            weighed(one, nothing, token_weights(others[name], commission.spans))
            for name, one, nothing in zip(
                names, said["prompt_embeds"].split(widths, 2), empty.split(widths, 2), strict=True
            )
        ]
        return {**said, "prompt_embeds": torch.cat(states, dim=2)}

    def _beginning(self, commission: Commission, task: str, noise: Tensor) -> dict[str, Any]:
        """The arguments that say what the picture begins with."""
        size = {"height": commission.height, "width": commission.width}
        if commission.init is None:
            return {"latents": noise, **size}
        begun: dict[str, Any] = {
            "image": (commission.init.clamp(-1, 1) + 1) / 2,
            "strength": commission.strength,
        }
        if task == "mask":
            begun["mask_image"] = commission.mask
        if task == "mask" or self._is_flow:  # the others take the size from the picture
            begun |= size
        return begun

    def _notes(self, commission: Commission) -> tuple[str, ...]:
        tokenizer = self._parts.others["tokenizer"]
        reads_more = self._parts.others.get("tokenizer_3") is not None
        lost = 0 if reads_more else unread(tokenizer, commission.prompt)
        if not lost:
            return ()
        return (
            f"the model reads {tokenizer.model_max_length - 2} tokens; "
            f"the last {lost} of the prompt are not read",
        )

    def _check_numbers(self, commission: Commission) -> None:
        steps, scale = commission.steps, commission.guidance_scale
        most = int(self._parts.others["scheduler"].config.num_train_timesteps)
        if not 1 <= steps <= most:
            raise RecipeError(f"steps: {steps} is out of range; use 1 to {most}")
        if not OFF <= scale <= MAX_GUIDANCE:
            raise RecipeError(
                f"guidance_scale: {scale:g} is out of range; use 1 (off) to {MAX_GUIDANCE:g}"
            )
        if commission.init is None:
            if commission.mask is not None:
                raise RecipeError("a mask needs an init to paint into")
            return
        if not 0 < commission.strength <= 1:
            raise RecipeError(f"strength: {commission.strength:g} is out of range; above 0, to 1")
        if int(steps * commission.strength) < 1:
            raise RecipeError(
                f"strength: {commission.strength:g} of {steps} steps is none; "
                f"use at least {math.ceil(1000 / steps) / 1000:g}, or more steps"
            )

    def _check_size(self, commission: Commission) -> None:
        multiple = self.factor
        size = commission.height, commission.width
        if self._is_flow:
            multiple *= self._network.config.patch_size
            most = self._network.config.pos_embed_max_size * multiple
            if max(size) > most:
                raise RecipeError(
                    f"size: this model paints up to {most} px a side, not {max(size)}"
                )
        if any(side < multiple or side % multiple for side in size):
            near = [max(multiple, round(side / multiple) * multiple) for side in size]
            raise RecipeError(
                f"size: {size[1]} x {size[0]} px cannot be done; this model paints multiples of "
                f"{multiple}, as {near[1]} x {near[0]}"
            )
        for what, given in (("init", commission.init), ("mask", commission.mask)):
            if given is not None and given.shape[-2:] != size:
                raise RecipeError(
                    f"{what}: it is {given.shape[-1]} x {given.shape[-2]} px, the picture "
                    f"{size[1]} x {size[0]}; give both the same size"
                )

    @property
    def device(self) -> torch.device:
        """Where it is."""
        device: torch.device = next(self._network.parameters()).device
        return device

    @property
    def dtype(self) -> torch.dtype:
        """What it computes in."""
        dtype: torch.dtype = next(self._network.parameters()).dtype
        return dtype

    @property
    def _is_flow(self) -> bool:
        return is_flow(self._parts.others["scheduler"])

    @property
    def _latent_channels(self) -> int:
        return int(self._vae.config.latent_channels)


def build(
    _tensors: Mapping[str, Tensor], config: Mapping[str, Any], shelf: Shelf
) -> PublishedPipeline:
    """Build a published pipeline for the zoo from its folder, in the precision that paints.

    Args:
        config: May have `loras`, `safety_checker` and any of the model's habits.
    Raises:
        WeightsError: its folder lacks a file, or one is damaged.
        Unsupported: a pipeline or part that phosphene does not know.
    """
    dtype = shelf.dtype or painting_dtype(shelf.device)
    parts = load_parts(shelf.folder(), dtype, safety=config.get(SAFETY_KEY, True) is not False)
    for path, strength in config.get(LORAS_KEY, ()):
        apply_lora(parts.modules, LoRA(Path(path), float(strength)))
    if dtype == torch.bfloat16 and shelf.device.type == "cpu":
        for name in (parts.kind.network, "vae"):  # a tenth faster, in the last bits different
            parts.modules[name].to(memory_format=torch.channels_last)
    return PublishedPipeline(parts, config)


def _task(commission: Commission) -> str:
    if commission.mask is not None:
        return "mask"
    return "words" if commission.init is None else "init"


def _kept(picture: Images, commission: Commission) -> Images:
    """Lay what was painted over what is kept: the autoencoder changes that a little, too."""
    if commission.mask is None or commission.init is None:
        return picture
    mask = commission.mask.cpu().float()
    return torch.lerp(commission.init.cpu().float().clamp(-1, 1), picture, mask)


def _encoded(pipe: Any, prompt: str, negative: str | None, guided: bool) -> dict[str, Any]:
    """What a pipeline's encoders make of texts, as arguments of it."""
    names = ("prompt_embeds", "negative_prompt_embeds")
    if hasattr(pipe, "text_encoder_2"):
        names += ("pooled_prompt_embeds", "negative_pooled_prompt_embeds")  # type: ignore[assignment]
    made_of = pipe.encode_prompt(
        prompt=prompt,
        negative_prompt=negative,
        device=pipe._execution_device,
        num_images_per_prompt=1,
        do_classifier_free_guidance=guided,
    )
    return dict(zip(names, made_of, strict=True))


def _habits(parts: Parts, factor: int, given: Mapping[str, Any]) -> Habits:
    """What a model does if it is not told otherwise; distilled ones give themselves away."""
    scheduler, network = parts.others["scheduler"], parts.modules[parts.kind.network]
    name, config = type(scheduler).__name__, scheduler.config
    side = network.config.sample_size
    height, width = side if isinstance(side, list | tuple) else (side, side)
    # Turbo and its like come with an Euler that begins at the very end of the schedule
    trailing = name.startswith("Euler") and config.get("timestep_spacing") == "trailing"
    habits = Habits(
        height=height * factor,
        width=width * factor,
        steps=STEPS,
        guidance_scale=FLOW_GUIDANCE if is_flow(scheduler) else GUIDANCE,
        sampler=own_sampler(scheduler),
    )
    if name == "LCMScheduler":
        habits = replace(habits, steps=FEW_STEPS, guidance_scale=LCM_GUIDANCE)
    elif trailing:
        habits = replace(habits, steps=FEW_STEPS, guidance_scale=OFF)
    own = {key: value for key, value in given.items() if key in HABITS}
    _check_habits(own, tuple(table_of(scheduler)))
    return replace(habits, **own)


def _check_habits(own: Mapping[str, Any], samplers: tuple[str, ...]) -> None:
    for key, value in own.items():
        if key == "sampler":
            right = value in samplers
        elif key == "guidance_scale":
            right = type(value) in (int, float) and OFF <= value <= MAX_GUIDANCE
        else:
            right = type(value) is int and value > 0
        if not right:
            raise CheckpointError(f"the card's config has {key} = {value!r:.40}; correct it")
