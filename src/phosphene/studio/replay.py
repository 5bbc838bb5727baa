"""Is it the same picture? A recipe in a PNG is carried out again and compared pixel by pixel."""

import math
import os
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from phosphene.core.images import pixel_hash, to_uint8
from phosphene.core.protocols import Step
from phosphene.core.runtime import out_of_memory_named, prepare
from phosphene.studio.artifact import Artifact, Manifest, read_artifact
from phosphene.studio.craft import Painted, craft_of
from phosphene.zoo import Zoo


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a picture compares with what its recipe gives here and now.

    Args:
        identical: Every pixel is the same.
        max_difference: Of all pixels and channels, 0 to 255; 255 if the sizes differ.
        psnr_db: Peak signal-to-noise ratio, infinite when identical.
        reasons: What may have made the difference, one line each; also given when identical.
    """

    identical: bool
    max_difference: int
    psnr_db: float
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Replayed(Step):
    """The last step of a replay."""

    verdict: Verdict | None = None


def replay(source: Path | Artifact, zoo: Zoo, device: str = "cpu") -> Verdict:
    """Render the recipe of a picture again, and compare.

    Args:
        source: A PNG, or a picture that was just made.
    Raises:
        ImageError: it carries no recipe, or a picture that it started from is gone.
        PhospheneError: as for `run`.
    """
    last = deque(replaying(source, zoo, device), maxlen=1).pop()
    assert isinstance(last, Replayed)
    assert last.verdict is not None
    return last.verdict


def replaying(source: Path | Artifact, zoo: Zoo, device: str = "cpu") -> Iterator[Step]:
    """Replay as steps to watch; the last one is `Replayed` and holds the verdict."""
    prepare()
    old = read_artifact(source) if isinstance(source, Path) else source
    again = craft_of(old.manifest.recipe).again
    assert again is not None  # what paints pictures can paint them again
    with out_of_memory_named(), _threads(old.manifest.platform.threads):
        for step in again(old.manifest, zoo, device):
            if isinstance(step, Painted) and step.artifact is not None:
                verdict = compare(old, step.artifact)
                yield Replayed(step.index, step.total, step.view, verdict=verdict)
            else:
                yield step


def compare(old: Artifact, new: Artifact) -> Verdict:
    """Compare a picture as it was found with one made now from the same recipe."""
    reasons = (*_edited(old), *_differences(old.manifest, new.manifest))
    if old.image.shape != new.image.shape:
        return Verdict(False, 255, 0.0, reasons)
    difference = to_uint8(old.image).int() - to_uint8(new.image).int()
    mean_square = float(difference.double().square().mean())
    psnr = math.inf if mean_square == 0 else 20 * math.log10(255) - 10 * math.log10(mean_square)
    largest = int(difference.abs().max())
    return Verdict(largest == 0, largest, psnr, reasons)


def _edited(old: Artifact) -> Iterator[str]:
    if pixel_hash(old.image) != old.manifest.pixel_sha256:
        yield "the pixels were changed after it was made"


def _differences(old: Manifest, new: Manifest) -> Iterator[str]:
    """What else is not as it was when the picture was made."""
    if old.phosphene != new.phosphene:
        yield f"made by phosphene {old.phosphene}, this is {new.phosphene}"
    yield from old.changed_files(new)
    yield from old.changed_platform(new)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Compute with as many threads as then, if there are cores for them: sums round alike."""
    before = torch.get_num_threads()
    torch.set_num_threads(count if 1 <= count <= (os.cpu_count() or 1) else before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
