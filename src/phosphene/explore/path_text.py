"""The path language: reading one line of text, or recipe data, into a `Path`.

    path   = item (";" item)*
    item   = "loop" | track "=" stops | trick "(" mix ("," mix)* ")" [":" word+]
    stops  = stop ("~" stop)* [":" word+]         words: an easing, or line, arc, curve
    stop   = mix ["@" time]
    mix    = term (("+" | "-") term)*
    term   = ["-"] [number "*"] (name | function "(" mix ("," mix)* ")" | "(" mix ")")

Names may be of several words; with signs in them they stand in quotes. A `-` inside of a word
belongs to it: `face-smiling` is a name, `lion - cat` arithmetic.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NoReturn

from phosphene.core.errors import RecipeError
from phosphene.explore.paths import (
    EASINGS,
    TRACKS,
    WAYS,
    Mix,
    Path,
    Stop,
    Term,
    Track,
    demand_known,
    layers_of,
)
from phosphene.explore.tricks import TRICKS, line_of

MAX_LENGTH = 20_000
MAX_DEPTH = 20

_TOKEN = re.compile(
    r"\s*(?:(?P<quoted>\"[^\"]*\"|'[^']*')"
    r"|(?P<word>[\w.](?:[\w.'&!]|-(?=\w))*)"
    r"|(?P<sign>[=;~@+\-*(),\[\]:])|(?P<other>\S))"
)


def parse_path(text: str) -> Path:
    """Read a path.

    Raises:
        RecipeError: what cannot be read and where, an unknown name, no keyframes.
    """
    if len(text) > MAX_LENGTH:
        raise RecipeError(f"a path of {len(text):,} characters; use up to {MAX_LENGTH:,}")
    return _Reader(text).path()


def path_of(source: str | Mapping[str, Any]) -> Path:
    """Read a path from recipe data: the text, or its parts.

        {"tracks": {"z": ["7", "8"], "psi": "1 ~ 0.4 : smooth",
                    "class": {"stops": ["fox", {"value": "owl", "at": 0.3}], "ease": "hold"}},
         "loop": true}

    Raises:
        RecipeError: as `parse_path`, or data of another shape.
    """
    if isinstance(source, str):
        return parse_path(source)
    _demand_keys("a path", source, ("tracks", "loop"))
    tracks, loop = source.get("tracks", {}), source.get("loop", False)
    if not isinstance(tracks, Mapping) or not isinstance(loop, bool):
        raise RecipeError("a path has tracks by name, and loop as true or false")
    return Path({str(name): _track_of(str(name), entry) for name, entry in tracks.items()}, loop)


def path_data(path: Path) -> dict[str, Any]:
    """The parts of a path as JSON has them: `path_of(path_data(path)) == path`."""
    tracks = {}
    for name, track in path.tracks.items():
        stops = [
            str(stop.value) if stop.at is None else {"value": str(stop.value), "at": stop.at}
            for stop in track.stops
        ]
        tracks[name] = {"stops": stops, "ease": track.ease, "way": track.way}
    return {"tracks": tracks, "loop": path.loop}


def _track_of(name: str, entry: object) -> Track:
    if isinstance(entry, str):
        return _Reader(entry).only_stops()
    if isinstance(entry, Mapping):
        _demand_keys(f"track {name!r}", entry, ("stops", "ease", "way"))
        stops, ease, way = entry.get("stops", []), entry.get("ease", "linear"), entry.get("way")
        if isinstance(stops, Sequence) and isinstance(ease, str) and isinstance(way, str | None):
            return Track(tuple(_stop_of(name, stop) for stop in stops), ease, way)
    elif isinstance(entry, Sequence):
        return Track(tuple(_stop_of(name, stop) for stop in entry))
    raise RecipeError(f"track {name[:40]!r} is {str(entry)[:40]!r}; give a list of stops")


def _stop_of(name: str, entry: object) -> Stop:
    value, at = entry, None
    if isinstance(entry, Mapping):
        _demand_keys(f"a stop of {name!r}", entry, ("value", "at"))
        value, at = entry.get("value"), entry.get("at")
    is_value = isinstance(value, str | int | float) and not isinstance(value, bool)
    if not is_value or isinstance(at, bool) or not isinstance(at, int | float | None):
        raise RecipeError(
            f"a stop of {name[:40]!r} is {str(entry)[:40]!r}; give a value and perhaps a time"
        )
    return Stop(_Reader(str(value)).only_mix(), None if at is None else float(at))


def _demand_keys(what: str, given: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for key in given:
        demand_known(f"field of {what[:60]}", str(key), known)


class _Reader:
    """Reads one text from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[tuple[str, str, int]] = []
        for match in _TOKEN.finditer(text.rstrip()):
            kind = str(match.lastgroup)
            self.tokens.append((kind, match[kind], match.start(kind)))
        self.index = self.depth = 0

    def path(self) -> Path:
        tracks: dict[str, Track] = {}
        loop = False
        while self.index < len(self.tokens):
            if self._taken(";"):
                continue
            for name, track, closes in self._item():
                if name in tracks:
                    raise RecipeError(
                        f"{name} is given twice in {_short(self.text)}; leave one out"
                    )
                loop = loop or closes
                if track is not None:
                    tracks[name] = track
            if self.index < len(self.tokens) and not self._taken(";"):
                self._fail("; between two parts")
        return Path(tracks, loop)

    def only_stops(self) -> Track:
        track = self._stops()
        self._demand_end()
        return track

    def only_mix(self) -> Mix:
        mix = self._mix()
        self._demand_end()
        return mix

    def _item(self) -> Iterator[tuple[str, Track | None, bool]]:
        """Names and tracks; `loop` has no track."""
        name = self._name("what moves, such as z = 7 ~ 8")
        if name == "loop" and not self._sees("=", "("):
            yield name, None, True
        elif self._taken("("):
            yield from self._trick(name)
        else:
            if self._taken("["):
                name = f"{name}[{self._name('layers, such as coarse')}]"
                self._demand("]")
            if layers_of(name) is None:
                demand_known("track", name, {**TRACKS, **TRICKS})
            self._demand("=")
            yield name, self._stops(), False

    def _trick(self, name: str) -> Iterator[tuple[str, Track | None, bool]]:
        line = line_of(name, [str(mix) for mix in self._arguments()])
        ease, way = self._words()
        path = _Reader(line).path()
        for track_name, track in path.tracks.items():
            moves = len(track.stops) > 1  # a single stop has no way to choose
            changed = replace(track, ease=ease or track.ease, way=way or track.way)
            yield track_name, changed if moves else track, path.loop

    def _stops(self) -> Track:
        stops = [self._stop()]
        while self._taken("~"):
            stops.append(self._stop())
        ease, way = self._words()
        return Track(tuple(stops), ease or "linear", way)

    def _stop(self) -> Stop:
        value = self._mix()
        return Stop(value, self._number("a time from 0 to 1") if self._taken("@") else None)

    def _words(self) -> tuple[str | None, str | None]:
        """Easing and way after a colon."""
        ease = way = None
        if self._taken(":"):
            # one at least
            while (ease is None and way is None) or self._sees_word():
                word = self._one_word("an easing, or line, arc, curve")
                demand_known("easing or way", word, {**EASINGS, **dict.fromkeys(WAYS)})
                ease, way = (ease, word) if word in WAYS else (word, way)
        return ease, way

    def _mix(self) -> Mix:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise RecipeError(f"{_short(self.text)} is nested too deeply; use fewer parentheses")
        terms = [*self._terms(-1.0 if self._taken("-") else 1.0)]
        while self._sees("+", "-"):
            terms += self._terms(-1.0 if self._taken("-") else self._plus())
        self.depth -= 1
        return Mix(tuple(terms))

    def _plus(self) -> float:
        self._demand("+")
        return 1.0

    def _terms(self, weight: float) -> Iterator[Term]:
        if self._sees_word() and self._sees("*", ahead=1):
            weight *= self._number("a weight")
            self._demand("*")
            weight *= -1.0 if self._taken("-") else 1.0
        if self._taken("("):
            inner = self._mix()
            self._demand(")")
            yield from (replace(term, weight=weight * term.weight) for term in inner.terms)
            return
        name = self._name("a name (in quotes if it has signs) or a seed")
        if self._taken("("):
            yield Term(weight, function=name, arguments=tuple(self._arguments()))
        else:
            yield Term(weight, name)

    def _arguments(self) -> list[Mix]:
        arguments = [self._mix()]
        while self._taken(","):
            arguments.append(self._mix())
        self._demand(")")
        return arguments

    def _name(self, wanted: str) -> str:
        if self._kind() == "quoted":
            name = self.tokens[self.index][1][1:-1]
            self.index += 1
            return name
        words = [self._one_word(wanted)]
        while self._sees_word():
            words.append(self._one_word(wanted))
        return " ".join(words)

    def _one_word(self, wanted: str) -> str:
        if not self._sees_word():
            self._fail(wanted)
        self.index += 1
        return self.tokens[self.index - 1][1]

    def _number(self, wanted: str) -> float:
        sign = -1.0 if self._taken("-") else 1.0
        word = self._one_word(wanted)
        try:
            return sign * float(word)
        except ValueError:
            self.index -= 1
            self._fail(wanted)

    def _kind(self) -> str:
        return self.tokens[self.index][0] if self.index < len(self.tokens) else ""

    def _sees_word(self) -> bool:
        return self._kind() == "word"

    def _sees(self, *signs: str, ahead: int = 0) -> bool:
        tokens = self.tokens[self.index + ahead : self.index + ahead + 1]
        return any(kind == "sign" and text in signs for kind, text, _ in tokens)

    def _taken(self, sign: str) -> bool:
        if self._sees(sign):
            self.index += 1
            return True
        return False

    def _demand(self, sign: str) -> None:
        if not self._taken(sign):
            self._fail(sign)

    def _demand_end(self) -> None:
        if self.index < len(self.tokens):
            self._fail("the end")

    def _fail(self, wanted: str) -> NoReturn:
        if self.index < len(self.tokens):
            seen = _short(self.text[self.tokens[self.index][2] :], 20)
            raise RecipeError(f"cannot read the path at {seen}: expected {wanted}")
        raise RecipeError(f"the path {_short(self.text)} ends too early: expected {wanted}")


def _short(text: str, length: int = 60) -> str:
    return repr(text if len(text) <= length else text[: length - 1] + "…")
