"""A walk that Wander made, as the route that it was made of: from a recipe back onto the map."""

import re
from dataclasses import replace

from phosphene.core.errors import PhospheneError
from phosphene.studio.recipe import Walk
from phosphene.web.pages.latent_map import (
    FPS,
    LAYERS,
    MAX_KEYS,
    NUM_MOVES,
    NUM_SEEDS,
    ROW,
    Place,
    Route,
    seed_from,
)

CORNERS = {0: (0, 0), 1: (1, 0), ROW: (0, 1), ROW + 1: (1, 1)}  # by seeds from the first
_TERM = re.compile(r"(?:([0-9.]+)\*)?([0-9]+)")
_MOVE = re.compile(r"([+-]?) ?([0-9.]+)\*pc([0-9])")


def route_of(recipe: Walk) -> Route | None:
    """The route that makes a recipe; None if the map makes no such walk.

    Whether the model has styles is guessed from the path: its address is the same either way.
    """
    try:
        route = _read(recipe)
        if route is None:
            return None
        made = route.film() if route.keys else route.picture()
    except (PhospheneError, ValueError, LookupError, ArithmeticError):
        return None
    return route if made == recipe else None


def is_still(recipe: Walk) -> bool:
    """Whether a walk is one picture, and no film."""
    return recipe.num_frames == 1 and recipe.video is None


def _read(recipe: Walk) -> Route | None:
    if not isinstance(recipe.path, str) or recipe.seed is None:
        return None
    *tracks, last = recipe.path.split("; ")
    loop = last == "loop"
    said = dict(track.split(" = ", 1) for track in (tracks if loop else [*tracks, last]))
    stops = {name: value.split(" ~ ") for name, value in said.items()}
    count = max(map(len, stops.values()))
    if count > MAX_KEYS:
        return None
    styles = {n: seed_from(n, said[f"w[{n}]"]) for n in LAYERS if f"w[{n}]" in said}
    route = Route(recipe.model, bool(styles) or "psi" in said, loop=loop, styles=styles)
    route.origin = seed_from("origin", str(recipe.seed))
    route.of_class = said.get("class", "")
    places = [_place(route.origin, stops, number) for number in range(count)]
    route.here = places[0]
    if not is_still(recipe):
        route.seconds = round(recipe.num_frames / FPS, 4)
        # what stands still is said once: two keyframes at one place, or more, film the same
        route.keys = places if count > 1 else places * 2
    return route


def _place(origin: int, stops: dict[str, list[str]], number: int) -> Place:
    """A stop of a path; a track with one stop has it all along.

    Raises:
        ValueError, LookupError: the map makes no such stop.
    """

    def of(name: str) -> str:
        return stops[name][number if len(stops[name]) > 1 else 0]

    place = Place().at(*_crossing(origin, of("z")))
    if "psi" in stops:
        place = replace(place, psi=float(of("psi")))
    if "move" in stops:
        for sign, amount, direction in _MOVE.findall(of("move")):
            if int(direction) < NUM_MOVES:
                place = place.moved(int(direction), float(sign + amount))
    return place


def _crossing(origin: int, mixture: str) -> tuple[float, float]:
    """Where a mixture lies: the mean of its crossings by their weights, which add up as shares."""
    terms = []
    for term in mixture.split(" + "):
        found = _TERM.fullmatch(term)
        if found is None:
            raise ValueError(term)
        terms.append((float(found[1] or 1), int(found[2])))
    whole, first = sum(weight for weight, _ in terms), terms[0][1]
    steps = (first - origin + NUM_SEEDS // 2) % NUM_SEEDS - NUM_SEEDS // 2
    row = (steps + ROW // 2) // ROW
    x, y = float(steps - ROW * row), float(row)
    for weight, seed in terms:
        right, down = CORNERS[(seed - first) % NUM_SEEDS]
        x, y = x + weight / whole * right, y + weight / whole * down
    return x, y
