"""The prompt language: `text | style | picture.png:weight:stop ^ next scene`.

Three readers, one after the other: `alternatives.py` takes one of `{a|b}` wherever it stands, this
module finds scenes, phrases and numbers, and `emphasis.py` the brackets in a phrase, `(word:1.3)`.

    story  = scene ("^" scene)*          scenes of a story, shown one after the other
    scene  = phrase ("|" phrase)*        phrases that pull at the picture together
    phrase = what [":" weight [":" stop]]

Numbers are read from the right and follow their colon at once, so `a: b:2` is the text `a: b` with
weight 2 and `Blade Runner: 2049` is text. What also stays text: a clock time or ratio at the end
(`at 10:30`; to weigh it, name the weight: `at 10:30:2`; to weigh a text that ends in one or two
digits, write a point: `catch 22:15.0`), a URL with its port, and a number with nothing before it
(`:3`). A `what` that ends in .png, .jpg, .jpeg or .webp and is no URL is an image prompt; its path
is resolved by whoever opens it. Any text is a prompt: control characters and runs of white space
become one space, empty phrases and scenes are dropped. Brackets are plain text until `emphasised`
reads them; they neither hold phrases together nor hide a number: `(red | blue:2)` is two phrases.
Knows nothing of models.
"""

import math
import re
import unicodedata
from dataclasses import dataclass, replace

from phosphene.core.errors import RecipeError
from phosphene.prompting.emphasis import ESCAPE, MARKS, Span, Spans, plain, shared_weight
from phosphene.prompting.emphasis import spans_of as read_brackets
from phosphene.prompting.emphasis import spelled as with_brackets

SCENE_MARK, PHRASE_MARK, NUMBER_MARK = "^", "|", ":"
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
UNENDING = -math.inf

_NUMBER = re.compile(
    r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|inf)|nan", re.ASCII | re.IGNORECASE
)
_CLOCK = re.compile(r"(?:^|[^\d:.])\d{1,2}:[0-5]\d(?::[0-5]\d)?$", re.ASCII)
_PORT = re.compile(r"[^/:]+:\d+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Phrase:
    """One thing to pull the picture towards, or to push it away from.

    Args:
        text: Words; exactly one of `text` and `image` is given.
        image: Path of a picture, as written.
        weight: Strength of the pull; negative pushes away.
        stop: The pull ends where the signed distance (distance times the weight's sign, see
            `objective.spherical_distance` for its range) is below this; -inf never.
        spans: The parts of the text, where brackets were read; `text` is then what is left without
            brackets. None: no part stands out.
    Raises:
        RecipeError: both or neither given, a separator in the text, a weight or stop that is no
            finite number (stop may be -inf).
    """

    text: str | None = None
    image: str | None = None
    weight: float = 1.0
    stop: float = UNENDING
    spans: Spans = ()

    def __post_init__(self) -> None:
        what = self.text if self.image is None else self.image
        if (self.text is None) == (self.image is None) or not what or not what.strip():
            raise RecipeError("a phrase is a text or an image, not both and not empty")
        if SCENE_MARK in what or PHRASE_MARK in what:
            raise RecipeError(f"{_short(what)} contains '|' or '^', which separate phrases")
        if not math.isfinite(self.weight):
            raise RecipeError(
                f"{_short(what)} has weight {self.weight}; use a finite number, for example 1"
            )
        if math.isnan(self.stop) or self.stop == math.inf:
            raise RecipeError(
                f"{_short(what)} has stop {self.stop}; use a number, for example 0.5, or none"
            )

    @property
    def words(self) -> Spans:
        """The parts of the text; none of a picture."""
        return self.spans or (() if self.text is None else (Span(self.text),))

    @property
    def pull(self) -> float:
        """The weight; where all words are emphasised alike, the phrase is as a whole."""
        shared = shared_weight(self.spans)
        return self.weight if shared is None else self.weight * shared

    def emphasised(self) -> "Phrase":
        """The phrase with its brackets read; itself if there are none."""
        if self.text is None or self.spans or not set(MARKS + ESCAPE) & set(self.text):
            return self
        spans = read_brackets(self.text)
        return replace(self, text=plain(spans), spans=spans)

    def __str__(self) -> str:
        """The shortest spelling that `parse`, and then `emphasised`, read as this phrase."""
        what = (with_brackets(self.spans) or self.text) if self.image is None else self.image
        weight, stop = _spell(self.weight), _spell(self.stop)
        spellings = [
            f"{what}",
            f"{what}:{weight}",
            f"{what}:{self.weight!r}",
            f"{what}:{weight}:{stop}",
            # a point in both numbers is never taken for a clock time or a port
            f"{what}:{self.weight!r}:{self.stop!r}",
        ]
        for spelling in spellings:
            if self._is_spelled(spelling):
                return spelling
        # of emphasised words: a text in brackets is neither a picture nor ends in a number
        return f"({what}:1):{self.weight!r}:{self.stop!r}" if self.spans else spellings[-1]

    def _is_spelled(self, spelling: str) -> bool:
        try:
            phrase = _phrase(spelling)
        except RecipeError:  # the text ends in what reads as a weight that is not finite
            return False
        return phrase is not None and (phrase.emphasised() if self.spans else phrase) == self


@dataclass(frozen=True, slots=True)
class Story:
    """Scenes of phrases; a plain prompt is a story of one scene.

    Raises:
        RecipeError: no scene, a scene without phrases, or one whose weights are all 0.
    """

    scenes: tuple[tuple[Phrase, ...], ...]

    def __post_init__(self) -> None:
        if not self.scenes or not all(self.scenes):
            raise RecipeError("a story needs at least one scene, and each scene one phrase")
        for scene in self.scenes:
            if all(phrase.pull == 0 for phrase in scene):
                spelled = _short(" | ".join(str(phrase) for phrase in scene))
                raise RecipeError(f"all weights are 0 in {spelled}; give one phrase a weight")

    def scene(self, index: int) -> tuple[Phrase, ...]:
        """The scene at a turn of the story, which starts again when it has run out."""
        return self.scenes[index % len(self.scenes)]

    def emphasised(self) -> "Story":
        """The story with the brackets of its phrases read.

        Raises:
            RecipeError: a scene whose weights then are all 0.
        """
        return Story(tuple(tuple(p.emphasised() for p in scene) for scene in self.scenes))

    def __str__(self) -> str:
        """The canonical prompt: `parse(str(story))`, emphasised if it was, is the story."""
        return " ^ ".join(" | ".join(str(p) for p in scene) for scene in self.scenes)


def parse(text: str) -> Story:
    """Read a prompt.

    Raises:
        RecipeError: nothing but separators, a weight or stop that is not finite, or only weights
            of 0.
    """
    scenes = []
    for scene in text.split(SCENE_MARK):
        phrases = [_phrase(part) for part in scene.split(PHRASE_MARK)]
        scenes.append(tuple(phrase for phrase in phrases if phrase is not None))
    scenes = [scene for scene in scenes if scene]
    if not scenes:
        raise RecipeError(
            f"the prompt {_short(text)} has no words; write some, for example 'green heart | flat'"
        )
    return Story(tuple(scenes))


def with_phrase(text: str, phrase: str) -> str:
    """The prompt with one more phrase, or several, in each of its scenes."""
    scenes = [f"{scene.strip()} {PHRASE_MARK} {phrase}" for scene in text.split(SCENE_MARK)]
    return f" {SCENE_MARK} ".join(scenes)


def clean(text: str) -> str:
    """Composed Unicode with each run of white space and control characters as one space.

    Lone surrogates, which no file or model could store, become U+FFFD.
    """
    return " ".join("".join(map(_printable, unicodedata.normalize("NFC", text))).split())


def _phrase(part: str) -> Phrase | None:
    """Read one phrase; None if it is empty."""
    # the ends first, so that a stray line feed or NUL does not hide a number
    what, numbers = _split_numbers(_trim(part))
    weight = numbers[0] if numbers else 1.0
    stop = numbers[1] if len(numbers) > 1 else UNENDING
    what = _trim(what)
    if _is_image(what):
        return Phrase(image=what, weight=weight, stop=stop)
    text = clean(what)
    return Phrase(text=text, weight=weight, stop=stop) if text else None


def _split_numbers(body: str) -> tuple[str, list[float]]:
    """Take at most two numbers from the right end."""
    numbers: list[float] = []
    while len(numbers) < 2:
        before, mark, last = body.rpartition(NUMBER_MARK)
        if not mark or not _NUMBER.fullmatch(last) or not _trim(before):
            break
        if _CLOCK.search(body) or _ends_in_port(body):
            break
        numbers.insert(0, float(last))
        body = before
    return body, numbers


def _ends_in_port(body: str) -> bool:
    """Whether the last word is a URL that ends in its port: `http://localhost:8080`."""
    _, scheme_end, host = body.rsplit(maxsplit=1)[-1].rpartition("://")
    return bool(scheme_end) and _PORT.fullmatch(host) is not None


def _is_image(what: str) -> bool:
    lower = what.lower()
    return lower.endswith(IMAGE_SUFFIXES) and lower not in IMAGE_SUFFIXES and "://" not in lower


def _printable(character: str) -> str:
    # format characters (Cf) stay: the zero-width joiner holds emoji together
    match unicodedata.category(character):
        case "Cc" | "Zs" | "Zl" | "Zp":
            return " "
        case "Cs":
            return "\N{REPLACEMENT CHARACTER}"
        case _:
            return character


def _trim(text: str) -> str:
    start, stop = 0, len(text)
    while start < stop and _printable(text[start]) == " ":
        start += 1
    while stop > start and _printable(text[stop - 1]) == " ":
        stop -= 1
    return text[start:stop]


def _spell(number: float) -> str:
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)


def _short(text: str, length: int = 60) -> str:
    return repr(text if len(text) <= length else text[: length - 1] + "…")
