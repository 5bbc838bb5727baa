"""Augmentations before a discriminator, so that it cannot learn few pictures by heart.

Both see real and painted pictures alike, and are differentiable, so that the generator learns
through them. Source: Zhao et al. 2020, "Differentiable Augmentation for Data-Efficient GAN
Training"; Karras et al. 2020, "Training Generative Adversarial Networks with Limited Data" (ADA).
"""

import math
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from phosphene.core.errors import RecipeError
from phosphene.core.images import Images
from phosphene.core.rng import Rng

POLICIES = ("color", "translation", "cutout")
SHIFT_SHARE = 1 / 8  # DiffAugment's largest shift, of a side
CUTOUT_SHARE = 1 / 2
ADA_BATCHES = 4  # batches between two corrections of p

Homogeneous = Float[Tensor, "b 3 3"]


class NoAugment:
    """Changes nothing."""

    strength = 0.0

    def __call__(self, images: Images, rng: Rng) -> Images:
        return images

    def observe(self, real_sign: float, count: int) -> None: ...

    def state(self) -> dict[str, Any]:
        return {}

    def load_state(self, state: Mapping[str, Any]) -> None: ...


class DiffAugment(NoAugment):
    """Every picture is changed, each in its own way: colour, shift, a missing square.

    Args:
        policy: Which of color, translation, cutout, separated by commas.
    Raises:
        RecipeError: an unknown name in the policy.
    """

    strength = 1.0

    def __init__(self, policy: str = "color,translation,cutout") -> None:
        self.policy = tuple(name.strip() for name in policy.split(",") if name.strip())
        for name in self.policy:
            if name not in POLICIES:
                raise RecipeError(
                    f"unknown augmentation {name[:40]!r}; use some of {', '.join(POLICIES)}"
                )

    def __call__(self, images: Images, rng: Rng) -> Images:
        """Augment each sample by draws of its own from `rng`, which has one seed."""
        if "color" in self.policy:
            images = _jitter(images, rng.fork("color"))
        if "translation" in self.policy:
            images = _shift(images, rng.fork("translation"))
        if "cutout" in self.policy:
            images = _cut(images, rng.fork("cutout"))
        return images


class AdaptiveAugment(NoAugment):
    """Each transformation is applied with a probability p that follows how much D overfits.

    p rises while r_t = E[sign D(real)] is above the target, and falls below it (equation 1). The
    pipeline is the paper's "bgc": flips and turns, geometry, colour (appendix B); pictures are
    resampled bilinearly, without its wavelet filter.

    Args:
        target: Of r_t.
        kimg: Thousands of pictures in which p can rise from 0 to 1.
    """

    def __init__(self, target: float = 0.6, kimg: float = 500.0) -> None:
        self.target, self.kimg = target, kimg
        self.strength = 0.0
        self._signs = self._count = self._batches = 0.0

    def observe(self, real_sign: float, count: int) -> None:
        """Note the mean sign of the logits of `count` real pictures; corrects p now and then."""
        self._signs += real_sign * count
        self._count += count
        self._batches += 1
        if self._batches < ADA_BATCHES:
            return
        step = self._count / (self.kimg * 1000)
        above = self._signs / self._count > self.target
        self.strength = min(1.0, max(0.0, self.strength + (step if above else -step)))
        self._signs = self._count = self._batches = 0.0

    def __call__(self, images: Images, rng: Rng) -> Images:
        """Augment each sample by draws of its own from `rng`, which has one seed."""
        if self.strength == 0:
            return images
        images = _warp(images, *_geometry(images, self.strength, rng.fork("geometry")))
        if images.shape[1] == 1:
            return images
        colour, touched = _colour(len(images), self.strength, rng.fork("colour"))
        painted = torch.einsum("bij,bjhw->bihw", colour[:, :3, :3], images[:, :3])
        painted = painted + colour[:, :3, 3, None, None]
        changed = torch.cat([painted, images[:, 3:]], dim=1)
        return torch.where(touched[:, None, None, None], changed, images)

    def state(self) -> dict[str, Any]:
        """The strength, and what was observed since it was last corrected."""
        observed = [self._signs, self._count, self._batches]
        return {"strength": self.strength, "observed": observed}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Continue from `state()`."""
        self.strength = float(state["strength"])
        self._signs, self._count, self._batches = state["observed"]


def _jitter(images: Images, rng: Rng) -> Images:
    """Brightness by -0.5 to 0.5, saturation by 0 to 2, contrast by 0.5 to 1.5; alpha stays."""
    b, alpha = len(images), images[:, 3:]
    light, vivid, hard = (u.view(-1, 1, 1, 1) for u in rng.uniform(3, b, samples=1)[0])
    x = images[:, :3] + (light - 0.5)
    grey = x.mean(dim=1, keepdim=True)
    x = (x - grey) * (2 * vivid) + grey if x.shape[1] == 3 else x
    mean = x.mean(dim=(1, 2, 3), keepdim=True)
    x = (x - mean) * (hard + 0.5) + mean
    return torch.cat([x, alpha], dim=1)


def _shift(images: Images, rng: Rng) -> Images:
    """Move by up to an eighth of the sides; what comes in is zero."""
    b, _, h, w = images.shape
    taken = []
    for axis, side in (("y", h), ("x", w)):
        most = int(side * SHIFT_SHARE + 0.5)
        by = rng.fork(axis).integers(b, high=2 * most + 1)[0] - most
        taken.append((torch.arange(side)[None] + by[:, None] + 1).clamp(0, side + 1))
    rows, columns = taken
    padded = F.pad(images, (1, 1, 1, 1)).permute(0, 2, 3, 1)
    moved = padded[torch.arange(b)[:, None, None], rows[:, :, None], columns[:, None, :]]
    return moved.permute(0, 3, 1, 2).contiguous()


def _cut(images: Images, rng: Rng) -> Images:
    """Blank a rectangle of half the sides, which may lie partly outside."""
    b, _, h, w = images.shape
    hidden = []
    for axis, side in (("y", h), ("x", w)):
        size = int(side * CUTOUT_SHARE + 0.5)
        start = rng.fork(axis).integers(b, high=side + (1 - size % 2))[0] - size // 2
        place = torch.arange(side)[None] - start[:, None]
        hidden.append((place >= 0) & (place < size))
    rows, columns = hidden
    gone = rows[:, None, :, None] & columns[:, None, None, :]
    return images.masked_fill(gone, 0.0)


def _chosen(rng: Rng, count: int, prob: float) -> Bool[Tensor, " b"]:
    chosen: Tensor = rng.fork("chosen").uniform(count)[0] < prob
    return chosen


def _geometry(images: Images, p: float, rng: Rng) -> tuple[Homogeneous, Bool[Tensor, " b"]]:
    """Maps from places in the new picture (px from its centre) to the old, and who is changed."""
    b, _, h, w = images.shape
    total = torch.eye(3).repeat(b, 1, 1)
    touched = torch.zeros(b, dtype=torch.bool)

    def apply(name: str, matrix: Tensor, prob: float = p) -> None:
        nonlocal total, touched
        chosen = _chosen(rng.fork(name), b, prob)
        total = torch.where(chosen[:, None, None], total @ matrix, total)
        touched = touched | chosen

    ones = torch.ones(b)
    apply("flip", _scaled(1 - 2 * rng.fork("flip").integers(b, high=2)[0].float(), ones))
    # a quarter turn of a picture that is not square would not fit its frame
    turns, angle = (4, math.pi / 2) if h == w else (2, math.pi)
    apply("turn", _turned(rng.fork("turn").integers(b, high=turns)[0] * angle))
    x, y = rng.fork("step").uniform(2, b, low=-0.125, high=0.125, samples=1)[0]
    apply("step", _moved((x * w).round(), (y * h).round()))
    size = torch.exp2(0.2 * rng.fork("size").normal(b)[0])
    apply("size", _scaled(size, size))
    # a turn before and one after the stretch: together as likely as one of the others
    either = 1 - math.sqrt(1 - p)
    apply("rotate", _turned(rng.fork("rotate").uniform(b, low=-math.pi, high=math.pi)[0]), either)
    stretch = torch.exp2(0.2 * rng.fork("stretch").normal(b)[0])
    apply("stretch", _scaled(stretch, 1 / stretch))
    apply("again", _turned(rng.fork("again").uniform(b, low=-math.pi, high=math.pi)[0]), either)
    x, y = 0.125 * rng.fork("move").normal(2, b, samples=1)[0]
    apply("move", _moved(x * w, y * h))
    return total, touched


def _warp(images: Images, matrix: Homogeneous, touched: Bool[Tensor, " b"]) -> Images:
    if not bool(touched.any()):
        return images
    _, _, h, w = images.shape
    # px from the centre to the grid of `grid_sample`, whose sides run from -1 to 1
    frame = torch.tensor([w / 2, h / 2, 1.0])
    theta = (matrix * frame[None, None, :] / frame[None, :, None])[:, :2]
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    warped = F.grid_sample(
        images.float(), grid, mode="bilinear", padding_mode="reflection", align_corners=False
    )
    return torch.where(touched[:, None, None, None], warped, images)


def _colour(count: int, p: float, rng: Rng) -> tuple[Float[Tensor, "b 4 4"], Bool[Tensor, " b"]]:
    """Affine maps of RGB, and who is changed."""
    total = torch.eye(4).repeat(count, 1, 1)
    touched = torch.zeros(count, dtype=torch.bool)
    grey = torch.tensor([1.0, 1.0, 1.0, 0.0]) / math.sqrt(3)
    onto = torch.outer(grey, grey)

    def apply(name: str, matrix: Tensor) -> None:
        nonlocal total, touched
        chosen = _chosen(rng.fork(name), count, p)
        total = torch.where(chosen[:, None, None], matrix @ total, total)
        touched = touched | chosen

    light = torch.eye(4).repeat(count, 1, 1)
    light[:, :3, 3] = 0.2 * rng.fork("light").normal(count)[0][:, None]
    apply("light", light)
    hard = torch.exp2(0.5 * rng.fork("hard").normal(count)[0])
    apply("hard", torch.diag_embed(torch.stack([hard, hard, hard, torch.ones(count)], dim=1)))
    flips = rng.fork("negative").integers(count, high=2)[0].float()
    apply("negative", torch.eye(4) - 2 * onto * flips[:, None, None])
    apply("hue", _hue(rng.fork("hue").uniform(count, low=-math.pi, high=math.pi)[0]))
    vivid = torch.exp2(rng.fork("vivid").normal(count)[0])[:, None, None]
    alone = torch.diag(torch.tensor([0.0, 0.0, 0.0, 1.0]))
    apply("vivid", onto + alone + (torch.eye(4) - onto - alone) * vivid)
    return total, touched


def _hue(angle: Float[Tensor, " b"]) -> Float[Tensor, "b 4 4"]:
    """Rotation of RGB around grey (Rodrigues)."""
    k = 1 / math.sqrt(3)
    cross = torch.tensor([[0, -k, k, 0], [k, 0, -k, 0], [-k, k, 0, 0], [0, 0, 0, 0]])
    sine, cosine = angle.sin()[:, None, None], angle.cos()[:, None, None]
    return torch.eye(4) + sine * cross + (1 - cosine) * (cross @ cross)


def _scaled(x: Tensor, y: Tensor) -> Homogeneous:
    return torch.diag_embed(torch.stack([x, y, torch.ones_like(x)], dim=1))


def _moved(x: Tensor, y: Tensor) -> Homogeneous:
    matrix = torch.eye(3).repeat(len(x), 1, 1)
    matrix[:, 0, 2], matrix[:, 1, 2] = x, y
    return matrix


def _turned(angle: Tensor) -> Homogeneous:
    matrix = torch.eye(3).repeat(len(angle), 1, 1)
    matrix[:, 0, 0] = matrix[:, 1, 1] = angle.cos()
    matrix[:, 1, 0] = angle.sin()
    matrix[:, 0, 1] = -angle.sin()
    return matrix
