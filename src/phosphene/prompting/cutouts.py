"""Cutouts: the views of a picture that a perceptor judges, all sampled in one batch.

One view is a square somewhere on the picture, perhaps turned, sheared, tilted or mirrored. Its
position is a 3x3 matrix, so that all views of all pictures are one `grid_sample`. Source of the
idea: Crowson et al. 2022, "VQGAN-CLIP", section 3.2; overview and inner cuts: Disco Diffusion.

A view that shows more pixels than it has would alias, and aliased views are what an optimiser fools
a perceptor with. So views are read from a pyramid of antialiased copies, a factor of sqrt(2) apart,
side by side in one atlas: the nearest level leaves at most a factor of 1.2, which bilinear reading
takes well. That costs a few resizes a picture; supersampling would cost every view 2 to 5 times.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from phosphene.core.errors import RecipeError, did_you_mean
from phosphene.core.images import Images
from phosphene.core.rng import Rng

NUM_SLICES = 8
POLICIES = ("random", "overview+inner", "whole")

Views = Float[Tensor, "n c size size"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutouts:
    """How to look at a picture: `cutouts(images, rng)` gives `count` views of each.

    Policies:
        random: the classic: sides between `size` and the shorter side of the picture, anywhere.
        overview+inner: a share of whole views, the rest with sides from `smallest` of the shorter
            side. Whole views keep the composition, also which side is left: they are not mirrored.
        whole: every view is the whole picture, without geometric augmentation.
    A whole view of an oblong picture is its square frame, filled by reflection.

    Args:
        count: Views a picture.
        size: Side of a view in px: the perceptor's input size.
        power: Sides follow u ** power for u uniform in [0, 1]; above 1 favours small cutouts.
        noise: Largest deviation of the Gaussian noise, of a range of 2; each view draws its own
            uniformly in [0, noise].
        smallest: Least side of an inner cutout as a share of the shorter side.
        overview: Share of whole views in "overview+inner", rounded up.
        flip_prob: Chance that a cutout is mirrored left to right.
        rotation: Largest turn, degrees.
        shear: Largest shear and stretch, as a share.
        perspective: Largest tilt: how much nearer one edge is than the middle.
        colour: Largest change of contrast, saturation and (halved) brightness, as a share.
    Raises:
        RecipeError: unknown policy, or a value out of range.
    """

    policy: str = "overview+inner"
    count: int = 16
    size: int = 96
    power: float = 1.0
    noise: float = 0.1
    smallest: float = 0.4
    overview: float = 0.25
    flip_prob: float = 0.0
    rotation: float = 5.0
    shear: float = 0.05
    perspective: float = 0.05
    colour: float = 0.0

    def __post_init__(self) -> None:
        if self.policy not in POLICIES:
            raise RecipeError(
                f"unknown cutout policy {self.policy!r}{did_you_mean(self.policy, POLICIES)}; "
                f"use one of {', '.join(POLICIES)}"
            )
        limits = {
            "count": (1, 4096),
            "size": (1, 4096),
            "power": (0.01, 100),
            "noise": (0, 10),
            "smallest": (0.01, 1),
            "overview": (0, 1),
            "flip_prob": (0, 1),
            "rotation": (0, 180),
            "shear": (0, 0.5),
            "perspective": (0, 0.5),
            "colour": (0, 1),
        }
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise RecipeError(f"cutouts: {name} is {value}; use {low} to {high}")

    def __call__(self, images: Images, rng: Rng) -> Views:
        """Return (count * b) views, cut-major: `.view(count, b, c, size, size)`, float32.

        View j of picture i depends on picture i and seed i alone. Differentiable; values leave the
        pictures' range only through noise and colour.

        Args:
            rng: One seed a picture.
        Raises:
            RecipeError: the number of seeds is not that of pictures.
        """
        b, c, h, w = images.shape
        if len(rng) != b:
            raise RecipeError(f"{b} pictures need as many seeds to be cut, got {len(rng)}")
        draws = rng.fork("place").uniform(self.count, 13).to(images.device)
        with torch.no_grad():
            placed, sides = self._place(draws, h, w)
            levels = _levels(h, w, self.size)
            grid = _grid(placed, sides, levels, (h, w), self.size)
        # grid_sample gives a thread whole samples: a few slices of views keep all threads busy
        slices = math.gcd(self.count, NUM_SLICES)
        atlas = _atlas(images.float(), levels)[:, None].expand(-1, slices, -1, -1, -1)
        views = F.grid_sample(
            atlas.flatten(0, 1),
            grid.view(b * slices, -1, self.size, 2),
            padding_mode="border",
            align_corners=True,
        )
        views = views.view(b, slices, c, -1, self.size, self.size).transpose(1, 2)
        views = views.reshape(b, c, self.count, self.size, self.size)
        return self._tint(views, draws, rng).permute(2, 0, 1, 3, 4).flatten(0, 1)

    def _whole_views(self) -> int:
        """How many of the views show the whole picture."""
        match self.policy:
            case "random":
                return 0
            case "whole":
                return self.count
            case _:
                return math.ceil(self.count * self.overview)

    def _place(self, draws: Tensor, h: int, w: int) -> tuple[Tensor, Tensor]:
        """Matrices from a view's [-1, 1] square to px on the picture, b cuts 3 3, and sides in px.

        Pixel coordinates count from the picture's centre.
        """
        short, long = float(min(h, w)), float(max(h, w))
        least = min(self.size, short) if self.policy == "random" else self.smallest * short
        u = draws.unbind(-1)  # each b cuts
        whole = torch.arange(self.count, device=draws.device) < self._whole_views()
        side = torch.where(whole, long, least + (short - least) * u[0].pow(self.power))
        room_x, room_y = ((extent - side).clamp_min(0) / 2 for extent in (w, h))
        x = torch.where(whole, 0.0, (2 * u[1] - 1) * room_x)
        y = torch.where(whole, 0.0, (2 * u[2] - 1) * room_y)

        free = 0.0 if self.policy == "whole" else 1.0
        spread = [(2 * v - 1) * free for v in u[3:9]]
        angle = spread[0] * math.radians(self.rotation)
        mirror = torch.where((u[9] < self.flip_prob) & ~whole, -1.0, 1.0)
        frame = _matrix(side / 2, 0, x, 0, side / 2, y, 0, 0, 1)
        turn = _matrix(angle.cos(), -angle.sin(), 0, angle.sin(), angle.cos(), 0, 0, 0, 1)
        stretch, skew_x, skew_y = (v * self.shear for v in spread[1:4])
        tilt_x, tilt_y = (v * self.perspective for v in spread[4:6])
        bend = _matrix(1 + stretch, skew_x, 0, skew_y, 1, 0, tilt_x, tilt_y, 1)
        return frame @ turn @ bend @ _matrix(mirror, 0, 0, 0, 1, 0, 0, 0, 1), side

    def _tint(self, views: Tensor, draws: Tensor, rng: Rng) -> Tensor:
        """Colour jitter and noise on views b c cuts size size."""
        if self.colour > 0:
            spread = (2 * draws[:, None, :, 10:13, None, None] - 1) * self.colour  # b 1 cuts 3 1 1
            contrast, saturation, shift = spread.unbind(3)
            grey = views.mean(dim=1, keepdim=True)
            views = grey + (views - grey) * (1 + saturation)
            views = views * (1 + contrast) + shift / 2
        if self.noise > 0:
            c = views.shape[1]
            sigma = rng.fork("sigma").uniform(1, self.count, 1, 1, high=self.noise)
            drawn = rng.fork("noise").normal(c, self.count, self.size, self.size)
            views = torch.addcmul(views, drawn.to(views.device), sigma.to(views.device))
        return views


def _matrix(*entries: Tensor | int) -> Tensor:
    """3x3 matrices from nine entries, row by row, of which the tensors share a shape."""
    like = next(entry for entry in entries if isinstance(entry, Tensor))
    full = [e if isinstance(e, Tensor) else torch.full_like(like, e) for e in entries]
    return torch.stack(full, dim=-1).view(*like.shape, 3, 3)


def _levels(h: int, w: int, size: int) -> list[tuple[int, int]]:
    """Heights and widths of the pyramid: the picture, then by sqrt(2) as far as views need it."""
    deepest = max(0, round(2 * math.log2(max(h, w) / size)))
    scales = [2 ** (-k / 2) for k in range(deepest + 1)]
    return [(max(1, round(h * s)), max(1, round(w * s))) for s in scales]


def _atlas(images: Images, levels: list[tuple[int, int]]) -> Float[Tensor, "b c atlas_h atlas_w"]:
    """All levels side by side from the left, tops aligned; the picture itself if it is the only."""
    if len(levels) == 1:
        return images
    tall = levels[0][0]
    parts = [images]
    for level in levels[1:]:
        part = F.interpolate(images, size=level, mode="bilinear", antialias=True)
        parts.append(F.pad(part, (0, 0, 0, tall - level[0])))
    return torch.cat(parts, dim=3)


def _grid(
    placed: Tensor, sides: Tensor, levels: list[tuple[int, int]], extent: tuple[int, int], size: int
) -> Float[Tensor, "b rows {size} 2"]:
    """Where on the atlas each pixel of each view lies, in grid_sample's [-1, 1], corners aligned.

    The views of one picture are stacked into one tall view, so that the picture is never copied.
    Reflection is done here: grid_sample's would lead into the next level.
    """
    b, cuts = sides.shape
    device = sides.device
    line = (torch.arange(size, device=device) * 2 + 1) / size - 1
    y, x = torch.meshgrid(line, line, indexing="ij")
    square = torch.stack([x, y, torch.ones_like(x)]).flatten(1)  # 3 (size size)
    # t = x / 2w - 1/4 in px from the centre: reflection is the distance of t to the next integer
    halves = [[0.5 / extent[1], 0, -0.25], [0, 0.5 / extent[0], -0.25], [0, 0, 1]]
    folding = torch.tensor(halves, device=device)
    # x and y in planes of their own, and in place: 5 times faster than as pairs
    points = ((folding @ placed).view(-1, 3) @ square).view(b, cuts, 3, -1)
    t = points[:, :, :2] / points[:, :, 2:]
    t.sub_(t.round()).abs_()

    depth = (2 * (sides / size).log2()).round().clamp(0, len(levels) - 1).long()
    offsets = [sum(wide for _, wide in levels[:k]) for k in range(len(levels))]
    rows = [(wide, tall, offset, 0) for (tall, wide), offset in zip(levels, offsets, strict=True)]
    table = torch.tensor(rows, dtype=torch.float32, device=device)[depth][..., None]  # b cuts 4 1
    span, offset = table[:, :, :2], table[:, :, 2:]
    atlas = torch.tensor([[offsets[-1] + levels[-1][1]], [levels[0][0]]], device=device)
    # px on the level, from the centre of the first to the centre of the last
    pixels = t.mul_(-2 * span).add_(span - 0.5).clamp_(min=0)
    torch.minimum(pixels, span - 1, out=pixels)
    scale = 2 / (atlas - 1).clamp_min(1)
    pixels.mul_(scale).add_(offset * scale - 1)
    return pixels.transpose(2, 3).reshape(b, cuts * size, size, 2)
