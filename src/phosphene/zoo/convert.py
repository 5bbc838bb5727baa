"""Published checkpoints become models of the user's own zoo, under a name of their choice."""

from pathlib import Path

import torch
from pydantic import ValidationError

from phosphene.core.checksum import sha256_of
from phosphene.core.errors import RecipeError
from phosphene.core.weights import save_weights
from phosphene.zoo.card import Card, Converted
from phosphene.zoo.registry import WEIGHTS_FILE, model_folder, refuse_shipped_name, register
from phosphene.zoo.taming import read_taming


def convert_taming(
    checkpoint: Path, config: Path, name: str, home: Path, dtype: torch.dtype | None = None
) -> Card:
    """Convert a published VQGAN and enter it into the zoo; a model of that name is replaced.

    Args:
        checkpoint: The .ckpt file of taming-transformers or latent-diffusion.
        config: The .yaml file published with it.
        name: What to call it.
        home: Where the user's models live; see `registry.home`.
        dtype: What weights are cast to (float16 halves the file); None keeps theirs.
    Raises:
        RecipeError: a config that is not of a VQGAN we know, or a name that cannot be had.
        UnsafeModel: a checkpoint that asks for code to be run.
        WeightsError: a checkpoint that is missing, damaged, or does not fit the config.
        StorageError: it cannot be written.
    """
    draft = _draft(name, checkpoint)
    tensors, values = read_taming(checkpoint, config)
    path = model_folder(name, home) / WEIGHTS_FILE
    save_weights(path, tensors, values, dtype)
    measured = {
        "size": values["size"],
        "parameters": sum(tensor.numel() for tensor in tensors.values()),
        "sha256": sha256_of(path),
        "bytes": path.stat().st_size,
        "converted": Converted(file=_shown(checkpoint.name), sha256=sha256_of(checkpoint)),
    }
    card = draft.model_copy(update=measured)
    register(card, home)
    return card


def _draft(name: str, checkpoint: Path) -> Card:
    """A card to be completed; made first, so that a bad name costs no conversion."""
    refuse_shipped_name(name)
    elsewhere = "not stated: see where the checkpoint came from"
    try:
        return Card(
            name=name,
            family="tokens",
            arch="vqgan",
            summary=f"VQGAN converted from {_shown(checkpoint.name)!r}",
            parameters=1,
            licence=elsewhere,
            source="trained with CompVis taming-transformers or latent-diffusion",
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
