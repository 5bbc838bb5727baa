"""Published diffusion pipelines as they lie in a folder of the diffusers library, or on the hub.

Such a folder has a `model_index.json` that names its class and its parts; each part is a folder of
its own. Half-precision files (`.fp16.`) are taken where there are some, and one format only.
Imports no torch.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from phosphene.core.checksum import sha256_of
from phosphene.core.errors import Unsupported, WeightsError
from phosphene.zoo import published
from phosphene.zoo.card import Card

MODEL_INDEX = "model_index.json"
FAMILY, ARCH = "diffusion", "pipeline"
SOURCES = {
    "StableDiffusionPipeline": "Stable Diffusion, arXiv:2112.10752",
    "StableDiffusionInpaintPipeline": "Stable Diffusion for inpainting, arXiv:2112.10752",
    "StableDiffusionXLPipeline": "Stable Diffusion XL, arXiv:2307.01952",
    "StableDiffusionXLInpaintPipeline": "Stable Diffusion XL for inpainting, arXiv:2307.01952",
    "StableDiffusion3Pipeline": "Stable Diffusion 3, arXiv:2403.03206",
}
# The parts that the builder reads, in the order in which they are fetched.
SETTINGS_PARTS = ("scheduler", "tokenizer", "tokenizer_2", "tokenizer_3", "feature_extractor")
WEIGHT_PARTS = (
    *("unet", "transformer", "vae", "text_encoder", "text_encoder_2", "text_encoder_3"),
    "safety_checker",
)
STEMS = ("diffusion_pytorch_model", "model")
VARIANTS = (".fp16", "")
SMALL = (".json", ".txt", ".model")
FEW_STEPS = re.compile(r"turbo|lightning|hyper[-_]?sd|[-_]lcm|lcm[-_]", re.IGNORECASE)
FEW = {"steps": 4, "guidance_scale": 1.0}


def is_pipeline(folder: Path) -> bool:
    """Whether a folder holds a pipeline of diffusers."""
    return (folder / MODEL_INDEX).is_file()


def check_class(folder: Path, name: str) -> None:
    """Check that a folder says that it holds a pipeline that phosphene knows.

    Raises:
        Unsupported: it holds another.
        CheckpointError: it is damaged.
    """
    found = str(published.read_json(folder / MODEL_INDEX).get("_class_name"))
    if found not in SOURCES:
        raise Unsupported(
            f"{name!r} is a pipeline of class {found[:60]!r}; phosphene knows {', '.join(SOURCES)}"
        )


def needed(folder: Path, names: Collection[str]) -> list[str]:
    """Which files of a pipeline are read, out of all that there are.

    Args:
        folder: Where its `model_index.json` lies.
        names: Paths of all files, relative, with `/`.
    Raises:
        WeightsError: a part has no safetensors, or not all.
        CheckpointError: `model_index.json` is damaged.
    """
    index = published.read_json(folder / MODEL_INDEX)
    present = {part for part, entry in index.items() if isinstance(entry, list) and any(entry)} & {
        *SETTINGS_PARTS,
        *WEIGHT_PARTS,
    }
    wanted = [MODEL_INDEX]
    for part in (*SETTINGS_PARTS, *WEIGHT_PARTS):
        if part in present:
            wanted += _small_files(part, names)
    for part in WEIGHT_PARTS:
        if part in present:
            wanted += _weights_of(part, names)
    return wanted


def files(folder: Path) -> list[Path]:
    """All files that are read of a folder; see `needed` for the errors."""
    names = [path.relative_to(folder).as_posix() for path in folder.glob("*/*") if path.is_file()]
    return [folder / name for name in needed(folder, names)]


def weight_files(folder: Path) -> list[Path]:
    """The files that hold a folder's weights; see `needed` for the errors."""
    return [path for path in files(folder) if path.suffix == ".safetensors"]


def weights_sha256(location: Path) -> str:
    """The sha256 of a weight file, or the joint one of all that a published folder holds.

    Of a pipeline that is all that is read of it: weights, tokenizers, settings.

    Raises:
        WeightsError: missing or unreadable.
    """
    folder = location if location.is_dir() else location.parent
    if location.name != MODEL_INDEX and not (location.is_dir() and is_pipeline(location)):
        return published.weights_sha256(location)
    hashes = {path.relative_to(folder).as_posix(): sha256_of(path) for path in files(folder)}
    return published.joint_sha256(hashes)


def describe(folder: Path, name: str) -> dict[str, Any]:
    """What the files of a folder say of its model, as fields of a card.

    Args:
        name: What people call it: a turbo model says only there that it takes few steps.
    Raises:
        CheckpointError: damaged files.
        WeightsError: missing files.
        Unsupported: a pipeline that phosphene does not know.
    """
    check_class(folder, name)
    read = files(folder)
    weights = [path for path in read if path.suffix == ".safetensors"]
    return {
        "family": FAMILY,
        "arch": ARCH,
        "size": _size(folder),
        "parameters": max(1, published.count_parameters(weights)),
        "bytes": sum(path.stat().st_size for path in weights),
        "source": SOURCES[str(published.read_json(folder / MODEL_INDEX)["_class_name"])],
        "config": dict(FEW) if FEW_STEPS.search(name) else {},
    }


def card_of_folder(folder: Path, name: str) -> Card:
    """Make the card of a folder on this computer; see `describe` for the errors.

    Args:
        name: What the card is called.
    """
    return Card(
        name=name,
        summary="a published pipeline in a folder of the diffusers library",
        licence="not stated",
        trained_on="not stated",
        file=str(folder / MODEL_INDEX),
        **describe(folder, folder.name),
    )


def _small_files(part: str, names: Collection[str]) -> list[str]:
    """Settings and tokenizers directly in a part's folder; no list of weights."""
    inside = [name for name in names if name.rpartition("/")[0] == part]
    return sorted(n for n in inside if n.endswith(SMALL) and ".index." not in n)


def _weights_of(part: str, names: Collection[str]) -> list[str]:
    """The files of a part's weights: one, or a list and all that it lists."""
    for variant in VARIANTS:
        for stem in STEMS:
            if (lone := f"{part}/{stem}{variant}.safetensors") in names:
                return [lone]
            listing = f"{part}/{stem}.safetensors.index{variant}.json"
            shards = sorted(_shards(f"{part}/{stem}{variant}", names))
            if listing in names and shards:
                _check_whole(shards, part)
                return [listing, *shards]
    pickles = any(name.startswith(f"{part}/") and name.endswith(".bin") for name in names)
    raise WeightsError(
        f"the pipeline's part {part!r} holds no safetensors"
        + (", only pickles (.bin), which are not read" if pickles else "")
        + "; name a folder or revision that has them"
    )


def _shards(start: str, names: Collection[str]) -> Iterator[str]:
    pattern = re.compile(re.escape(start) + r"-\d{5}-of-\d{5}\.safetensors")
    return (name for name in names if pattern.fullmatch(name))


def _check_whole(shards: list[str], part: str) -> None:
    count = int(shards[0].rpartition("-of-")[2].removesuffix(".safetensors"))
    if len(shards) != count:
        raise WeightsError(
            f"the pipeline's part {part!r} has {len(shards)} files of weights, not {count}; "
            "fetch the model again"
        )


def _size(folder: Path) -> int | None:
    """Side of the pictures that it was trained on, px, where its settings tell."""
    for part in ("unet", "transformer"):
        if (folder / part).is_dir():
            side = _config(folder / part).get("sample_size")
            blocks = _config(folder / "vae").get("block_out_channels")
            if type(side) is int and side > 0 and isinstance(blocks, list) and 0 < len(blocks) < 9:
                return side * int(2 ** (len(blocks) - 1))
    return None


def _config(folder: Path) -> Mapping[str, Any]:
    return published.read_json(folder / published.CONFIG_FILE)
