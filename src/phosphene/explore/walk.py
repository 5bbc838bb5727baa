"""A path carried out: which latent, classes, psi and layer noise there are at a time.

Knows no model: an `Atlas` says what seeds and names mean on one.
"""

import bisect
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.core.errors import Unsupported
from phosphene.core.latent import Condition, Latent, Space
from phosphene.core.protocols import Styled
from phosphene.explore import geometry
from phosphene.explore.paths import EASINGS, Mix, Path, Term, Track, is_picture, layers_of

PLAIN = ("z", "class", "move")  # tracks that need no styles
ROUND = ("z", "noise")  # draws from a normal distribution, which live on a shell

LayerNoise = tuple[Float[Tensor, "1 ..."], ...]


@runtime_checkable
class Atlas(Protocol):
    """What the names of a path mean on a model; each answer is a batch of one."""

    def z(self, seed: int) -> Float[Tensor, "1 ..."]: ...

    def classes(self, name: str) -> Float[Tensor, "1 num_classes"]: ...

    def layer_noise(self, seed: int) -> LayerNoise: ...


@runtime_checkable
class Album(Atlas, Protocol):
    """An atlas that also knows pictures by their paths."""

    def found(self, picture: str, space: Space) -> Float[Tensor, "1 ..."]:
        """What a picture was painted from, in z or w_plus."""
        ...


@runtime_checkable
class Guide(Atlas, Protocol):
    """An atlas that also knows directions by their names."""

    def direction(self, name: str, condition: Condition | None) -> Float[Tensor, "1 d"]:
        """One standard deviation along a direction: in w of models with styles, else in z."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """Where a walk is at one time.

    Args:
        latent: In z; in w+ where the path moves styles or psi. A batch of one.
        condition: None where no class is named.
        layer_noise: None where the path does not say.
    """

    latent: Latent
    condition: Condition | None
    layer_noise: LayerNoise | None


class Walk:
    """A path on a model.

    Args:
        seed: Of z and of the start, where the path does not move them.
        condition: Classes, where the path does not move them; a batch of one.
        styled: The model, if it has styles.
    Raises:
        Unsupported: the path moves styles, psi or layer noise of a model without styles.
        RecipeError: a class or layers that the model lacks.
    """

    def __init__(
        self,
        path: Path,
        atlas: Atlas,
        *,
        seed: int = 0,
        condition: Condition | None = None,
        styled: Styled | None = None,
    ) -> None:
        self.path, self.atlas, self.seed = path, atlas, seed
        self.condition, self.styled = condition, styled
        for name in path.tracks:
            if name not in PLAIN and styled is None:
                raise Unsupported(
                    f"the path moves {name}, but this model has no styles; "
                    "leave it out, or take a StyleGAN"
                )
        self._times = {name: track.times(path.loop) for name, track in path.tracks.items()}
        self._values: dict[str, list[Sequence[Tensor]]] = {}
        for name in self._order():
            self._values[name] = self._resolved(name)
        self._layers = {
            name: geometry.style_layers(layers, styled.num_ws)
            for name in path.tracks
            if (layers := layers_of(name)) is not None and styled is not None
        }

    def at(self, time: float) -> Moment:
        """The moment at a time from 0 to 1; a loop is at 1 where it was at 0, exactly."""
        time = time % 1.0 if self.path.loop else time
        condition = self._condition(time)
        noise = self._moved("noise", time)
        latent = Latent(Space.Z, self._z(time))
        if self.styled is None:
            latent = latent.with_data(self._shifted(latent.data, time))
        elif any(name not in ("z", "class", "noise") for name in self.path.tracks):
            latent = self._styles(latent, condition, time)
        return Moment(latent, condition, tuple(noise) if noise else None)

    def _order(self) -> list[str]:
        # styles depend on the class that is shown at their time
        return sorted(self.path.tracks, key=lambda name: name != "class")

    def _z(self, time: float) -> Tensor:
        moved = self._moved("z", time)
        return moved[0] if moved else self.atlas.z(self.seed)

    def _condition(self, time: float) -> Condition | None:
        moved = self._moved("class", time)
        return Condition(classes=moved[0]) if moved else self.condition

    def _styles(self, z: Latent, condition: Condition | None, time: float) -> Latent:
        assert self.styled is not None
        base = self._moved("w", time)
        ws = base[0] if base else self.styled.map(z, condition).data
        for name, layers in self._layers.items():
            ws = geometry.mix_styles(ws, self._moved(name, time)[0], layers)
        ws = self._shifted(ws, time)
        psi = self._moved("psi", time)
        if psi:
            # a curve may swing below 0
            ws = geometry.truncate_psi(ws, self.styled.w_avg, max(0.0, float(psi[0])))
        return Latent(Space.W_PLUS, ws)

    def _shifted(self, latents: Tensor, time: float) -> Tensor:
        """Latents, moved along directions where the path says so; of w+ in all layers."""
        shift = self._moved("move", time)
        if not shift:
            return latents
        move = shift[0].to(latents.device)
        if self.styled is None:
            move = move.reshape(latents.shape)
        return (latents.double() + move).to(latents.dtype)

    def _resolved(self, name: str) -> list[Sequence[Tensor]]:
        """The tensors of each stop; a loop gets the first once more."""
        track = self.path.tracks[name]
        values = [
            self._value(name, stop.value, time)
            for stop, time in zip(track.stops, self._times[name], strict=False)
        ]
        if len(self._times[name]) > len(values):
            values.append(values[0] if self.path.loop else values[-1])
        return values

    def _value(self, name: str, mix: Mix, time: float) -> Sequence[Tensor]:
        if name == "noise":
            return self.atlas.layer_noise(int(mix.terms[0].name))
        if name == "psi":
            return [torch.tensor([[mix.number]], dtype=torch.float64)]
        return [_sum([term.weight * self._term(name, term, time) for term in mix.terms])]

    def _term(self, name: str, term: Term, time: float) -> Tensor:
        if name == "class":
            return self.atlas.classes(term.name)
        if name == "move":
            if not isinstance(self.atlas, Guide):
                raise Unsupported(f"{term.name[:60]!r}: this walk knows seeds, no directions")
            return self.atlas.direction(term.name, self._condition(0.0)).double()
        if term.function:
            return self._function(term, time)
        if is_picture(term.name):
            if not isinstance(self.atlas, Album):
                raise Unsupported(f"{term.name[:60]!r}: this walk knows seeds, no pictures")
            return self.atlas.found(term.name, Space.Z if name == "z" else Space.W_PLUS)
        z = self.atlas.z(int(term.name))
        if name == "z":
            return z
        assert self.styled is not None
        return self.styled.map(Latent(Space.Z, z), self._condition(time)).data

    def _function(self, term: Term, time: float) -> Tensor:
        inner = [self._value("z", argument, time)[0] for argument in term.arguments]
        match term.function:
            case "sin":
                return torch.sin(inner[0])
            case "unit":
                return geometry.unit(inner[0])
            case _:
                return geometry.across(inner[0], inner[1])

    def _moved(self, name: str, time: float) -> list[Tensor]:
        """The tensors of a track at a time; none where the path has no such track."""
        if name not in self.path.tracks:
            return []
        track, times, values = self.path.tracks[name], self._times[name], self._values[name]
        if self.path.loop:
            # the loop's own time begins with its first stop
            time = times[0] + (time - times[0]) % 1.0
        index = bisect.bisect_right(times, time) - 1
        if index < 0 or len(values) == 1:
            return list(values[0])
        if index >= len(values) - 1:
            return list(values[-1])
        share = (time - times[index]) / (times[index + 1] - times[index])
        eased = EASINGS[track.ease](share)
        return [
            self._between(name, track, index, part, eased) for part in range(len(values[index]))
        ]

    def _between(self, name: str, track: Track, index: int, part: int, t: float) -> Tensor:
        values = [value[part] for value in self._values[name]]
        a, b = values[index], values[index + 1]
        way = track.way or ("arc" if name in ROUND else "line")
        if way == "line":
            return geometry.lerp(a, b, t)
        if way == "arc":
            return geometry.slerp(a, b, t)
        curve = geometry.spherical_cubic if name in ROUND else geometry.cubic
        before, after, spans = self._neighbours(name, values, index)
        return curve(before, a, b, after, t, spans)

    def _neighbours(
        self, name: str, values: list[Tensor], index: int
    ) -> tuple[Tensor, Tensor, geometry.Spans]:
        """The stops around a span, and the times; at an end the curve goes on as it came."""
        on = geometry.slerp if name in ROUND else geometry.lerp
        times = self._times[name]
        spans = [later - earlier for earlier, later in itertools.pairwise(times)]
        a, b, span = values[index], values[index + 1], spans[index]
        before, after, earlier, later = on(a, b, -1.0), on(a, b, 2.0), span, span
        if index > 0:
            before, earlier = values[index - 1], spans[index - 1]
        elif self.path.loop:
            before, earlier = values[-2], spans[-1]
        if index + 2 < len(values):
            after, later = values[index + 2], spans[index + 1]
        elif self.path.loop:
            after, later = values[1], spans[0]
        return before, after, (earlier, span, later)


def _sum(parts: list[Tensor]) -> Tensor:
    """The sum of tensors of one shape."""
    return torch.stack(parts).sum(0)
