"""Published perceptors as they lie in a folder of the transformers library, or on the hub by name.

Such a folder has a `config.json` that names its type, and its weights as `model.safetensors` or as
parts listed in `model.safetensors.index.json`. Imports no torch.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phosphene.core.checksum import sha256_of
from phosphene.core.errors import CheckpointError, Unsupported, WeightsError
from phosphene.core.header import read_header
from phosphene.zoo.card import Card
from phosphene.zoo.carrier import opened

WEIGHTS_FILE = "model.safetensors"
INDEX_FILE = "model.safetensors.index.json"
CONFIG_FILE = "config.json"
FAMILY, ARCH = "perceptor", "transformers"
TYPES = {"clip": "CLIP, arXiv:2103.00020", "siglip": "SigLIP, arXiv:2303.15343"}
# What a reading depends on besides the weights: how words are cut and pixels scaled.
SETTINGS = (
    *(CONFIG_FILE, "preprocessor_config.json", "processor_config.json"),
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
    *("vocab.json", "vocab.txt", "merges.txt", "spiece.model", "tokenizer.model"),
)
IMAGE_SIZE = 224  # what the library takes where a config says nothing
MAX_JSON_BYTES = 16 * 2**20
MAX_NAME = 80
HUB_NAME = re.compile(r"([A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9_][\w.-]{0,95})(?:@([\w./-]{1,200}))?")


@dataclass(frozen=True, slots=True)
class HubName:
    """`org/name`, or `org/name@revision` with a branch, tag or commit."""

    repo: str
    revision: str | None = None

    def __str__(self) -> str:
        return f"{self.repo}@{self.revision}" if self.revision else self.repo

    @property
    def slug(self) -> str:
        """What its card is called: `openai--clip-vit-base-patch32`."""
        slug = self.repo.lower().replace("/", "--")
        if len(slug) <= MAX_NAME:
            return slug
        return f"{slug[: MAX_NAME - 9]}-{hashlib.sha256(slug.encode()).hexdigest()[:8]}"


def hub_name(text: str) -> HubName | None:
    """Read `org/name[@revision]`; None if it cannot be the name of a model on the hub."""
    found = HUB_NAME.fullmatch(text)
    if found is None or not found[1].isascii() or found[1].endswith(".safetensors"):
        return None
    return HubName(found[1], found[2])


def model_type(folder: Path) -> str | None:
    """The type that a folder's `config.json` names; None without such a file.

    Raises:
        CheckpointError: it is damaged.
    """
    if not (folder / CONFIG_FILE).is_file():
        return None
    return str(read_json(folder / CONFIG_FILE).get("model_type"))


def is_published(folder: Path) -> bool:
    """Whether a folder says that it holds a CLIP or SigLIP model of the transformers library."""
    return model_type(folder) in TYPES


def check_type(folder: Path, name: str) -> None:
    """Check that a folder says that it holds a perceptor.

    Raises:
        Unsupported: it holds another kind of model.
    """
    found = model_type(folder)
    if found not in TYPES:
        said = f"is a model of type {found[:40]!r}" if found else f"has no {CONFIG_FILE}"
        raise Unsupported(f"{name!r} {said}; a published perceptor is one of {', '.join(TYPES)}")


def parts_of(index: Path) -> list[str]:
    """Names of the files that an index of weights lists.

    Raises:
        CheckpointError: damaged, or a name that leads out of the folder.
    """
    table = read_json(index).get("weight_map")
    names = set(table.values()) if isinstance(table, dict) else set()
    if not names or not all(isinstance(n, str) and _is_plain(n) for n in names):
        raise CheckpointError(f"{str(index)!r} lists no .safetensors files; fetch the model again")
    return sorted(names)


def weight_files(folder: Path) -> list[Path]:
    """The files that hold a folder's weights.

    Raises:
        WeightsError: there are none.
    """
    if (folder / WEIGHTS_FILE).is_file():
        return [folder / WEIGHTS_FILE]
    if (folder / INDEX_FILE).is_file():
        return [folder / name for name in parts_of(folder / INDEX_FILE)]
    raise WeightsError(
        f"the folder {str(folder)!r} holds no {WEIGHTS_FILE}; pickles such as pytorch_model.bin "
        "are not read: save the model with `save_pretrained(..., safe_serialization=True)`"
    )


def joint_sha256(hashes: Mapping[str, str]) -> str:
    """One sha256 for several files, by name: of a lone file its own."""
    if len(hashes) == 1:
        return next(iter(hashes.values()))
    lines = "".join(f"{hashes[name]}  {name}\n" for name in sorted(hashes))
    return hashlib.sha256(lines.encode()).hexdigest()


def weights_sha256(location: Path) -> str:
    """The sha256 of a weight file, or the joint one of all that a folder or an index holds.

    Raises:
        WeightsError: missing or unreadable.
    """
    if location.name == INDEX_FILE:
        location = location.parent
    if not location.is_dir():
        return sha256_of(location)
    return joint_sha256({path.name: sha256_of(path) for path in weight_files(location)})


def count_parameters(files: list[Path]) -> int:
    """Number of values in weight files, whose headers are checked on the way.

    Raises:
        CheckpointError: truncated, malformed, or beyond the limits.
        UnsafeModel: a pickle under another name.
        WeightsError: missing or unreadable.
    """
    total = 0
    for path in files:
        with opened(path) as (file, size):
            total += read_header(file, size, str(path)).parameters
    return total


def describe(folder: Path) -> dict[str, Any]:
    """What the files of a folder say of its model, as fields of a card.

    Raises:
        CheckpointError: damaged files.
        WeightsError: no weights.
    """
    config = read_json(folder / CONFIG_FILE)
    vision = config.get("vision_config")
    size = vision.get("image_size", IMAGE_SIZE) if isinstance(vision, dict) else IMAGE_SIZE
    files = weight_files(folder)
    return {
        "family": FAMILY,
        "arch": ARCH,
        "size": size if type(size) is int and size > 0 else None,
        "parameters": max(1, count_parameters(files)),
        "bytes": sum(path.stat().st_size for path in files),
        "source": TYPES[config["model_type"]],
    }


def card_of_folder(folder: Path, name: str) -> Card:
    """Make the card of a folder on this computer; see `describe` for the errors.

    Args:
        name: What the card is called.
    """
    lone = folder / WEIGHTS_FILE
    return Card(
        name=name,
        summary="a published perceptor in a folder of the transformers library",
        licence="not stated",
        trained_on="not stated",
        file=str(lone if lone.is_file() else folder / INDEX_FILE),
        **describe(folder),
    )


def _is_plain(name: str) -> bool:
    return name.endswith(".safetensors") and re.fullmatch(r"\w[\w.-]*", name) is not None


def read_json(path: Path) -> dict[str, Any]:
    """Read a table from a small JSON file.

    Raises:
        CheckpointError: damaged, or too large for settings.
        WeightsError: missing or unreadable.
    """
    with opened(path) as (file, size):
        if size > MAX_JSON_BYTES:
            raise CheckpointError(f"{str(path)!r} has {size:,} bytes; that is no config")
        text = file.read(size)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{str(path)!r} is damaged: {str(error)[:100]}") from None
    if not isinstance(found, dict):
        raise CheckpointError(f"{str(path)!r} is damaged: it holds no table")
    return found
