"""Geometry of latent spaces: interpolate, truncate, mix. Knows no model.

z and layer noise are draws from N(0, I), whose length is nearly always sqrt(d): they are
interpolated along arcs (`slerp`, `spherical_cubic`). w has no such shell and no preferred origin:
it is interpolated along lines (`lerp`, `cubic`). All of it computes in float64 and returns the
type that came in, so that a path does not depend on how it was batched.
"""

import itertools
import math

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.core.errors import LatentMismatch, RecipeError
from phosphene.core.rng import Rng

Points = Float[Tensor, "b *d"]
Others = Float[Tensor, "_ ..."]  # of the same shape, or LatentMismatch
Styles = Float[Tensor, "b num_ws w_dim"]
Spans = tuple[float, float, float]

HF_THRESHOLD = 2.0  # where transformers' BigGANs cut the normal before scaling it
# StyleGAN (Karras et al. 2019, figure 3): styles of 4²-8², of 16²-32², of 64² and above
STYLE_NAMES = {"coarse": (0, 4), "middle": (4, 8), "fine": (8, None), "all": (0, None)}


def lerp(a: Points, b: Others, t: float) -> Points:
    """Interpolate along the line, `(1 - t) a + t b`; exact at t = 0 and t = 1."""
    _demand_same_shape(a, b)
    if t in (0, 1):
        return (b if t else a).clone()
    return ((1 - t) * a.double() + t * b.double()).to(a.dtype)


def slerp(a: Points, b: Others, t: float) -> Points:
    """Interpolate along the arc; each sample's axes count as one vector.

    Directions move along the great circle, `sin((1-t) θ)/sin(θ) a + sin(t θ)/sin(θ) b`; lengths
    change linearly. Opposite directions, which have no single arc, take a fixed one; a vector of
    length 0 borrows the other's direction. Beyond 0 and 1 the circle goes on, the length stays.
    Shoemake 1985, "Animating rotation with quaternion curves", section 3.3.
    """
    _demand_same_shape(a, b)
    if t in (0, 1):
        return (b if t else a).clone()
    (u, length_u), (v, length_v) = _polar(a), _polar(b)
    u, v = torch.where(length_u > 0, u, v), torch.where(length_v > 0, v, u)
    share = min(1.0, max(0.0, t))
    length = (1 - share) * length_u + share * length_v
    return (_turn(u, _log(u, v) * t) * length).reshape(a.shape).to(a.dtype)


def cubic(
    before: Others, a: Points, b: Others, after: Others, t: float, spans: Spans = (1, 1, 1)
) -> Points:
    """Interpolate from a to b on a curve without corners (Catmull-Rom for equal spans).

    The velocity at a keyframe is that of the parabola through it and its neighbours, so points of
    a parabola give that parabola.

    Args:
        before: The keyframe before a; for none, a itself.
        after: The keyframe after b; for none, b itself.
        t: From 0 at a to 1 at b.
        spans: Times from `before` to a, from a to b, from b to `after`, all above 0.
    """
    for other in (before, b, after):
        _demand_same_shape(a, other)
    if t in (0, 1):
        return (b if t else a).clone()
    p0, p1, p2, p3 = (point.double() for point in (before, a, b, after))
    h0, h, h2 = spans
    m1 = h * _velocity((p1 - p0) / h0, (p2 - p1) / h, h0, h)
    m2 = h * _velocity((p2 - p1) / h, (p3 - p2) / h2, h, h2)
    # cubic Hermite basis
    h1, h2 = (1 + 2 * t) * (1 - t) ** 2, t**2 * (3 - 2 * t)
    k1, k2 = t * (1 - t) ** 2, t**2 * (t - 1)
    return (h1 * p1 + k1 * m1 + h2 * p2 + k2 * m2).to(a.dtype)


def spherical_cubic(
    before: Others, a: Points, b: Others, after: Others, t: float, spans: Spans = (1, 1, 1)
) -> Points:
    """`cubic` for z and noise: directions on the sphere without corners, lengths by `cubic`.

    A Bézier curve of great circles (de Casteljau's construction with slerp) whose velocities at
    the keyframes are those of `cubic` in the tangent space there, but at most three times the
    slower neighbour's: then no control point lies beyond the far side of the sphere.
    """
    for other in (before, b, after):
        _demand_same_shape(a, other)
    if t in (0, 1):
        return (b if t else a).clone()
    (p0, n0), (p1, n1), (p2, n2), (p3, n3) = (_polar(point) for point in (before, a, b, after))
    p1, p2 = torch.where(n1 > 0, p1, p2), torch.where(n2 > 0, p2, p1)
    p0, p3 = torch.where(n0 > 0, p0, p1), torch.where(n3 > 0, p3, p2)
    h0, h1, h2 = spans
    leave = _capped(_log(p1, p0), _log(p1, p2), h0, h1)
    arrive = _capped(_log(p2, p1), _log(p2, p3), h1, h2)
    points = [p1, _turn(p1, leave * h1 / 3), _turn(p2, -arrive * h1 / 3), p2]
    while len(points) > 1:
        points = [_turn(u, _log(u, v) * t) for u, v in itertools.pairwise(points)]
    length = cubic(n0, n1, n2, n3, t, spans).clamp_min(0)
    return (points[0] * length).reshape(a.shape).to(a.dtype)


def across(a: Points, b: Others) -> Points:
    """The part of a that is perpendicular to b, at b's length: where a quarter turn from b leads.

    A fixed perpendicular direction where a has no such part.
    """
    _demand_same_shape(a, b)
    (u, length), (v, _) = _polar(b), _polar(a)
    return (_perpendicular(u, v) * length).reshape(a.shape).to(a.dtype)


def unit(a: Points) -> Points:
    """`a / |a|`, each sample's axes as one vector; the zero vector stays."""
    return _polar(a)[0].reshape(a.shape).to(a.dtype)


def truncate_psi(
    w: Points, w_avg: Float[Tensor, " w_dim"], psi: float, cutoff: int | None = None
) -> Points:
    """The truncation trick in w: `w_avg + psi (w - w_avg)`; 1 changes nothing, 0 gives the mean.

    Karras et al. 2019, "A Style-Based Generator Architecture for GANs", appendix B.

    Args:
        w: b w_dim, or b num_ws w_dim.
        psi: 0 or above; above 1 exaggerates.
        cutoff: Truncate the first so many styles only; None truncates all.
    Raises:
        RecipeError: psi below 0 or not finite, a cutoff below 0 or without layers to count.
        LatentMismatch: w and w_avg of different models.
    """
    if not (math.isfinite(psi) and psi >= 0):
        raise RecipeError(f"psi is {psi}; use 0 (the mean picture) to 1 (no truncation), or above")
    if w.ndim not in (2, 3) or w.shape[-1] != len(w_avg):
        raise LatentMismatch(
            f"styles of shape {list(w.shape)} do not fit a mean style of {len(w_avg)}; "
            "take both from the same model"
        )
    if cutoff is not None and (cutoff < 0 or w.ndim != 3):
        raise RecipeError(f"cutoff is {cutoff}; it counts styles of w+, from 0")
    mean = w_avg.to(w)
    truncated = w if psi == 1 else mean + psi * (w - mean)
    if cutoff is None or cutoff >= w.shape[1]:
        return truncated
    return torch.cat([truncated[:, :cutoff], w[:, cutoff:]], dim=1)


def resample_threshold(rng: Rng, threshold: float, *shape: int) -> Points:
    """Draw z ~ N(0, I) with each component drawn again until `|z_i| <= threshold`.

    What is inside the threshold is the draw of `rng.normal`, so a wider threshold only adds. What
    is outside is drawn a second time, at once from the law that repeated draws end in, by its
    inverse `sqrt(2) erfinv(v erf(t / sqrt(2)))`, v uniform in [-1, 1]: exact at any threshold.
    Brock et al. 2019, "Large Scale GAN Training for High Fidelity Natural Image Synthesis", 3.1.

    Args:
        threshold: Above 0; infinity changes nothing.
    Raises:
        RecipeError: a threshold that is not above 0.
    """
    if not threshold > 0:
        raise RecipeError(f"truncation_threshold is {threshold}; use a number above 0, such as 1")
    z = rng.normal(*shape)
    if math.isinf(threshold):
        return z
    v = rng.fork("again").uniform(*shape, low=-1.0).double()
    again = math.sqrt(2) * torch.erfinv(v * math.erf(threshold / math.sqrt(2)))
    # float32 must not round past the threshold
    edge = torch.tensor(threshold, dtype=z.dtype)
    if float(edge) > threshold:
        edge = torch.nextafter(edge, torch.zeros_like(edge))
    return torch.where(z.abs() <= edge, z, again.to(z).clamp(-edge, edge))


def scaled_truncated_normal(rng: Rng, truncation: float, *shape: int) -> Points:
    """The `truncation` of transformers' BigGANs: a normal truncated at 2, then scaled.

    Not the paper's truncation, which is `resample_threshold`.

    Args:
        truncation: From 0 to 1.
    Raises:
        RecipeError: out of range.
    """
    if not 0 <= truncation <= 1:
        raise RecipeError(f"truncation is {truncation}; use 0 to 1")
    return truncation * resample_threshold(rng, HF_THRESHOLD, *shape)


def style_layers(name: str, num_ws: int) -> range:
    """Read a range of styles: coarse (4²-8²), middle (16²-32²), fine (64² and above), all,
    `5` or `2-5`, both ends included, counted from 0.

    Raises:
        RecipeError: none of these, or outside of what the model has.
    """
    text = name.strip().lower()
    first, dash, last = text.partition("-")
    if text in STYLE_NAMES:
        start, stop = STYLE_NAMES[text]
        stop = num_ws if stop is None else min(stop, num_ws)
    elif _is_count(first) and (not dash or _is_count(last)):
        start, stop = int(first), int(last if dash else first) + 1
        stop = stop if stop <= num_ws else start
    else:
        raise RecipeError(
            f"no styles {name[:40]!r}; use {', '.join(STYLE_NAMES)}, or numbers such as 0-3"
        )
    if start >= stop:
        raise RecipeError(f"no styles {name[:40]!r}; this model has {num_ws}, 0 to {num_ws - 1}")
    return range(start, stop)


def mix_styles(a: Styles, b: Others, layers: range) -> Styles:
    """Style mixing: a's styles, but b's in `layers`. Karras et al. 2019, section 3.1.

    Raises:
        LatentMismatch: w+ of different models.
    """
    _demand_same_shape(a, b)
    mixed = a.clone()
    mixed[:, layers.start : layers.stop] = b[:, layers.start : layers.stop].to(a)
    return mixed


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10


def _demand_same_shape(a: Tensor, b: Tensor) -> None:
    if a.shape != b.shape:
        raise LatentMismatch(
            f"latents of shapes {list(a.shape)} and {list(b.shape)} do not belong together; "
            "take both from the same model"
        )


def _polar(points: Tensor) -> tuple[Tensor, Tensor]:
    """Directions (unit, or zero) and lengths, b n and b 1, in float64."""
    flat = points.double().flatten(1)
    length = torch.linalg.vector_norm(flat, dim=1, keepdim=True)
    return torch.where(length > 0, flat / length, flat), length


def _log(u: Tensor, v: Tensor) -> Tensor:
    """The tangent at u that leads to v along the arc; its length is the angle."""
    # Kahan's angle, accurate where arccos is not
    chord = torch.linalg.vector_norm(u - v, dim=1, keepdim=True)
    other = torch.linalg.vector_norm(u + v, dim=1, keepdim=True)
    return 2 * torch.atan2(chord, other) * _perpendicular(u, v)


def _turn(u: Tensor, tangent: Tensor) -> Tensor:
    """Follow the great circle from u: the inverse of `_log`."""
    angle = torch.linalg.vector_norm(tangent, dim=1, keepdim=True)
    # sinc, so that no tangent at all is no division by zero
    return u * torch.cos(angle) + tangent * torch.sinc(angle / math.pi)


def _perpendicular(u: Tensor, v: Tensor) -> Tensor:
    """Unit vector of v's part perpendicular to the unit vector u; a fixed one where v has none."""
    part = _reject(v, u)
    # the axis that u points along least is never parallel to it
    axis = torch.zeros_like(u).scatter_(1, u.abs().argmin(1, keepdim=True), 1.0)
    fixed = _reject(axis, u)
    size = torch.linalg.vector_norm(part, dim=1, keepdim=True)
    chosen = torch.where(size > 1e-12, part, fixed)
    length = torch.linalg.vector_norm(chosen, dim=1, keepdim=True)
    return torch.where(length > 0, chosen / length, torch.zeros_like(chosen))


def _reject(v: Tensor, u: Tensor) -> Tensor:
    # twice, because once leaves rounding where v is nearly parallel to u
    for _ in range(2):
        v = v - (v * u).sum(1, keepdim=True) * u
    return v


def _velocity(before: Tensor, after: Tensor, span: float, next_span: float) -> Tensor:
    """Velocity at a keyframe, of the parabola with the mean velocities before and after it."""
    return (before * next_span + after * span) / (span + next_span)


def _capped(back: Tensor, there: Tensor, span: float, next_span: float) -> Tensor:
    """`_velocity` from tangents to both neighbours, at most three times the slower of the two."""
    before, after = -back / span, there / next_span
    velocity = _velocity(before, after, span, next_span)
    slow, speed = (
        torch.linalg.vector_norm(rate, dim=1, keepdim=True)
        for rate in (torch.where(_longer(before, after), after, before), velocity)
    )
    return torch.where(speed > 3 * slow, velocity * (3 * slow / speed), velocity)


def _longer(a: Tensor, b: Tensor) -> Tensor:
    return (a * a).sum(1, keepdim=True) > (b * b).sum(1, keepdim=True)
