"""The map as it is seen: pictures at the crossings, and a mark that is dragged or led by keys."""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlencode

from nicegui import ui

from phosphene.studio.recipe import Walk
from phosphene.web.pages.latent_map import FARTHEST, Place, Route
from phosphene.web.pages.pieces import Image, named

REACH = 2  # crossings on each side of the middle
SIDE = 2 * REACH + 1
EDGE = 1.6  # crossings from the middle, where the map follows
EMIT_SECONDS = 0.04
STEP, LEAP = 0.1, 1.0  # crossings that an arrow key goes; with Shift
ARROWS = {"ArrowLeft": (-1, 0), "ArrowRight": (1, 0), "ArrowUp": (0, -1), "ArrowDown": (0, 1)}
# the mark follows the pointer at once; the server hears of it as often as EMIT_SECONDS lets it
DRAG = """(e) => {
  const map = e.currentTarget, box = map.getBoundingClientRect();
  if (e.type === 'pointerdown') { map.setPointerCapture(e.pointerId); map.focus(); }
  else if (e.type === 'pointermove' && !(e.buttons & 1)) return;
  const within = (v) => Math.min(1, Math.max(0, v));
  const u = within((e.clientX - box.x) / box.width), v = within((e.clientY - box.y) / box.height);
  const mark = map.querySelector('.map-mark');
  mark.style.left = 100 * u + '%'; mark.style.top = 100 * v + '%';
  const side = Number(map.dataset.side);
  emit(Number(map.dataset.x) + (u - 0.5) * side, Number(map.dataset.y) + (v - 0.5) * side);
}"""
KEYS = """(e) => {
  if (!['ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown'].includes(e.key)) return;
  e.preventDefault(); emit(e.key, e.shiftKey);
}"""


class WanderMap:
    """The map of one visit.

    Args:
        moved: Called with each new place, (x, y), in crossings.
    """

    def __init__(self, route: Route, moved: Callable[[float, float], Awaitable[None]]) -> None:
        self.route, self.moved = route, moved
        self.middle = (round(route.here.x), round(route.here.y))
        self._shown: list[str] = []
        self.map = ui.element("div").classes("latent-map")
        named(self.map, "Map: drag, or use the arrow keys; with Shift from crossing to crossing")
        self.map.props("role=application tabindex=0").props(f"data-side={SIDE}")
        with self.map:
            self.tiles = [Image().props("loading=lazy") for _ in range(SIDE * SIDE)]
            self.mark = ui.element("div").classes("map-mark").props("aria-hidden=true")
        self.map.on("pointerdown", self._dragged, js_handler=DRAG)
        self.map.on("pointermove", self._dragged, js_handler=DRAG, throttle=EMIT_SECONDS)
        self.map.on("pointerup", self._dropped, js_handler=DRAG)
        self.map.on("keydown", self._pressed, js_handler=KEYS)

    def show(self) -> None:
        """Show where the route is; the map follows to what lies near its edge."""
        here = self.route.here
        if max(abs(here.x - self.middle[0]), abs(here.y - self.middle[1])) > EDGE:
            last = FARTHEST - REACH
            x, y = (min(max(round(v), -last), last) for v in (here.x, here.y))
            self.middle = (x, y)
        left, top = self.middle[0] - REACH, self.middle[1] - REACH
        self.map.props["data-x"], self.map.props["data-y"] = self.middle
        self.mark.style(
            f"left:{100 * (here.x - left + 0.5) / SIDE:.3f}%;"
            f"top:{100 * (here.y - top + 0.5) / SIDE:.3f}%"
        )
        crossings = [(left + i % SIDE, top + i // SIDE) for i in range(SIDE * SIDE)]
        sources = [address_of(self.route.base(*crossing)) for crossing in crossings]
        if sources != self._shown:
            self._shown = sources
            for tile, source in zip(self.tiles, sources, strict=True):
                tile.show(source)

    async def _dragged(self, event: Any) -> None:
        x, y = event.args
        await self.moved(float(x), float(y))

    async def _dropped(self, event: Any) -> None:
        x, y = event.args
        self.route.here = self.route.here.at(float(x), float(y))
        self.show()
        await self.moved(float(x), float(y))

    async def _pressed(self, event: Any) -> None:
        key, is_leap = event.args
        self.route.here = stepped(self.route.here, str(key), bool(is_leap))
        self.show()
        await self.moved(self.route.here.x, self.route.here.y)


def stepped(place: Place, key: str, is_leap: bool) -> Place:
    """Where an arrow key leads: a tenth of the way to the next crossing; in a leap, onto it."""
    right, down = ARROWS.get(key, (0, 0))
    if not is_leap:
        return place.at(place.x + STEP * right, place.y + STEP * down)
    return place.at(round(place.x) + LEAP * right, round(place.y) + LEAP * down)


def address_of(recipe: Walk) -> str:
    """Where the picture of a place is painted at once."""
    query = {"model": recipe.model, "seed": recipe.seed, "path": recipe.path}
    return f"/wander.png?{urlencode(query)}"
