"""Paths through latent spaces as data: what moves, through which stops, at which times.

    z = 7 ~ 8 ~ 9; class = fox ~ owl@0.3 : smooth; psi = 1 ~ 0.4; w[coarse] = 5 ~ 6; loop

`path_text.py` reads and spells that line, `tricks.py` holds lines that have names, `walk.py`
carries a path out on a model. Here are its parts and the errors in them; no tensors.
"""

import itertools
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from phosphene.core.errors import RecipeError, did_you_mean
from phosphene.core.rng import MAX_SEED

TRACKS = {
    "z": "the draw, by seed: `7`, `-7`, `sin(7)`, `0.5*7 + 0.5*8`",
    "w": "the style of a draw, by seed; moves along lines",
    "class": "what is shown, by name: `fox`, `0.5*fox + 0.5*owl`, `lion - cat + dog`",
    "move": "along directions, in standard deviations: `2*pc0 - pc3`",
    "psi": "truncation_psi, 0 or above",
    "noise": "the layer noise, by seed",
    "w[...]": "the styles of some layers: w[coarse], w[middle], w[fine], w[0-3]",
}
FUNCTIONS = {"sin": 1, "unit": 1, "across": 2}  # of z, with their number of arguments
WAYS = ("line", "arc", "curve")  # of getting from stop to stop
EASINGS: dict[str, Callable[[float], float]] = {
    "linear": lambda t: t,
    "smooth": lambda t: t * t * (3 - 2 * t),
    "smoother": lambda t: t**3 * (10 - 15 * t + 6 * t * t),
    "sine": lambda t: (1 - math.cos(math.pi * t)) / 2,
    "ease-in": lambda t: t * t,
    "ease-out": lambda t: t * (2 - t),
    "hold": lambda t: float(t >= 1),
}
MAX_STOPS = 10_000

# of a model, found without examples: principal directions, and factors of the weights
NUMBERED = re.compile(r"(pc|sefa)(\d{1,4})")

_LAYERS = re.compile(r"w\[([^\[\]]+)\]")
_PICTURE = re.compile(r"\.png(:\d+)?$", re.IGNORECASE)
_WORD = r"[\w.](?:[\w.'&!]|-(?=\w))*"
_PLAIN_NAME = re.compile(rf"{_WORD}(?: {_WORD})*")


@dataclass(frozen=True, slots=True)
class Term:
    """`weight * name` or `weight * function(arguments)`."""

    weight: float = 1.0
    name: str = ""
    function: str = ""
    arguments: tuple["Mix", ...] = ()

    def body(self) -> str:
        """The term without its weight."""
        if self.function:
            return f"{self.function}({', '.join(str(mix) for mix in self.arguments)})"
        if _PLAIN_NAME.fullmatch(self.name):
            return self.name
        mark = "'" if '"' in self.name else '"'
        return f"{mark}{self.name}{mark}"


@dataclass(frozen=True, slots=True)
class Mix:
    """A sum of terms: one class or seed, or arithmetic with several."""

    terms: tuple[Term, ...]

    def __str__(self) -> str:
        spelled = ""
        for term in self.terms:
            sign = "-" if math.copysign(1, term.weight) < 0 else "+"
            size = "" if abs(term.weight) == 1 else f"{spell(abs(term.weight))}*"
            lead = f" {sign} " if spelled else sign.replace("+", "")
            spelled += f"{lead}{size}{term.body()}"
        return spelled

    @property
    def number(self) -> float:
        """The value of a track of numbers; NaN for what is no number."""
        total = 0.0
        for term in self.terms:
            try:
                total += term.weight * float(term.name)
            except ValueError:
                return math.nan
        return total


@dataclass(frozen=True, slots=True)
class Stop:
    """A keyframe.

    Args:
        at: When, from 0 to 1; None: evenly between its neighbours.
    """

    value: Mix
    at: float | None = None

    def __str__(self) -> str:
        return f"{self.value}" if self.at is None else f"{self.value}@{spell(self.at)}"


@dataclass(frozen=True, slots=True)
class Track:
    """One thing that moves.

    Args:
        ease: Name of `EASINGS`: how the time between two stops is spent.
        way: Name of `WAYS`; None is arc for z and noise, line for the rest. `curve` has no corners.
    Raises:
        RecipeError: no keyframes, times that do not rise from 0 to 1, an unknown easing or way.
    """

    stops: tuple[Stop, ...]
    ease: str = "linear"
    way: str | None = None

    def __post_init__(self) -> None:
        if not self.stops:
            raise RecipeError("a path with no keyframes leads nowhere; give a stop, such as z = 7")
        if len(self.stops) > MAX_STOPS:
            raise RecipeError(f"{len(self.stops):,} keyframes are too many; use up to {MAX_STOPS}")
        demand_known("easing", self.ease, EASINGS)
        if self.way is not None:
            demand_known("way", self.way, WAYS)
        times = [stop.at for stop in self.stops if stop.at is not None]
        for time in times:
            if not 0 <= time <= 1:
                raise RecipeError(f"a keyframe at @{spell(time)}; times go from 0 to 1")
        for earlier, later in itertools.pairwise(times):
            if later <= earlier:
                raise RecipeError(
                    f"a keyframe at @{spell(later)} after one at @{spell(earlier)}; let times rise"
                )

    def __str__(self) -> str:
        stops = " ~ ".join(str(stop) for stop in self.stops)
        words = [self.ease] * (self.ease != "linear") + [self.way] * (self.way is not None)
        return f"{stops} : {' '.join(word for word in words if word)}" if words else stops

    def times(self, loop: bool) -> list[float]:
        """When each stop is reached; for a loop with one more: when the first comes again.

        So it is for `hold` too: the last value is to be seen as long as the others.
        Raises:
            RecipeError: no time is left for a stop between its neighbours.
        """
        again = loop or (self.ease == "hold" and len(self.stops) > 1)
        first = self.stops[0].at or 0.0
        times = [first, *(stop.at for stop in self.stops[1:])]
        if again:
            times.append(first + 1 if loop else 1.0)
        elif times[-1] is None:
            times[-1] = 1.0
        return _filled(times)


@dataclass(frozen=True, slots=True)
class Path:
    """Several tracks that run at once.

    Args:
        tracks: By name, see `TRACKS`.
        loop: From the last stop back to the first, without an end.
    Raises:
        RecipeError: no tracks, an unknown one, or values that its track does not take.
    """

    tracks: Mapping[str, Track] = field(default_factory=dict)
    loop: bool = False

    def __post_init__(self) -> None:
        if not self.tracks:
            raise RecipeError(
                "a path with no keyframes leads nowhere; name what moves, such as z = 7 ~ 8"
            )
        for name, track in self.tracks.items():
            if layers_of(name) is None:
                demand_known("track", name, TRACKS)
            for stop in track.stops:
                _demand_value(name, stop.value)
            track.times(self.loop)
        if "z" in self.tracks and "w" in self.tracks:
            raise RecipeError("a path moves in z or in w, not in both; leave one of them out")

    def __str__(self) -> str:
        items = [f"{name} = {track}" for name, track in self.tracks.items()]
        return "; ".join([*items, "loop"] if self.loop else items)


def frame_times(count: int, loop: bool) -> list[float]:
    """Times of evenly spaced frames: 0 to 1, or for a loop up to one step before it closes.

    Raises:
        RecipeError: fewer than one frame.
    """
    if count < 1:
        raise RecipeError(f"{count} frames make no walk; use 1 or more")
    return [i / (count if loop else max(1, count - 1)) for i in range(count)]


def layers_of(track: str) -> str | None:
    """The layers that a track such as `w[coarse]` names; None for the other tracks."""
    match = _LAYERS.fullmatch(track)
    return match[1].strip() if match else None


def spell(number: float) -> str:
    """The shortest text that reads as this number."""
    whole = math.isfinite(number) and number == int(number) and abs(number) < 1e15
    return str(int(number)) if whole else repr(float(number)).replace("e+", "e")


def demand_known(what: str, name: str, known: Mapping[str, object] | tuple[str, ...]) -> None:
    """Check a name.

    Raises:
        RecipeError: says which one may be meant, and all that there are.
    """
    if name not in known:
        hint = did_you_mean(name, known)
        raise RecipeError(f"unknown {what} {name[:40]!r}{hint}; there is {', '.join(known)}")


def _filled(times: list[float | None]) -> list[float]:
    """Spread the stops without a time evenly between those with one."""
    filled: list[float] = []
    for index, given in enumerate(times):
        time = given
        if time is None:
            # the first and the last always have one
            left, end = next((i, at) for i, at in enumerate(times[index:], 1) if at is not None)
            time = filled[-1] + (end - filled[-1]) / left
        if filled and time <= filled[-1]:
            raise RecipeError(
                f"no time is left for keyframe {index + 1} after @{spell(filled[-1])}; "
                "give it an earlier place, or leave the times out"
            )
        filled.append(time)
    return filled


def is_picture(name: str) -> bool:
    """Whether a name of z or w means a picture, which brings its own: `a.png`, `sheet.png:3`."""
    return _PICTURE.search(name) is not None


def pictures_in(path: "Path") -> list[str]:
    """The pictures that a path names, each once."""
    mixes = [(name, stop.value) for name, track in path.tracks.items() for stop in track.stops]
    found: list[str] = []
    while mixes:
        name, mix = mixes.pop(0)
        mixes += [(name, argument) for term in mix.terms for argument in term.arguments]
        if name not in ("class", "psi", "noise", "move"):
            found += [term.name for term in mix.terms if is_picture(term.name)]
    return list(dict.fromkeys(found))


def _demand_value(track: str, mix: Mix) -> None:
    if not mix.terms or not all(math.isfinite(term.weight) for term in mix.terms):
        raise RecipeError(f"{track} = {str(mix)[:60]}: weights must be finite numbers")
    if track == "psi":
        _demand_psi(mix)
        return
    if track == "move":
        _demand_directions(mix)
        return
    for term in mix.terms:
        if term.function:
            if track != "z":
                raise RecipeError(f"{track} = {str(mix)[:60]}: only z takes functions")
            _demand_function(term)
        elif not term.name:
            raise RecipeError(f"{track} has an empty keyframe; write a value between the ~")
        elif track != "class" and (track == "noise" or not is_picture(term.name)):
            _demand_seed(track, term.name)
    if track == "noise" and mix != Mix((Term(name=mix.terms[0].name),)):
        raise RecipeError(f"noise = {str(mix)[:60]}: layer noise takes a seed, no arithmetic")


def _demand_psi(mix: Mix) -> None:
    psi = mix.number
    if not math.isfinite(psi):
        raise RecipeError(f"psi = {str(mix)[:60]} is no number; use 0 to 1")
    if psi < 0:
        raise RecipeError(f"psi is {spell(psi)}; use 0 (the mean picture) to 1, or above")


def _demand_directions(mix: Mix) -> None:
    for term in mix.terms:
        if term.function or not NUMBERED.fullmatch(term.name):
            raise RecipeError(
                f"move = {str(mix)[:60]}: {term.body()[:40]} is no direction; there are pc0, pc1, "
                "... and sefa0, sefa1, ..."
            )


def _demand_function(term: Term) -> None:
    demand_known("function", term.function, FUNCTIONS)
    wanted = FUNCTIONS[term.function]
    if len(term.arguments) != wanted:
        raise RecipeError(
            f"{term.body()[:60]} has {len(term.arguments)} arguments; "
            f"{term.function} takes {wanted}"
        )
    for argument in term.arguments:
        _demand_value("z", argument)


def _demand_seed(track: str, name: str) -> None:
    is_whole = name.isascii() and name.isdigit()
    if not is_whole or len(name) > len(str(MAX_SEED)) or int(name) > MAX_SEED:
        raise RecipeError(f"{track} = {name[:40]!r} is no seed; use a whole number, 0 to 2^63-1")
