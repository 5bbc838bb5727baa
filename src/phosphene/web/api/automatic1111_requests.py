"""What clients of AUTOMATIC1111's API send, and what of it there is here.

Such clients send everything that the program knows, mostly as it is set by default. What is set so
is nothing that was asked for; what is set otherwise is done, or named in HARMLESS, or refused.

Source: `/docs` of AUTOMATIC1111/stable-diffusion-webui as clients use it, and the PyPI package
`webuiapi`.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from phosphene.core.errors import did_you_mean
from phosphene.studio.recipes.imagine import OWN_MODELS
from phosphene.web.failures import Refused
from phosphene.web.wishes import DENOISING, EXTRA, MAX_SIDE, MIN_SIDE, Wish, words

MAX_PROMPT = 9_000
MAX_IMAGES = 64
CHECKPOINT = "sd_model_checkpoint"
# fields that change a picture, and values of them that do not
NOT_DONE: Mapping[str, tuple[Any, ...]] = {
    "enable_hr": (False,),
    "styles": ([],),
    "subseed_strength": (0,),
    "seed_resize_from_h": (-1, 0),
    "seed_resize_from_w": (-1, 0),
    "restore_faces": (False,),
    "tiling": (False,),
    "refiner_checkpoint": ("",),
    "firstphase_width": (0,),
    "firstphase_height": (0,),
    "script_name": ("", "none", "None"),
    "initial_noise_multiplier": (1, 0),
    "controlnet_units": ([],),
}
# what is taken, and changes nothing here
_HARMLESS = """
subseed sampler_index scheduler eta s_min_uncond s_churn s_tmax s_tmin s_noise
hr_scale hr_upscaler hr_second_pass_steps hr_resize_x hr_resize_y hr_checkpoint_name
hr_sampler_name hr_scheduler hr_prompt hr_negative_prompt hr_distilled_cfg hr_cfg
refiner_switch_at script_args save_images do_not_save_samples do_not_save_grid
force_task_id infotext comments override_settings_restore_afterwards
disable_extra_networks resize_mode mask_blur mask_blur_x mask_blur_y inpainting_fill
inpaint_full_res inpaint_full_res_padding mask_round latent_mask image_cfg_scale
include_init_images denoising_strength distilled_cfg_scale
"""
HARMLESS = frozenset(_HARMLESS.split())
OPTIONS: Mapping[str, Any] = {  # that clients set, and that change nothing here
    "CLIP_stop_at_last_layers": 1,
    "sd_vae": "Automatic",
    "samples_format": "png",
    "samples_save": True,
    "grid_save": False,
    "return_grid": False,
    "do_not_show_images": False,
    "live_previews_enable": True,
    "show_progress_every_n_steps": 1,
    "enable_pnginfo": True,
    "send_seed": True,
    "sd_checkpoint_cache": 0,
}
_NETWORK = re.compile(r"<(lora|lyco|hypernet)\s*:[^>]*>", re.IGNORECASE)


class Text2Image(BaseModel):
    """A request for pictures of words."""

    model_config = ConfigDict(extra="allow")

    prompt: str = Field("", max_length=MAX_PROMPT)
    negative_prompt: str | None = Field("", max_length=MAX_PROMPT)
    seed: int | None = Field(-1, ge=-1, le=2**63 - 1)
    steps: int | None = Field(50, ge=1, le=1000)
    cfg_scale: float | None = Field(7.0, ge=0, le=100, allow_inf_nan=False)
    width: int | None = Field(512, ge=MIN_SIDE, le=MAX_SIDE)
    height: int | None = Field(512, ge=MIN_SIDE, le=MAX_SIDE)
    batch_size: int = Field(1, ge=1, le=MAX_IMAGES)
    n_iter: int = Field(1, ge=1, le=MAX_IMAGES)
    sampler_name: str | None = Field(None, max_length=80)
    override_settings: dict[str, Any] | None = None
    alwayson_scripts: dict[str, Any] | None = None
    send_images: bool = True

    def wish(self, options: Mapping[str, object], models: Collection[str], **more: Any) -> Wish:
        """The request in our words.

        Args:
            options: What was set for all requests.
            models: Names that there are.
        Raises:
            Refused: something that would change the picture, and is not done here.
        """
        check_fields(self.model_extra or {})
        if found := _NETWORK.search(self.prompt):
            raise _refused("prompt", f"{found[0][:60]!r}: there are no such networks here")
        settings = {**options, **checked_options(self.override_settings or {}, models)}
        checkpoint = settings.get(CHECKPOINT)
        fields = {
            "prompt": words(self.prompt),
            "negative": self.negative_prompt or "",
            "model": None if checkpoint is None else str(checkpoint),
            "seed": self.seed if self.seed is not None and self.seed >= 0 else None,
            "count": self.batch_size * self.n_iter,
            "width": self.width,
            "height": self.height,
            "steps": self.steps,
            "guidance": self.cfg_scale,
            "sampler": self.sampler_name,
            "extra": _extra(self.alwayson_scripts or {}),
        }
        return Wish(**{**fields, **more})


class Image2Image(Text2Image):
    """A request for pictures that start from one."""

    init_images: list[str] = Field([], max_length=MAX_IMAGES, description="base64")
    mask: str | None = Field(None, description="base64; white is painted over")
    inpainting_mask_invert: int = Field(0, ge=0, le=1)
    denoising_strength: float = Field(0.75, ge=0, le=1, allow_inf_nan=False)


def check_fields(more: Mapping[str, Any]) -> None:
    """See that what there is no field for changes nothing.

    Raises:
        Refused: it would.
    """
    for name, value in more.items():
        if name in NOT_DONE:
            if value is not None and value not in NOT_DONE[name]:
                raise _refused(name, f"{str(value)[:40]!r} is not done here; leave it out")
        elif name not in HARMLESS:
            hint = did_you_mean(name, [*Image2Image.model_fields, *NOT_DONE])
            raise _refused(name[:80], f"is no field that is known{hint}")


def checked_options(options: Mapping[str, Any], models: Collection[str]) -> dict[str, object]:
    """Options that may be set; the model by our name for it.

    Raises:
        Refused: an option or a model that is not known.
    """
    found: dict[str, object] = {}
    for name, value in options.items():
        if name == CHECKPOINT:
            found[name] = model_named(str(value), models)
        elif name in OPTIONS:
            if not isinstance(value, str | int | float | bool) or len(str(value)) > 200:
                raise _refused(name, "should be a short text or a number")
            found[name] = value
        else:
            hint = did_you_mean(name, [CHECKPOINT, *OPTIONS])
            raise _refused(name[:80], f"is no option that is known{hint}")
    return found


def model_named(title: str, models: Collection[str]) -> str:
    """The model that a client means by its title or name.

    Raises:
        Refused: there is none.
    """
    name = title.partition(" [")[0].strip().removesuffix(".safetensors")
    if name not in models:
        hint = did_you_mean(name, models)
        raise _refused(CHECKPOINT, f"no model {title[:80]!r}{hint}; GET /sdapi/v1/sd-models")
    return name


def default_model() -> str:
    """The model that paints where none is named."""
    return OWN_MODELS[DENOISING]


def _extra(scripts: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of the recipe, in the place of an extension: {"phosphene": {"args": [{...}]}}."""
    found: dict[str, Any] = {}
    for name, given in scripts.items():
        values = given.get("args") if isinstance(given, dict) else given
        if name.lower() == EXTRA:
            if not isinstance(values, list) or not all(isinstance(v, dict) for v in values):
                raise _refused("alwayson_scripts", f"{EXTRA}: args should be a list of one object")
            for value in values:
                found |= value
        elif values not in (None, [], [False], {}):
            raise _refused("alwayson_scripts", f"there is no {name[:40]!r} here")
    return found


def _refused(name: str, said: str) -> Refused:
    return Refused(422, "unsupported", f"{name}: {said}", name)
