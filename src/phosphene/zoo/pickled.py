"""Reading tensors from a PyTorch pickle whose sha256 a card vouches for.

Pickles can run code. Two walls stand before that: the bytes are known by their hash, and the reader
is `core/unpickle`, which follows a pickle as data and imports and calls nothing. Anything else goes
through `phosphene models convert`, and there meets the same reader.
"""

import io

from torch import Tensor

from phosphene.core.errors import CheckpointError
from phosphene.core.unpickle import read_foreign_file


def read_tensors(data: bytes, name: str, part: str | None = None) -> dict[str, Tensor]:
    """Read a state dict; call it only with bytes whose hash was checked.

    Args:
        part: Key of the state dict in a checkpoint that holds more than one.
    Raises:
        UnsafeModel: it asks for code to be run.
        CheckpointError: it is damaged, or holds no state dict.
        DeviceError: not enough memory.
    """
    loaded = read_foreign_file(io.BytesIO(data), name)
    if part is not None:
        found = loaded.get(part)
        loaded = found if isinstance(found, dict) else {}
    tensors = {k: v for k, v in loaded.items() if isinstance(k, str) and isinstance(v, Tensor)}
    if len(tensors) != len(loaded):
        raise CheckpointError(f"{name!r} holds more than tensors; it is not a plain state dict")
    return tensors
