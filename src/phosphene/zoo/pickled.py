"""Reading tensors from a PyTorch pickle whose sha256 a card vouches for.

Pickles can run code. Two walls stand before that: the bytes are known by their hash, and torch's
restricted unpickler admits tensors and plain containers alone. Anything else goes through
`phosphene models convert`.
"""

import io
import pickle
import warnings
from collections.abc import Mapping

import torch
from torch import Tensor

from phosphene.core.errors import CheckpointError, UnsafeModel


def read_tensors(data: bytes, name: str, part: str | None = None) -> dict[str, Tensor]:
    """Read a state dict; call it only with bytes whose hash was checked.

    Args:
        part: Key of the state dict in a checkpoint that holds more than one.
    Raises:
        UnsafeModel: it asks for anything but tensors and plain containers.
        CheckpointError: it is damaged, or holds no state dict.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an unusual pickle protocol is no news to the user
            loaded = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise UnsafeModel(f"{name!r} asks for code to be run; refused") from None
    except Exception as error:  # a damaged pickle can fail anywhere in torch's interpreter
        reason = " ".join(str(error).split())[:120]
        raise CheckpointError(f"{name!r} cannot be read ({reason}); pull it again") from None
    if part is not None:
        loaded = loaded.get(part) if isinstance(loaded, Mapping) else None
    if not isinstance(loaded, Mapping):
        raise CheckpointError(f"{name!r} holds a {type(loaded).__name__}, not a state dict")
    tensors = {k: v for k, v in loaded.items() if isinstance(k, str) and isinstance(v, Tensor)}
    if len(tensors) != len(loaded):
        raise CheckpointError(f"{name!r} holds more than tensors; it is not a plain state dict")
    return tensors
