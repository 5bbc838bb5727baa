"""Published checkpoints become models of the user's own zoo, under a name of their choice."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from torch import Tensor

from phosphene.core.checksum import sha256_of
from phosphene.core.errors import RecipeError, did_you_mean
from phosphene.core.weights import save_weights
from phosphene.zoo.biggan import biggan_file, read_biggan
from phosphene.zoo.card import Card, Converted
from phosphene.zoo.registry import WEIGHTS_FILE, model_folder, refuse_shipped_name, register
from phosphene.zoo.stylegan import read_stylegan2
from phosphene.zoo.taming import read_taming

Read = tuple[dict[str, Tensor], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Kind:
    """Where checkpoints come from, and what reads them.

    Args:
        config: What file describes the checkpoint; None where it describes itself.
        beside: Whether that file is looked for beside the checkpoint when it is not named.
        locate: The file of the checkpoint, which may be named by its folder.
        read: Checkpoint, and that file, to tensors under our names and the config of the network.
    """

    family: str
    arch: str
    noun: str
    source: str
    config: str | None
    read: Callable[[Path, Path | None], Read]
    beside: bool = False
    locate: Callable[[Path], Path] = lambda checkpoint: checkpoint


def _read_taming(checkpoint: Path, config: Path | None) -> Read:
    assert config is not None
    return read_taming(checkpoint, config)


KINDS: Mapping[str, Kind] = {
    "taming": Kind(
        family="tokens",
        arch="vqgan",
        noun="VQGAN",
        source="trained with CompVis taming-transformers or latent-diffusion",
        config="the .yaml published with it",
        read=_read_taming,
    ),
    "stylegan2": Kind(
        family="gan",
        arch="stylegan2",
        noun="StyleGAN2",
        source="trained with NVIDIA's stylegan2-ada-pytorch or stylegan3",
        config=None,
        read=lambda checkpoint, _: read_stylegan2(checkpoint),
    ),
    "biggan": Kind(
        family="gan",
        arch="biggan",
        noun="BigGAN",
        source="trained by DeepMind (pytorch-pretrained-BigGAN) or with ajbrock/BigGAN-PyTorch",
        config="the config.json published with it",
        beside=True,
        read=read_biggan,
        locate=biggan_file,
    ),
}


def convert(
    kind: str,
    checkpoint: Path,
    config: Path | None,
    name: str,
    home: Path,
    *,
    dtype: torch.dtype | None = None,
) -> Card:
    """Convert a published checkpoint and enter it into the zoo; a model of that name is replaced.

    Args:
        kind: One of `KINDS`: where the checkpoint comes from.
        checkpoint: The file, or its folder where kinds come in one.
        config: The file published with it, for kinds that have one.
        name: What to call it.
        home: Where the user's models live; see `registry.home`.
        dtype: What weights are cast to (float16 halves the file); None keeps theirs.
    Raises:
        RecipeError: an unknown kind, a config that is missing, superfluous or not of a network we
            know, or a name that cannot be had.
        UnsafeModel: a checkpoint that asks for code to be run.
        WeightsError: a checkpoint that is missing, damaged, or does not fit.
        StorageError: it cannot be written.
    """
    known = KINDS.get(kind)
    if known is None:
        hint = did_you_mean(kind, KINDS)
        raise RecipeError(f"cannot convert {kind[:40]!r}{hint}; known: {', '.join(KINDS)}")
    if known.config is not None and config is None and not known.beside:
        raise RecipeError(f"a {kind} checkpoint needs a second file: {known.config}")
    if known.config is None and config is not None:
        raise RecipeError(f"a {kind} checkpoint describes itself; leave {str(config)[:80]!r} out")
    draft = _draft(known, name, checkpoint)
    tensors, values = known.read(checkpoint, config)
    path = model_folder(name, home) / WEIGHTS_FILE
    save_weights(path, tensors, values, dtype)
    measured = {
        "size": values["size"],
        "parameters": sum(tensor.numel() for tensor in tensors.values()),
        "sha256": sha256_of(path),
        "bytes": path.stat().st_size,
        "converted": Converted(
            file=_shown(checkpoint.name), sha256=sha256_of(known.locate(checkpoint))
        ),
    }
    card = draft.model_copy(update=measured)
    register(card, home)
    return card


def convert_taming(
    checkpoint: Path, config: Path, name: str, home: Path, dtype: torch.dtype | None = None
) -> Card:
    """Convert a published VQGAN; see `convert`."""
    return convert("taming", checkpoint, config, name, home, dtype=dtype)


def convert_biggan(
    checkpoint: Path, config: Path | None, name: str, home: Path, dtype: torch.dtype | None = None
) -> Card:
    """Convert a published BigGAN; see `convert`."""
    return convert("biggan", checkpoint, config, name, home, dtype=dtype)


def _draft(kind: Kind, name: str, checkpoint: Path) -> Card:
    """A card to be completed; made first, so that a bad name costs no conversion."""
    refuse_shipped_name(name)
    elsewhere = "not stated: see where the checkpoint came from"
    try:
        return Card(
            name=name,
            family=kind.family,
            arch=kind.arch,
            summary=f"{kind.noun} converted from {_shown(checkpoint.name)!r}",
            parameters=1,
            licence=elsewhere,
            source=kind.source,
            trained_on=elsewhere,
            bytes=1,
            file=WEIGHTS_FILE,
        )
    except ValidationError:
        raise RecipeError(
            f"{name[:80]!r} cannot be a model's name; use up to 80 small letters, digits, "
            "dots, dashes and underscores, beginning with a letter or digit"
        ) from None


def _shown(name: str) -> str:
    """A file's name as a card can hold it: one line, in characters that text files know."""
    return "".join(c if c.isprintable() else "?" for c in name)[:200]
