"""What a training set is to the rest of phosphene: captioned pictures, by index."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import UInt8
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Example:
    """One captioned picture.

    Args:
        image: Pixels 0..255, RGB, shape (3, size, size).
        caption: What a person would type to get it.
        concept: The thing shown: an emoji's name, a class, or the file's stem.
    """

    image: UInt8[Tensor, "c h w"]
    caption: str
    concept: str


@runtime_checkable
class Source(Protocol):
    """A set of examples; the same index always gives the same example."""

    def __len__(self) -> int: ...

    def example(self, index: int) -> Example: ...
