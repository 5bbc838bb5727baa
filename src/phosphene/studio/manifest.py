"""How a picture came to be, as plain data that travels inside its PNG. Imports no torch."""

import platform
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, NonNegativeInt, field_validator

from phosphene.studio.recipe import AnyPainting

BRACES_AND_BRACKETS_ARE_TEXT = {"alternatives": "none", "emphasis": False}  # as they once were


class Platform(BaseModel):
    """What the same recipe can give other pixels on.

    Args:
        torch: Version of torch.
        threads: CPU threads; sums are split among them, and rounded accordingly.
        isa: Instruction set of the CPU's kernels, such as AVX512.
        dtype: Of the weights that painted.
    """

    model_config = ConfigDict(frozen=True)

    torch: str
    threads: int
    machine: str
    isa: str
    device: str
    dtype: str

    @classmethod
    def here(cls, device: str, dtype: str) -> "Platform":
        """Describe this process."""
        import torch

        return cls(
            torch=torch.__version__,
            threads=torch.get_num_threads(),
            machine=platform.machine(),
            isa=torch.backends.cpu.get_cpu_capability(),
            device=device,
            dtype=dtype,
        )


class Surroundings(BaseModel):
    """What decides a picture's pixels besides its recipe.

    Args:
        models: Sha256 of the weights of each model that took part; under `MODEL/FILE`, of the
            tokenizers and settings beside them.
        inputs: Sha256 of each picture that was read.
    """

    model_config = ConfigDict(frozen=True)

    models: Mapping[str, str]
    inputs: Mapping[str, str]
    platform: Platform

    def changed_files(self, now: "Surroundings") -> Iterator[str]:
        """Say which weights and pictures are not what they were, a line each."""
        yield from _changed("model", self.models, now.models)
        yield from _changed("picture", self.inputs, now.inputs)

    def changed_platform(self, now: "Surroundings") -> Iterator[str]:
        """Say what of the platform is not what it was, a line each."""
        for name in Platform.model_fields:
            then, here = getattr(self.platform, name), getattr(now.platform, name)
            if then != here:
                yield f"{name}: made with {then}, here {here}"


class Manifest(Surroundings):
    """How a picture came to be; it travels inside the PNG.

    Args:
        phosphene: Version that made it.
        recipe: Complete: no field is left to a default that may change.
        seed: Of this picture: the `index`-th of the recipe's; of a sheet, the first one's.
        index: Which of the recipe's pictures this is.
        iterations: Made; fewer than the recipe's when the run was stopped. 1 for what is painted
            in one go.
        frame: Saved on the way: what the next iteration began with, after the camera moved.
        pixel_sha256: Of size and 8-bit pixels.
        genes: What the picture was painted from, as `explore.genes_text` writes it, where it was
            found and cannot be had from a seed: breeding and editing go on from it.
        prompt: Of this picture, where the recipe's leaves alternatives to choose among.
    """

    phosphene: str
    recipe: AnyPainting
    seed: int
    index: int
    iterations: NonNegativeInt
    frame: bool = False
    pixel_sha256: str
    genes: str = ""
    prompt: str = ""

    @field_validator("recipe", mode="before")
    @classmethod
    def _fields_younger_than_the_picture(cls, recipe: Any) -> Any:
        """What `imagine` had no field for was not done: today's defaults may be others."""
        if not isinstance(recipe, Mapping):
            return recipe
        if recipe.get("kind") == "imagine":
            noise = {"start_noise": recipe["cut_noise"]} if "cut_noise" in recipe else {}
            younger = {"repaint_every": 0, **BRACES_AND_BRACKETS_ARE_TEXT, **_every_look(recipe)}
            return {**younger, **noise, **recipe}
        if isinstance(of := recipe.get("of"), Mapping) and of.get("kind") == "imagine":
            return {**recipe, "of": {**BRACES_AND_BRACKETS_ARE_TEXT, **_every_look(of), **of}}
        return recipe


def _every_look(recipe: Mapping[str, Any]) -> dict[str, int]:
    """Perceptors looked at every step of guided diffusion, once."""
    return {"look_every": 1} if recipe.get("method") == "guided-diffusion" else {}


def _changed(kind: str, old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    for name in sorted({*old, *new}):
        if name not in old:
            yield f"{kind} {name!r} was not used then"
        elif name not in new:
            yield f"{kind} {name!r} is not used now"
        elif old[name] != new[name]:
            yield f"{kind} {name!r} has changed: sha256 {old[name][:12]} then, {new[name][:12]} now"
