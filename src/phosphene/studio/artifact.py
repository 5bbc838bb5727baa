"""Finished pictures: pixels together with everything that is needed to make them again."""

import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, NonNegativeInt, ValidationError, field_validator

import phosphene
from phosphene.core.errors import ImageError
from phosphene.core.files import write_bytes
from phosphene.core.images import (
    Picture,
    open_image,
    open_pil,
    pixel_hash,
    png_bytes,
    read_recipe,
)
from phosphene.studio.recipe import AnyPainting, Painting

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
            return {"repaint_every": 0, **BRACES_AND_BRACKETS_ARE_TEXT, **noise, **recipe}
        if isinstance(of := recipe.get("of"), Mapping) and of.get("kind") == "imagine":
            return {**recipe, "of": {**BRACES_AND_BRACKETS_ARE_TEXT, **of}}
        return recipe


@dataclass(frozen=True, slots=True)
class Artifact:
    """A finished picture.

    Args:
        image: Float in [-1, 1], c h w.
    """

    image: Picture
    manifest: Manifest

    def png(self) -> bytes:
        """Encode as PNG with the manifest inside."""
        return png_bytes(self.image, self.manifest.model_dump_json())

    def save(self, path: Path) -> None:
        """Write the PNG, all or nothing.

        Raises:
            StorageError: disk full, folder not writable.
        """
        write_bytes(path, self.png())


def artifact_of(
    image: Picture,
    recipe: Painting,
    index: int,
    iterations: int,
    surroundings: Surroundings,
    frame: bool = False,
    *,
    genes: str = "",
    prompt: str = "",
) -> Artifact:
    """Describe a picture that was made just now.

    Args:
        prompt: Of this picture; it is written down where it is not the recipe's.
    """
    manifest = Manifest(
        phosphene=phosphene.__version__,
        recipe=recipe,
        seed=recipe.all_seeds()[index],
        index=index,
        iterations=iterations,
        frame=frame,
        pixel_sha256=pixel_hash(image),
        genes=genes,
        prompt="" if prompt == getattr(recipe, "prompt", prompt) else prompt,
        **dict(surroundings),
    )
    return Artifact(image, manifest)


def read_artifact(path: Path) -> Artifact:
    """Read a picture with its manifest.

    Raises:
        ImageError: unreadable, made elsewhere, or by a phosphene that wrote it otherwise.
    """
    text = read_recipe(path)
    try:
        manifest = Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "JSON"
        raise ImageError(
            f"the recipe in {str(path)!r} cannot be read: {field}: {first['msg']}; "
            f"it may come from another version than phosphene {phosphene.__version__}"
        ) from None
    return Artifact(open_image(path, _mode(path)), manifest)


def _mode(path: Path) -> str:
    """Grey and transparent pictures are read as what they are."""
    mode = open_pil(path).mode
    return mode if mode in ("L", "RGBA") else "RGB"


def _changed(kind: str, old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    for name in sorted({*old, *new}):
        if name not in old:
            yield f"{kind} {name!r} was not used then"
        elif name not in new:
            yield f"{kind} {name!r} is not used now"
        elif old[name] != new[name]:
            yield f"{kind} {name!r} has changed: sha256 {old[name][:12]} then, {new[name][:12]} now"
