"""Small operations on pixel arrays that the rendering filters are made of.

A picture here is float32 in [0, 1], shape (h, w, 3); a map is (h, w). Nothing draws random numbers
itself: textures are made once from fixed seeds and shifted by what the caller rolled.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from phosphene.core.rng import Rng

Pixels = NDArray[np.floating[Any]]
Real = float | int  # the run-time checks of the tests take no int for a float
Stops = Sequence[tuple[Real, tuple[Real, Real, Real]]]
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)


def grey(x: Pixels) -> Pixels:
    """Luminance, (h, w)."""
    return x @ _LUMA


def to_bytes(x: Pixels) -> NDArray[np.uint8]:
    """Round to 0..255; values outside [0, 1] are clipped."""
    return (x * 255 + 0.5).clip(0, 255).astype(np.uint8)


def from_bytes(pixels: NDArray[np.uint8]) -> Pixels:
    """Spread 0..255 over [0, 1], float32."""
    return pixels.astype(np.float32) * np.float32(1 / 255)


def to_image(x: Pixels, mode: str | None = None) -> Image.Image:
    """Round to 8 bits, as a PIL image: L or RGB by the shape, or of the mode given."""
    image = Image.fromarray(to_bytes(x))
    return image if mode is None else Image.merge(mode, image.split())


def from_image(image: Image.Image) -> Pixels:
    """The inverse of `to_image`."""
    return from_bytes(np.asarray(image))


def blur(x: Pixels, radius: Real) -> Pixels:
    """Gaussian blur; radius (its standard deviation) in pixels."""
    return from_image(to_image(x).filter(ImageFilter.GaussianBlur(radius)))


def saturate(x: Pixels, amount: Real) -> Pixels:
    """Move away from (above 1) or towards (below 1) grey."""
    base = grey(x)[..., None]
    spread: Pixels = (base + (x - base) * np.float32(amount)).clip(0, 1)
    return spread


def contrast(x: Pixels, amount: Real, middle: Real = 0.5) -> Pixels:
    """Stretch values around `middle`."""
    stretched: Pixels = ((x - middle) * amount + middle).clip(0, 1)
    return stretched


def edges(x: Pixels) -> Pixels:
    """Strength of outlines, (h, w) in [0, 1]: the largest channel's central difference."""
    dy = np.zeros_like(x)
    dx = np.zeros_like(x)
    dy[1:-1] = x[2:] - x[:-2]
    dx[:, 1:-1] = x[:, 2:] - x[:, :-2]
    strength: Pixels = np.sqrt((dx * dx + dy * dy).max(axis=2)).clip(0, 1)
    return strength


def mix(a: Pixels, b: Pixels, share: Pixels | Real) -> Pixels:
    """`a` where share is 0, `b` where it is 1."""
    if isinstance(share, np.ndarray) and share.ndim == 2:
        share = share[..., None]
    return (a + (b - a) * share).astype(np.float32)


def outside(x: Pixels) -> Pixels:
    """Where white paper is seen from the border in a straight line, (h, w), soft-edged.

    White parts of the objects themselves are not outside.
    """
    white = x.min(axis=2) > 0.95
    seen = np.zeros_like(white)
    for axis in (0, 1):
        seen |= np.logical_and.accumulate(white, axis)
        seen |= np.flip(np.logical_and.accumulate(np.flip(white, axis), axis), axis)
    return blur(seen.astype(np.float32), 0.6 * x.shape[0] / 128)


def smoothstep(x: Pixels, low: Real, high: Real) -> Pixels:
    """0 below `low`, 1 above `high`, smooth between."""
    t: Pixels = ((x - low) / (high - low)).clip(0, 1).astype(np.float32)
    return t * t * (3 - 2 * t)


def gradient_map(tone: Pixels, stops: Stops) -> Pixels:
    """Colour a map by its value; stops are (value, colour 0..1), values rising."""
    at = np.array([stop for stop, _ in stops], dtype=np.float32)
    colours = np.array([colour for _, colour in stops], dtype=np.float32)
    channels = [np.interp(tone, at, colours[:, c]) for c in range(3)]
    return np.stack(channels, axis=2).astype(np.float32)


@lru_cache(maxsize=8)
def coordinates(size: int) -> tuple[Pixels, Pixels]:
    """Rows and columns in [-1, 1], each (size, size)."""
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    rows, columns = np.meshgrid(axis, axis, indexing="ij")
    return rows, columns


@lru_cache(maxsize=8)
def radius_map(size: int) -> Pixels:
    """Distance to the centre, 0 there and 1 in the corners."""
    rows, columns = coordinates(size)
    return np.sqrt((rows * rows + columns * columns) / 2).astype(np.float32)


@lru_cache(maxsize=64)
def _noise(size: int, scale: Real, stretch: int) -> Pixels:
    rng = Rng((2,)).fork("texture").fork(f"{scale}/{stretch}")
    field: Pixels = rng.uniform(size, size)[0].numpy()
    if scale > 0:
        tiled = np.tile(field, (3, 3))
        tiled = blur(tiled, scale)
        field = tiled[size : 2 * size, size : 2 * size]
    if stretch > 1:
        field = np.stack([np.roll(field, i, axis=1) for i in range(stretch)]).mean(axis=0)
    field = (field - field.mean()) / max(float(field.std()), 1e-6)
    return (field / 3).clip(-1, 1).astype(np.float32)


def noise(size: int, dice: Random, scale: Real = 0.0, stretch: int = 1) -> Pixels:
    """A seamless noise map in [-1, 1], mean 0, shifted by two rolls.

    Args:
        scale: Blur in pixels: the size of the grains.
        stretch: Smear along the rows in pixels: fibres, brush strokes.
    """
    shift = dice.randrange(size), dice.randrange(size)
    return np.roll(_noise(size, scale, stretch), shift, axis=(0, 1))


def warp(x: Pixels, down: Pixels, right: Pixels) -> Pixels:
    """Read each pixel from `down` rows and `right` columns further, clamped at the border."""
    size = x.shape[0]
    rows, columns = np.indices((size, size), dtype=np.float32)
    down_to = (rows + down + 0.5).clip(0, size - 1).astype(np.intp)
    right_to = (columns + right + 0.5).clip(0, size - 1).astype(np.intp)
    moved: Pixels = x[down_to, right_to]
    return moved


def _box(x: Pixels, r: int) -> Pixels:
    """Mean over the (r+1) x (r+1) window whose first corner is the pixel, edge padded."""
    padded = np.pad(x, ((r + 1, r), (r + 1, r), (0, 0)), mode="edge")
    sums = padded.cumsum(0, dtype=np.float32).cumsum(1, dtype=np.float32)
    n = r + 1
    box: Pixels = (sums[n:, n:] - sums[:-n, n:] - sums[n:, :-n] + sums[:-n, :-n]) / (n * n)
    return box


def kuwahara(x: Pixels, r: int) -> Pixels:
    """Replace each pixel by the calmest of the four windows that touch it: flat dabs, sharp rims.

    Kuwahara et al., "Processing of RI-angiocardiographic images", 1976.
    """
    size = x.shape[0]
    tone = grey(x)
    stack = np.concatenate([x, tone[..., None], (tone * tone)[..., None]], axis=2)
    means = _box(stack, r)
    corners = [means[i : i + size, j : j + size] for i in (0, r) for j in (0, r)]
    spread = np.stack([m[..., 4] - m[..., 3] ** 2 for m in corners])
    calmest = spread.argmin(axis=0)
    choices = np.stack([m[..., :3] for m in corners])
    picked: Pixels = np.take_along_axis(choices, calmest[None, ..., None], axis=0)[0]
    return picked.clip(0, 1)


@lru_cache(maxsize=64)
def cells(size: int, count: int, variant: int, jitter: Real) -> tuple[NDArray[np.intp], Pixels]:
    """A Voronoi tiling of about count x count cells.

    Returns:
        The cell of each pixel, and a map that is 0 on the borders and grows inwards, in pixels.
    """
    step = size / count
    rolled = Rng((variant,)).fork("cells").fork(count).uniform(count + 2, count + 2, 2)[0].numpy()
    lattice = np.moveaxis(np.indices((count + 2, count + 2)), 0, 2) - 1
    centres = ((lattice + 0.5 + (rolled - 0.5) * jitter) * step).reshape(-1, 2).astype(np.float32)
    pixel = np.moveaxis(np.indices((size, size)), 0, 2).astype(np.float32).reshape(-1, 2)
    labels = np.empty(len(pixel), dtype=np.intp)
    inwards = np.empty(len(pixel), dtype=np.float32)
    for start in range(0, len(pixel), 4096):
        part = pixel[start : start + 4096]
        distance = np.sqrt(((part[:, None] - centres[None]) ** 2).sum(-1))
        nearest = np.argpartition(distance, 1, axis=1)[:, :2]
        pair = np.take_along_axis(distance, nearest, 1)
        order = pair.argsort(axis=1)
        labels[start : start + 4096] = np.take_along_axis(nearest, order, 1)[:, 0]
        inwards[start : start + 4096] = np.abs(pair[:, 0] - pair[:, 1]) / 2
    return labels.reshape(size, size), inwards.reshape(size, size)


def cell_means(x: Pixels, labels: NDArray[np.intp]) -> tuple[Pixels, int]:
    """Paint every cell in its mean colour; also the number of labels."""
    flat = labels.ravel()
    count = int(flat.max()) + 1
    weight = np.bincount(flat, minlength=count).clip(1)
    means = [np.bincount(flat, x[..., c].ravel(), count) / weight for c in range(3)]
    return np.stack(means, axis=1)[labels].astype(np.float32), count


def vignette(x: Pixels, strength: Real) -> Pixels:
    """Darken towards the corners by up to `strength`."""
    return x * (1 - np.float32(strength) * radius_map(x.shape[0])[..., None] ** 2)


def turn(angle: Real, size: int) -> Pixels:
    """Position along a direction in pixels, (size, size); angle in degrees."""
    rows, columns = coordinates(size)
    radians = math.radians(angle)
    along = columns * math.cos(radians) + rows * math.sin(radians)
    return (along * (size / 2)).astype(np.float32)
