"""A map of a latent space: places, keyframes, and the paths that lead through them.

At each crossing of a grid there is a seed, and between four of them a mixture. Draws of different
seeds are independent, so a mixture whose weights have a root sum of squares of 1 is distributed as
they are: every place is as likely a picture as a sample is, and a crossing is one. Knows no model.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from phosphene.core.errors import RecipeError
from phosphene.studio.recipe import Walk
from phosphene.studio.recipe_text import parse_recipe
from phosphene.web.persons import still

ORIGIN = 7000  # the seed at which a visit begins: no row of the first map wraps around
ROW = 1000  # seeds from one row of the grid to the next
NUM_SEEDS = 2**32
FARTHEST = 10_000  # crossings from the origin
DIGITS = 4  # of coordinates and sliders
NUM_MOVES = 4  # sliders along principal directions
MOST = 4.0  # standard deviations along one
MAX_PSI = 1.5
MAX_KEYS = 24
FPS = 15
FILM_SIDE = 256  # px
LAYERS = ("coarse", "middle", "fine")
CLASS = re.compile(r"[^;~=@:\[\]]{1,200}")


@dataclass(frozen=True, slots=True)
class Place:
    """Where one is on the map, and how it is looked at.

    Args:
        x: Crossings to the right of the origin.
        y: Crossings below it.
        psi: Truncation, of models with styles.
        moves: Standard deviations along pc0, pc1, ...
    """

    x: float = 0.0
    y: float = 0.0
    psi: float = 1.0
    moves: tuple[float, ...] = (0.0,) * NUM_MOVES

    def __str__(self) -> str:
        numbers = [self.x, self.y, self.psi, *self.moves]
        plain = [0.0, 0.0, 1.0] + [0.0] * NUM_MOVES
        while len(numbers) > 2 and numbers[-1] == plain[len(numbers) - 1]:
            numbers.pop()
        return ",".join(_spelled(number) for number in numbers)

    def at(self, x: float, y: float) -> "Place":
        """The same elsewhere; the map has an end."""
        x, y = (round(min(max(v, -FARTHEST), FARTHEST), DIGITS) for v in (x, y))
        return replace(self, x=x, y=y)

    def moved(self, number: int, amount: float) -> "Place":
        """The same with another amount of a direction."""
        moves = list(self.moves)
        moves[number] = round(amount, DIGITS)
        return replace(self, moves=tuple(moves))


def place_from(text: str) -> Place:
    """Read a place as it is spelled: x, y, psi, then amounts of directions.

    Raises:
        RecipeError: no numbers, too many, or too large ones.
    """
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if not 2 <= len(numbers) <= 3 + NUM_MOVES or not all(map(math.isfinite, numbers)):
        raise RecipeError(f"at: {text[:60]!r} is no place; write x,y or x,y,psi,pc0,pc1,...")
    x, y, psi, *moves = [*numbers, 1.0][: max(3, len(numbers))]
    if not 0 <= psi <= MAX_PSI or any(abs(move) > MOST for move in moves):
        raise RecipeError(
            f"at: {text[:60]!r}; psi goes from 0 to {MAX_PSI:g}, directions to {MOST:g}"
        )
    moves += [0.0] * (NUM_MOVES - len(moves))
    return Place(0, 0, round(psi, DIGITS), tuple(round(m, DIGITS) for m in moves)).at(x, y)


def seed_at(origin: int, column: int, row: int) -> int:
    """The seed of a crossing."""
    return (origin + column + ROW * row) % NUM_SEEDS


def weights_at(x: float, y: float) -> dict[tuple[int, int], float]:
    """Weights of the crossings (column, row) around a place; their squares sum to 1."""
    column, row = math.floor(x), math.floor(y)
    u, v = x - column, y - row
    shares = {
        (column, row): (1 - u) * (1 - v),
        (column + 1, row): u * (1 - v),
        (column, row + 1): (1 - u) * v,
        (column + 1, row + 1): u * v,
    }
    size = math.sqrt(sum(share * share for share in shares.values()))
    return {crossing: share / size for crossing, share in shares.items() if share}


def mixture_at(origin: int, x: float, y: float) -> str:
    """The draw of a place, as a path spells it: `7`, or `0.6*7 + 0.8*8`."""
    terms = []
    for (column, row), weight in weights_at(x, y).items():
        times = "" if weight == 1 else f"{_decimal(weight)}*"
        terms.append(f"{times}{seed_at(origin, column, row)}")
    return " + ".join(terms)


def told_at(origin: int, x: float, y: float) -> str:
    """The same for people: the seeds around a place, the nearest first; shares of the variance."""
    weights = sorted(weights_at(x, y).items(), key=lambda entry: -entry[1])
    if len(weights) == 1:
        return f"seed {seed_at(origin, *weights[0][0])}"
    return ", ".join(f"{seed_at(origin, *crossing)} ({w * w:.0%})" for crossing, w in weights)


def shift_of(moves: Sequence[float]) -> str:
    """Amounts of principal directions, as a path spells them: `2*pc0 - 0.5*pc3`."""
    spelled = ""
    for number, amount in enumerate(moves):
        if amount:
            sign = ("-" if amount < 0 else "") if not spelled else (" - " if amount < 0 else " + ")
            spelled += f"{sign}{_decimal(abs(amount))}*pc{number}"
    return spelled or "0*pc0"


@dataclass
class Route:
    """What a visitor of the map has chosen: it becomes recipes, and an address.

    Args:
        styled: Whether the model has styles: without them there is no psi, and are no layers.
        origin: The seed at (0, 0).
        of_class: What is shown, by name; empty lets the origin draw it where a model has classes.
        styles: Seeds of layers (`LAYERS`) that do not follow the map.
        keys: Keyframes of the film.
        seconds: How long the film is.
        job: Of the film that is shown.
    """

    model: str
    styled: bool = False
    origin: int = ORIGIN
    of_class: str = ""
    styles: dict[str, int] = field(default_factory=dict)
    here: Place = Place()
    keys: list[Place] = field(default_factory=list)
    seconds: float | None = 4.0
    loop: bool = False
    job: str = ""

    def path(self, places: Sequence[Place], loop: bool = False) -> str:
        """The path through places; what is the same in all of them is said once.

        Raises:
            RecipeError: the class has signs in it that mean something else in a path.
        """
        tracks = {"z": [mixture_at(self.origin, place.x, place.y) for place in places]}
        if self.of_class.strip():
            if not CLASS.fullmatch(self.of_class):
                raise RecipeError(f"class: {self.of_class[:60]!r}; name one, as `fox`")
            tracks["class"] = [self.of_class.strip()]
        if self.styled:
            styles = {name: self.styles[name] for name in LAYERS if name in self.styles}
            tracks |= {f"w[{name}]": [str(seed)] for name, seed in styles.items()}
            if any(place.psi != 1 for place in places):
                tracks["psi"] = [_decimal(place.psi) for place in places]
        if any(any(place.moves) for place in places):
            tracks["move"] = [shift_of(place.moves) for place in places]
        lines = []
        for name, stops in tracks.items():
            said = stops[:1] if len(set(stops)) == 1 else stops
            lines.append(f"{name} = {' ~ '.join(said)}")
        return "; ".join([*lines, "loop"] if loop else lines)

    def picture(self, place: Place | None = None) -> Walk:
        """The recipe of a place; of where one is, if none is given.

        Raises:
            RecipeError: as for `path`.
        """
        return _walk(still(self.model, self.origin, self.path([place or self.here])))

    def base(self, column: int, row: int) -> Walk:
        """The recipe of a crossing as the map shows it: without psi and directions."""
        return self.picture(Place(column, row))

    def film(self) -> Walk:
        """The recipe of the film.

        Raises:
            RecipeError: fewer than two keyframes, or a length that is not allowed.
        """
        if len(self.keys) < 2:
            raise RecipeError("keyframes: add two or more, a film leads from one to the next")
        if self.seconds is None or not 1 <= self.seconds <= 120:
            raise RecipeError("seconds: use 1 to 120")
        return _walk(
            {
                "kind": "walk",
                "model": self.model,
                "path": self.path(self.keys, self.loop),
                "seed": self.origin,
                "num_frames": round(self.seconds * FPS),
                "fps": FPS,
                "side": FILM_SIDE,
                "video": "mp4",
            }
        )

    def add(self) -> None:
        """Make where one is the last keyframe.

        Raises:
            RecipeError: there are enough.
        """
        if len(self.keys) == MAX_KEYS:
            raise RecipeError(f"keyframes: {MAX_KEYS} are enough; remove one first")
        self.keys.append(self.here)

    def swap(self, number: int, other: int) -> None:
        """Let two keyframes change places; nothing happens at the ends."""
        if min(number, other) >= 0 and max(number, other) < len(self.keys):
            self.keys[number], self.keys[other] = self.keys[other], self.keys[number]

    def query(self) -> dict[str, str]:
        """The state of the page, as the query of its address."""
        said = {"model": self.model, "origin": str(self.origin), "at": str(self.here)}
        said |= {name: str(seed) for name, seed in self.styles.items()}
        if self.of_class:
            said["class"] = self.of_class
        if self.keys:
            said["keys"] = "~".join(str(key) for key in self.keys)
        if self.seconds is not None and self.seconds != Route.seconds:
            said["seconds"] = _spelled(self.seconds)
        if self.loop:
            said["loop"] = "1"
        return said | ({"job": self.job} if self.job else {})


def route_from(query: Mapping[str, str], models: Mapping[str, bool]) -> Route:
    """The route of an address.

    Args:
        models: Generators that are here, at least one, and whether each has styles; the first is
            the one that is not asked for.
    Raises:
        RecipeError: a value that is not allowed, or a generator that is not here.
    """
    model = query.get("model") or next(iter(models))
    if model not in models:
        raise RecipeError(f"model: {model[:80]!r} is no generator that is here")
    route = Route(model, models[model], loop=query.get("loop") == "1", job=query.get("job", ""))
    route.origin = seed_from("origin", query.get("origin", str(ORIGIN)))
    route.of_class = query.get("class", "")[:200]
    if models[model]:
        route.styles = {n: seed_from(n, query[n]) for n in LAYERS if query.get(n)}
    route.here = place_from(query.get("at", "0,0"))
    keys = query["keys"].split("~") if query.get("keys") else []
    if len(keys) > MAX_KEYS:
        raise RecipeError(f"keyframes: {len(keys)}; use up to {MAX_KEYS}")
    route.keys = [place_from(key) for key in keys]
    if "seconds" in query:
        try:
            route.seconds = float(query["seconds"])
        except ValueError:
            route.seconds = math.nan
        if not 1 <= route.seconds <= 120:
            raise RecipeError(f"seconds: {query['seconds'][:40]!r}; use 1 to 120")
    return route


def seed_from(name: str, text: str) -> int:
    """Read a seed of the map.

    Raises:
        RecipeError: it is none.
    """
    text = text.strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) < NUM_SEEDS):
        raise RecipeError(f"{name}: {text[:40]!r} is no seed; use 0 to {NUM_SEEDS - 1}")
    return int(text)


def _walk(fields: dict[str, Any]) -> Walk:
    recipe = parse_recipe(fields)
    assert isinstance(recipe, Walk)
    return recipe


def _decimal(number: float) -> str:
    """A weight without an exponent, which would be a name in a path."""
    return f"{number:.9f}".rstrip("0").rstrip(".")


def _spelled(number: float) -> str:
    return f"{number + 0.0:.{DIGITS}f}".rstrip("0").rstrip(".")  # -0 becomes 0
