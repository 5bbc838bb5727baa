"""What a training set is to the rest of phosphene: captioned pictures, by index."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import UInt8
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Example:
    """One captioned picture.

    Args:
        image: Pixels 0..255, shape (c, h, w): RGB, unless the source was asked for grey or RGBA.
        caption: What a person would type to get it.
        concept: The thing shown: an emoji's name, a class, or the file's stem.
        label: Index of its class in the source's `class_names`, where the source has classes.
    """

    image: UInt8[Tensor, "c h w"]
    caption: str
    concept: str
    label: int | None = None


@runtime_checkable
class Source(Protocol):
    """A set of examples; the same index always gives the same example.

    One whose examples have labels has `class_names: tuple[str, ...]` besides.
    """

    def __len__(self) -> int: ...

    def example(self, index: int) -> Example: ...
