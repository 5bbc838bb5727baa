"""A latent diffusion model as a folder that diffusers opens.

    transformer/    SD3Transformer2DModel.from_pretrained
    scheduler/      FlowMatchEulerDiscreteScheduler.from_pretrained
    phosphene.json  the scale of the codes, and whose codes, words and drawings they are

The transformer's first channels are the noised codes, (codes - mean) / std, the others those of the
drawing that it paints after; its text is the text network's states, padded, and the sentence.
"""

import json
import os
import shutil
import tempfile
from pathlib import Path

import torch
from diffusers import FlowMatchEulerDiscreteScheduler

from phosphene.core.errors import StorageError
from phosphene.core.files import make_folder, storage_error
from phosphene.families.diffusion.flow import Flow
from phosphene.families.diffusion.schedule import SHIFT

ABOUT = "phosphene.json"


def write_folder(flow: Flow, folder: Path) -> None:
    """Write a flow for diffusers, in float32: the whole folder or none of it.

    Raises:
        StorageError: something is there already, or the disk is full.
    """
    if folder.exists():
        raise StorageError(f"{str(folder)[:200]!r} is there already; name a new folder")
    make_folder(folder.parent)
    about = {**flow.config.to_dict(), "mean": flow.mean.tolist(), "std": flow.std.tolist()}
    try:
        beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            own = Flow(flow.config)
            own.load_state_dict(flow.state_dict())
            own.transformer.to(torch.float32).save_pretrained(beside / "transformer")
            scheduler = FlowMatchEulerDiscreteScheduler(shift=SHIFT)
            scheduler.save_pretrained(beside / "scheduler")
            (beside / ABOUT).write_text(json.dumps(about, indent=1), encoding="utf-8")
            beside.chmod(0o755)
            os.replace(beside, folder)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    except OSError as error:
        raise storage_error(folder, error) from None
