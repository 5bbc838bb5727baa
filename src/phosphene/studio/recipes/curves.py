"""What changes along a film or a run: numbers and words at keyframes. Imports no torch.

A curve is text: a number that holds throughout, or keyframes `0:1, 30:1.05, 60:1`. In between it
goes in straight lines, before the first and after the last keyframe it holds. Words do not blend:
those of a keyframe hold until the next one.
"""

import itertools
import math
import re
from bisect import bisect_right
from collections.abc import Callable, Mapping
from typing import Annotated, Any, NamedTuple

from pydantic import AfterValidator, BeforeValidator, Field

from phosphene.studio.recipes.fields import Prompt

MAX_FRAMES = 10_000
MAX_TEXT = 20_000  # characters of a curve

_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", re.IGNORECASE | re.ASCII)
_FRAME = re.compile(r"\d{1,5}", re.ASCII)
_NEXT_WORDS = re.compile(r";(?=\s*\d+\s*:)")


class Key(NamedTuple):
    """A value at a frame."""

    frame: int
    value: float


def curve(text: str) -> tuple[Key, ...]:
    """Read `1.02`, or `0:1, 30:1.05, 60:1`.

    Raises:
        ValueError: neither; frames that do not rise, or of no film.
    """
    if _NUMBER.fullmatch(text.strip()) and math.isfinite(float(text)):
        return (Key(0, float(text)),)
    keys = [_key(part.strip(), text) for part in text.split(",") if part.strip()]
    if not keys:
        raise ValueError("should be a number, or keyframes as 0:1, 30:1.05; it is empty")
    for key, following in itertools.pairwise(keys):
        if following.frame <= key.frame:
            raise ValueError(
                f"keyframes should rise; frame {following.frame} follows {key.frame} in "
                f"{text[:60]!r}"
            )
    return tuple(keys)


def _key(part: str, text: str) -> Key:
    frame, colon, value = (piece.strip() for piece in part.partition(":"))
    if not colon or not _FRAME.fullmatch(frame) or not _NUMBER.fullmatch(value):
        raise ValueError(
            f"{text[:60]!r} should be a number, or keyframes as 0:1, 30:1.05; {part[:40]!r} is "
            "neither"
        )
    if int(frame) > MAX_FRAMES or not math.isfinite(float(value)):
        raise ValueError(f"{part[:40]!r} should have a frame up to {MAX_FRAMES}, a finite value")
    return Key(int(frame), float(value))


def value_at(text: str, frame: int) -> float:
    """The value of a curve at a frame: (1 - t) a + t b, with t the share of the way from a to b."""
    keys = curve(text)
    place = bisect_right(keys, frame, key=lambda key: key.frame)
    if place == 0 or place == len(keys):
        return keys[min(place, len(keys) - 1)].value
    before, after = keys[place - 1], keys[place]
    share = (frame - before.frame) / (after.frame - before.frame)
    value = (1 - share) * before.value + share * after.value
    # rounding could leave what is allowed by a hair
    low, high = sorted((before.value, after.value))
    return min(max(value, low), high)


def words(text: str) -> dict[str, str]:
    """Read `0: a fox; 30: an owl`; a `;` that no frame follows belongs to the words.

    Raises:
        ValueError: not of this form, or a frame that is named twice.
    """
    found: dict[str, str] = {}
    for part in _NEXT_WORDS.split(text):
        frame, colon, said = (piece.strip() for piece in part.partition(":"))
        if not colon or not _FRAME.fullmatch(frame) or not said:
            raise ValueError(
                f"{part.strip()[:60]!r} should be a frame and its words, as 0: a fox; 30: an owl"
            )
        if str(int(frame)) in found:
            raise ValueError(f"frame {int(frame)} is named twice")
        found[str(int(frame))] = said
    return found


def words_at(prompts: Mapping[int, str], frame: int, otherwise: str) -> str:
    """The words that hold at a frame: of the last keyframe until then."""
    begun = [at for at in prompts if at <= frame]
    return prompts[max(begun)] if begun else otherwise


def within(low: float, high: float, *, above: bool = False) -> Callable[[str], str]:
    """A check that a curve stays between two values; `above`: and does not touch the lower one."""

    def check(text: str) -> str:
        for key in curve(text):
            if not low <= key.value <= high or (above and key.value == low):
                bounds = f"above {low:g}, up to {high:g}" if above else f"{low:g} to {high:g}"
                raise ValueError(f"{key.value:g} at frame {key.frame} should be {bounds}")
        return text

    return check


def _as_text(value: Any) -> Any:
    """Write numbers, and tables of keyframes, as text."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return repr(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{frame}:{number}" for frame, number in value.items())
    return value


def _as_table(value: Any) -> Any:
    return words(value) if isinstance(value, str) else value


def _in_order(prompts: dict[int, str]) -> dict[int, str]:
    return dict(sorted(prompts.items()))


Curve = Annotated[str, Field(max_length=MAX_TEXT), BeforeValidator(_as_text)]
Frame = Annotated[int, Field(ge=0, le=MAX_FRAMES)]
WordsAt = Annotated[dict[Frame, Prompt], BeforeValidator(_as_table), AfterValidator(_in_order)]
