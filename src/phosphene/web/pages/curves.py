"""Numbers of a training over its steps, each as a small curve of its own: plain SVG."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import fmean

from nicegui import ui

from phosphene.web.pages.pieces import named

Points = Sequence[tuple[int, float]]
"""Steps and values, in the order of steps."""

NUM_DRAWN = 160  # points of a curve, at most
WIDTH, HEIGHT = 320, 90


def thinned(points: Points, number: int = NUM_DRAWN) -> list[tuple[float, float]]:
    """At most so many points: each the mean of a stretch of equal length."""
    if len(points) <= number:
        return [(float(step), value) for step, value in points]
    edges = [round(i * len(points) / number) for i in range(number + 1)]
    parts = [points[start:stop] for start, stop in pairwise(edges)]
    return [(fmean(step for step, _ in part), fmean(value for _, value in part)) for part in parts]


def outline(points: Points) -> str:
    """The curve as the `points` of a polyline, from corner to corner of the field."""
    drawn = thinned(points)
    if not drawn:
        return ""
    steps, values = [p[0] for p in drawn], [p[1] for p in drawn]
    across, up = (steps[-1] - steps[0]) or 1.0, (max(values) - min(values)) or 1.0
    flat = max(values) == min(values)  # lies in the middle
    return " ".join(
        f"{(step - steps[0]) / across * WIDTH:.1f},"
        f"{HEIGHT * (0.5 if flat else 1 - (value - min(values)) / up):.1f}"
        for step, value in drawn
    )


class Curve:
    """One number: its name, what it is now, how it came there."""

    def __init__(self, name: str) -> None:
        self.name = name
        with ui.element("figure").classes("curve panel") as self.figure:
            with ui.element("figcaption"):
                ui.label(name)
                self.now = ui.label().classes("now")
            box = f"0 -3 {WIDTH} {HEIGHT + 6}"
            drawing = ui.element("svg").props(f'viewBox="{box}" preserveAspectRatio=none')
            with drawing.props("aria-hidden=true"):
                self.line = ui.element("polyline").props("points fill=none")
                self.line.props("vector-effect=non-scaling-stroke")
            with ui.element("div").classes("range quiet"):
                self.low, self.steps, self.high = ui.label(), ui.label(), ui.label()

    def show(self, points: Points) -> None:
        """Draw it anew."""
        values = [value for _, value in points]
        first, last = points[0][0], points[-1][0]
        self.now.text = number_of(values[-1])
        self.low.text = f"min {number_of(min(values))}"
        self.high.text = f"max {number_of(max(values))}"
        self.steps.text = f"steps {first} to {last}"
        self.line.props["points"] = outline(points)
        named(
            self.figure,
            f"{self.name}: {number_of(values[0])} at step {first}, "
            f"{number_of(values[-1])} at step {last}",
        )
        self.figure.props["role"] = "img"


class Curves:
    """All of them, in the order in which they first came."""

    def __init__(self) -> None:
        self.place = ui.element("div").classes("curves")
        self._curves: dict[str, Curve] = {}

    def show(self, series: Mapping[str, Points]) -> None:
        """Draw each; those that are not there any more go."""
        for name in self._curves.keys() - series.keys():
            self._curves.pop(name).figure.delete()
        for name, points in series.items():
            if name not in self._curves:
                with self.place:
                    self._curves[name] = Curve(name)
            self._curves[name].show(points)


def number_of(value: float) -> str:
    """A number in few characters."""
    return f"{value:.3g}"
