r"""Brackets in a phrase: which of its words count more, as users of AUTOMATIC1111 write them.

    (word)       counts 1.1 times as much; ((word)) 1.21 times
    [word]       1.1 times less
    (word:1.3)   1.3 times as much; 0 is as if the word were not there, below 0 pushes away from it
    \( \) \[ \]  brackets that are text; \\ is a backslash

Brackets nest, and their weights multiply. Only pairs with something between them count: all other
brackets, as in `:-)`, are text, and so are backslashes before anything else. A number is a weight
if it is the last thing in round brackets, after a colon, and at most 1000 in size, so
`(Blade Runner: 2049)` is text that counts 1.1 times; and so is a clock time, `(at 10:30)`.

Knows neither models nor numbers: see `weighing.py` for what weights do.
"""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

STEP = 1.1  # of a pair of brackets without a number
MOST = 1000.0  # size of a weight
MARKS = "()[]"
CLOCK_REACH = 8  # characters before the last colon of `10:30:45` that tell whether it is one
ESCAPE = "\\"

_PARTNERS = {")": "(", "]": "["}
_WEIGHT = re.compile(r":\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)\s*", re.ASCII | re.IGNORECASE)
_RUN = re.compile(" +")
_CLOCK = re.compile(r"(?:^|[^\d:.])\d{1,2}:[0-5]\d(?::[0-5]\d)?$", re.ASCII)


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a phrase's text.

    Args:
        weight: How much it counts beside the rest, which counts 1.
    """

    text: str
    weight: float = 1.0


Spans = tuple[Span, ...]


def spans_of(text: str) -> Spans:
    """Read the brackets of a text: its parts in order, `tidied`.

    A text of nothing but spaces has none.
    """
    closing, weights, ends = _pairs(text)
    found: list[Span] = []
    stack = [1.0]
    position = 0
    while position < len(text):
        if position in weights:  # opens
            stack.append(_bounded(stack[-1] * weights[position]))
            position += 1
        elif position in ends:  # the colon of a weight: on to its bracket
            position = ends[position]
        elif position in closing:
            stack.pop()
            position += 1
        else:
            position += _is_escape(text, position)
            found.append(Span(text[position], stack[-1]))
            position += 1
    return tidied(found)


def plain(spans: Iterable[Span]) -> str:
    """The text without its brackets."""
    return "".join(span.text for span in tidied(spans))


def without(spans: Spans, index: int) -> str:
    """The plain text that is left when one part is taken out."""
    return plain(spans[:index] + spans[index + 1 :])


def shared_weight(spans: Spans) -> float | None:
    """The weight of all parts, if it is one: then no word stands out, and the whole counts so."""
    weights = {span.weight for span in spans}
    return weights.pop() if len(weights) == 1 else None


def spelled(spans: Iterable[Span]) -> str:
    """Write parts with brackets: `spans_of(spelled(spans)) == tidied(spans)`."""
    return "".join(map(_spelling, tidied(spans)))


def escaped(text: str) -> str:
    """The text as one writes it when its brackets are to be text."""
    return "".join(ESCAPE + c if c in MARKS + ESCAPE else c for c in text)


def tidied(spans: Iterable[Span]) -> Spans:
    """Join neighbours of one weight; leave one space between words, and none at the ends.

    A space between two parts belongs to the first.
    """
    joined: list[tuple[list[str], float]] = []
    blank = True  # whether a space, or nothing, stands before
    for span in spans:
        text = _RUN.sub(" ", span.text)
        if text.startswith(" "):
            if not blank:
                joined[-1][0].append(" ")
            blank, text = True, text[1:]
        if not text:
            continue
        blank = text.endswith(" ")
        if joined and joined[-1][1] == span.weight:
            joined[-1][0].append(text)
        else:
            joined.append(([text], span.weight))
    whole = [Span("".join(texts), weight) for texts, weight in joined]
    if whole:
        whole[-1] = Span(whole[-1].text.rstrip(" "), whole[-1].weight)
    return tuple(whole)


def _spelling(span: Span) -> str:
    if span.weight == 1:
        return escaped(span.text)
    words = span.text.rstrip(" ")
    return f"({escaped(words)}:{span.weight!r}){span.text[len(words) :]}"


def _pairs(text: str) -> tuple[set[int], dict[int, float], dict[int, int]]:
    """Find the pairs of brackets that count.

    Returns:
        Where pairs close; the weight of each pair by where it opens; and of pairs with a number,
        where it closes by where the number's colon stands.
    """
    closing: set[int] = set()
    weights: dict[int, float] = {}
    ends: dict[int, int] = {}
    opened: list[int] = []
    position = 0
    while position < len(text):
        mark = text[position]
        if _is_escape(text, position):
            position += 1
        elif mark in _PARTNERS.values():
            opened.append(position)
        elif mark in _PARTNERS and opened and text[opened[-1]] == _PARTNERS[mark]:
            start = opened.pop()
            colon, weight = _weight_of(text, start, position)
            if text[start + 1 : position if colon is None else colon].strip(" "):
                closing.add(position)
                weights[start] = weight
                if colon is not None:
                    ends[colon] = position
        position += 1
    return closing, weights, ends


def _weight_of(text: str, start: int, end: int) -> tuple[int | None, float]:
    """Where the number of a pair has its colon, if there is one, and what the pair weighs."""
    if text[start] == "[":
        return None, 1 / STEP
    colon = text.rfind(":", start, end)
    number = _WEIGHT.fullmatch(text, colon, end) if colon > start + 1 else None
    last_words = text[max(start + 1, colon - CLOCK_REACH) : end].rstrip(" ")
    is_clock = number is not None and _CLOCK.search(last_words)
    if number is None or is_clock or not abs(float(number[1])) <= MOST:
        return None, STEP
    return colon, float(number[1])


def _is_escape(text: str, position: int) -> bool:
    """Whether a backslash stands here that makes text of what follows."""
    following = text[position + 1 : position + 2]
    return text[position] == ESCAPE and bool(following) and following in MARKS + ESCAPE


def _bounded(weight: float) -> float:
    return math.copysign(min(abs(weight), MOST), weight)
