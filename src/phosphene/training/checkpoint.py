"""Whole training states on disk: tensors in safetensors, the rest as JSON in its header.

A checkpoint is written beside the old one and takes its place in one rename, so the newest one
survives a full disk and a kill in the middle of writing. No pickle is involved.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from phosphene.core.errors import CheckpointError
from phosphene.core.weights import write_tensors

_KEY = "state"


def flatten(value: Any, path: str, tensors: dict[str, Tensor]) -> Any:
    """Move tensors of a nested state into `tensors`; return the rest as JSON can hold it."""
    if isinstance(value, Tensor):
        while path in tensors:  # {"a.b": x} beside {"a": {"b": y}}
            path += "'"
        tensors[path] = value.detach().clone(memory_format=torch.contiguous_format)
        # fused optimisers walk through memory: a moment laid out unlike its weight is wrong
        last = value.ndim == 4 and value.is_contiguous(memory_format=torch.channels_last)
        return {"tensor": path, "channels_last": last and not value.is_contiguous()}
    if isinstance(value, Mapping):
        items = [[k, flatten(v, f"{path}.{k}", tensors)] for k, v in value.items()]
        return {"items": items}
    if isinstance(value, list | tuple):
        kind = "tuple" if isinstance(value, tuple) else "list"
        return {kind: [flatten(v, f"{path}.{i}", tensors) for i, v in enumerate(value)]}
    return {"value": value}


def unflatten(tree: Any, tensors: Mapping[str, Tensor]) -> Any:
    """Undo `flatten`."""
    if "tensor" in tree:
        tensor = tensors[tree["tensor"]]
        if tree.get("channels_last"):
            tensor = tensor.to(memory_format=torch.channels_last)
        return tensor
    if "items" in tree:
        return {k: unflatten(v, tensors) for k, v in tree["items"]}
    if "tuple" in tree:
        return tuple(unflatten(v, tensors) for v in tree["tuple"])
    if "list" in tree:
        return [unflatten(v, tensors) for v in tree["list"]]
    return tree["value"]


def save_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write a nested state of tensors and JSON values.

    Raises:
        StorageError: disk full, folder not writable; the previous checkpoint stays.
    """
    tensors: dict[str, Tensor] = {}
    tree = json.dumps(flatten(state, "", tensors))
    write_tensors(path, tensors, {_KEY: tree})


def load_state(path: Path) -> dict[str, Any]:
    """Read what `save_state` wrote.

    Raises:
        CheckpointError: missing, truncated, or not a training state.
    """
    try:
        with safe_open(path, framework="pt") as file:
            tree = json.loads(file.metadata()[_KEY])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        state: dict[str, Any] = unflatten(tree, tensors)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise CheckpointError(
            f"cannot resume from {str(path)!r}: it is damaged, or no training state ({reason}); "
            "delete it to begin anew"
        ) from None
    return state
