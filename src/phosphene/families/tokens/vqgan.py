"""VQGAN: a convolutional autoencoder whose bottleneck is a grid of codebook entries.

Source: Esser, Rombach, Ommer 2021, "Taming Transformers for High-Resolution Image Synthesis"; the
cosine codebook is Yu et al. 2022, "Vector-quantized Image Modeling with Improved VQGAN", section
3.2; the Gumbel codebook is the one of DALL-E (Ramesh et al. 2021). Module names follow the
published checkpoints, so that a converter has little to do. Knows nothing of text or training.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from phosphene.core.errors import CheckpointError, RecipeError
from phosphene.core.images import Images
from phosphene.core.latent import Condition, Latent, LatentSpec, Space
from phosphene.core.weights import Shelf, load_into
from phosphene.nn.layers import AttentionBlock, Downsample, ResBlock, Upsample, channels_last, norm

Codes = Float[Tensor, "b d h w"]
Tokens = Int[Tensor, "b h w"]


CodebookKind = Literal["euclidean", "cosine", "gumbel"]
_MAX_LEVELS = 10
_HIGHEST = {
    "resolution": 16_384,
    "channels": 4_096,
    "num_res_blocks": 32,
    "z_channels": 65_536,
    "embed_dim": 65_536,
    "codebook_size": 2**20,
    "patch_size": 64,
}


def _demand_whole(name: str, value: object, highest: int) -> None:
    if type(value) is not int or not 1 <= value <= highest:
        raise RecipeError(
            f"VQGAN {name} is {str(value)[:40]}; it must be a whole number from 1 to {highest:,}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class VQGANConfig:
    """Shape of a VQGAN; the defaults are the published f16, 1024 codes.

    Args:
        resolution: Side in px it was trained at; it decodes other sizes too.
        channels: Width at the first level.
        channel_mults: Width of each level as a multiple; each further level halves the resolution.
        num_res_blocks: Blocks per level in the encoder; the decoder has one more.
        attention_resolutions: Levels with self-attention, by side in px at `resolution`.
        z_channels: Channels of the encoder's output.
        embed_dim: Channels of a codebook entry.
        codebook: "euclidean" (taming), "cosine" (unit vectors), "gumbel" (encoder gives logits).
        patch_size: Side in px of the pixel blocks folded into channels at both ends; 1 is none.
        norm_groups: Groups of every group norm; None is 32, fewer for layers narrower than 128.
        shortcut: Add a linear map from the pixels of each code's patch to the encoder's output, and
            one back to the decoder's: colours and light are then learnt at once, and the layers
            between learn the rest (Chen et al. 2024, "Deep Compression Autoencoder").
    """

    resolution: int = 256
    channels: int = 128
    channel_mults: tuple[int, ...] = (1, 1, 2, 2, 4)
    num_res_blocks: int = 2
    attention_resolutions: tuple[int, ...] = (16,)
    z_channels: int = 256
    embed_dim: int = 256
    codebook_size: int = 1024
    codebook: CodebookKind = "euclidean"
    patch_size: int = 1
    norm_groups: int | None = None
    shortcut: bool = False

    @property
    def factor(self) -> int:
        """Pixels per code along a side: 16 for f16."""
        return self.patch_size << (len(self.channel_mults) - 1)

    def __post_init__(self) -> None:
        """Check the ranges, since configs come from files.

        Raises:
            RecipeError: names the field, its value and the range.
        """
        for name, highest in _HIGHEST.items():
            _demand_whole(name, getattr(self, name), highest)
        for name in ("channel_mults", "attention_resolutions"):
            values = getattr(self, name)
            if not isinstance(values, tuple) or len(values) > _MAX_LEVELS:
                raise RecipeError(f"VQGAN {name} is not a list of at most {_MAX_LEVELS} numbers")
            for value in values:
                _demand_whole(name, value, _HIGHEST["resolution"])
        if self.norm_groups is not None:
            _demand_whole("norm_groups", self.norm_groups, _HIGHEST["channels"])
        if not isinstance(self.shortcut, bool):
            raise RecipeError(f"VQGAN shortcut is {str(self.shortcut)[:20]!r}, not true or false")
        if not self.channel_mults:
            raise RecipeError("VQGAN channel_mults is empty; it needs a level at least")
        if self.codebook not in get_args(CodebookKind):
            kinds = ", ".join(get_args(CodebookKind))
            raise RecipeError(f"VQGAN codebook is {str(self.codebook)[:20]!r}; it can be {kinds}")
        for width in {self.channels, *(self.channels * mult for mult in self.channel_mults)}:
            groups = self.norm_groups or min(32, width // 4)
            if width > _HIGHEST["z_channels"] or groups < 1 or width % groups:
                raise RecipeError(
                    f"VQGAN layers of {width} channels do not split into {groups} groups; "
                    "choose channels, channel_mults and norm_groups that agree"
                )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "VQGANConfig":
        """Rebuild from JSON, where tuples became lists.

        Raises:
            CheckpointError: an unknown field, or a value out of range.
        """
        fixed: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in values.items()
        }
        try:
            return cls(**fixed)
        except (TypeError, RecipeError) as error:
            reason = " ".join(str(error).split())[:300]
            raise CheckpointError(f"not a VQGAN config: {reason}") from None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


class _Level(nn.Module):
    """One resolution of the encoder or decoder, and the way to the next if one is attached."""

    downsample: Downsample
    upsample: Upsample

    def __init__(self, blocks: list[ResBlock], attention: list[AttentionBlock]) -> None:
        super().__init__()
        self.block = nn.ModuleList(blocks)
        self.attn = nn.ModuleList(attention)

    def forward(self, x: Tensor) -> Tensor:
        for i, block in enumerate(self.block):
            x = block(x)
            if len(self.attn):
                x = self.attn[i](x)
        if hasattr(self, "downsample"):
            x = self.downsample(x)
        if hasattr(self, "upsample"):
            x = self.upsample(x)
        return x


def _level(before: int, width: int, count: int, attend: bool, groups: int | None) -> _Level:
    blocks = [ResBlock(width if i else before, width, groups) for i in range(count)]
    return _Level(blocks, [AttentionBlock(width, groups) for _ in blocks] if attend else [])


class _Middle(nn.Module):
    def __init__(self, channels: int, groups: int | None) -> None:
        super().__init__()
        self.block_1 = ResBlock(channels, channels, groups)
        self.attn_1 = AttentionBlock(channels, groups)
        self.block_2 = ResBlock(channels, channels, groups)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.block_2(self.attn_1(self.block_1(x)))
        return y


class Encoder(nn.Module):
    """Images to the feature grid before quantisation."""

    def __init__(self, c: VQGANConfig) -> None:
        super().__init__()
        self.patch_size = c.patch_size
        widths = [c.channels * m for m in c.channel_mults]
        side = c.resolution // c.patch_size
        self.conv_in = nn.Conv2d(3 * c.patch_size**2, c.channels, 3, padding=1)
        self.down = nn.ModuleList()
        for i, width in enumerate(widths):
            before = widths[i - 1] if i else c.channels
            attend = side in c.attention_resolutions
            level = _level(before, width, c.num_res_blocks, attend, c.norm_groups)
            if i < len(widths) - 1:
                level.downsample = Downsample(width)
                side //= 2
            self.down.append(level)
        self.mid = _Middle(widths[-1], c.norm_groups)
        self.norm_out = norm(widths[-1], c.norm_groups)
        self.conv_out = nn.Conv2d(widths[-1], c.z_channels, 3, padding=1)
        self.factor = c.factor
        if c.shortcut:
            self.shortcut = nn.Conv2d(3 * c.factor**2, c.z_channels, 1)

    def forward(self, images: Images) -> Tensor:
        x = F.pixel_unshuffle(images, self.patch_size) if self.patch_size > 1 else images
        x = self.conv_in(x.contiguous(memory_format=torch.channels_last))
        for level in self.down:
            x = level(x)
        y: Tensor = self.conv_out(F.silu(self.norm_out(self.mid(x))))
        if hasattr(self, "shortcut"):
            y = y + self.shortcut(F.pixel_unshuffle(images, self.factor))
        return y


class Decoder(nn.Module):
    """Quantised feature grid to images."""

    def __init__(self, c: VQGANConfig) -> None:
        super().__init__()
        self.patch_size = c.patch_size
        widths = [c.channels * m for m in c.channel_mults]
        side = c.resolution // c.factor
        self.conv_in = nn.Conv2d(c.z_channels, widths[-1], 3, padding=1)
        self.mid = _Middle(widths[-1], c.norm_groups)
        levels: list[_Level] = []
        for i in reversed(range(len(widths))):
            before = widths[min(i + 1, len(widths) - 1)]
            attend = side in c.attention_resolutions
            level = _level(before, widths[i], c.num_res_blocks + 1, attend, c.norm_groups)
            if i > 0:
                level.upsample = Upsample(widths[i])
                side *= 2
            levels.insert(0, level)
        self.up = nn.ModuleList(levels)
        self.norm_out = norm(widths[0], c.norm_groups)
        self.conv_out = nn.Conv2d(widths[0], 3 * c.patch_size**2, 3, padding=1)
        self.factor = c.factor
        if c.shortcut:
            self.shortcut = nn.Conv2d(c.z_channels, 3 * c.factor**2, 1)

    def forward(self, features: Tensor) -> Images:
        x = self.conv_in(features.contiguous(memory_format=torch.channels_last))
        x = self.mid(x)
        for level in reversed(self.up):
            x = level(x)
        x = self.conv_out(F.silu(self.norm_out(x)))
        x = F.pixel_shuffle(x, self.patch_size) if self.patch_size > 1 else x
        if hasattr(self, "shortcut"):
            x = x + F.pixel_shuffle(self.shortcut(features), self.factor)
        return x


class Codebook(nn.Module):
    """The table of codes and the nearest-entry lookup."""

    def __init__(self, c: VQGANConfig) -> None:
        super().__init__()
        self.kind = c.codebook
        self.embedding = nn.Embedding(c.codebook_size, c.embed_dim)
        bound = 1 / c.codebook_size
        if c.codebook == "cosine":
            nn.init.normal_(self.embedding.weight)
        else:
            nn.init.uniform_(self.embedding.weight, -bound, bound)
        if c.codebook == "gumbel":
            self.proj = nn.Conv2d(c.z_channels, c.codebook_size, 1)

    def entries(self) -> Float[Tensor, "k d"]:
        """The codes, of unit length if the codebook is a cosine one."""
        table = self.embedding.weight
        return F.normalize(table, dim=1) if self.kind == "cosine" else table

    def nearest(self, codes: Codes) -> Tokens:
        """Index of the entry nearest to each code (by angle for a cosine codebook)."""
        # Under autocast the product would be rounded to 8 bits, and neighbours confused. The meta
        # device, on which memory is rehearsed, knows no autocast.
        kind = "cpu" if codes.is_meta else codes.device.type
        with torch.autocast(kind, enabled=False):
            table = self.entries().float()
            b, _, h, w = codes.shape
            flat = codes.detach().float().permute(0, 2, 3, 1).flatten(0, 2)  # (b h w) d
            if self.kind == "cosine":
                affinity = flat @ table.T
            else:  # ||z - e||^2 without the constant
                affinity = torch.addmm(table.pow(2).sum(1), flat, table.T, beta=-1, alpha=2)
            return affinity.argmax(dim=-1).view(b, h, w)

    def lookup(self, tokens: Tokens) -> Codes:
        """Entries at the indices, b d h w."""
        return F.embedding(tokens, self.entries()).permute(0, 3, 1, 2)


class VQGAN(nn.Module):
    """An `Autoencoder`: images <-> codes <-> tokens.

    `encode` gives continuous codes, `snap` moves them to the codebook (gradients pass straight
    through), `decode` paints. Images are [-1, 1], b 3 h w, with sides divisible by `factor`.
    """

    def __init__(self, config: VQGANConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        self.quantize = Codebook(config)
        gumbel = config.codebook == "gumbel"
        self.quant_conv = nn.Conv2d(
            config.z_channels, config.z_channels if gumbel else config.embed_dim, 1
        )
        self.post_quant_conv = nn.Conv2d(config.embed_dim, config.z_channels, 1)
        self.spec = LatentSpec(Space.CODES, (config.embed_dim, None, None), config.codebook_size)

    @property
    def factor(self) -> int:
        """Pixels per code along a side."""
        return self.config.factor

    @property
    def dtype(self) -> torch.dtype:
        return self.post_quant_conv.weight.dtype

    def encode(self, images: Images) -> Latent:
        """Images to continuous codes (for a Gumbel codebook: to their most likely entries)."""
        features = self.quant_conv(self.encoder(images.to(self.dtype)))
        if self.config.codebook == "gumbel":
            codes = self.quantize.lookup(self.quantize.proj(features).argmax(dim=1))
        elif self.config.codebook == "cosine":
            codes = F.normalize(features.float(), dim=1)
        else:
            codes = features
        return Latent(Space.CODES, codes.float())

    def tokens(self, codes: Latent) -> Latent:
        """Indices of the nearest codebook entries, b h w."""
        return Latent(Space.TOKENS, self.quantize.nearest(codes.expect(Space.CODES)))

    def lookup(self, tokens: Latent) -> Latent:
        """Codebook entries at the indices: what `decode` would paint from."""
        return Latent(Space.CODES, self.quantize.lookup(tokens.expect(Space.TOKENS)).float())

    def snap(self, codes: Latent) -> Latent:
        """Nearest codebook entries; the gradient passes through as if nothing had been done."""
        continuous = codes.expect(Space.CODES)
        if self.config.codebook == "cosine":
            continuous = F.normalize(continuous, dim=1)
        discrete = self.quantize.lookup(self.quantize.nearest(continuous)).to(continuous.dtype)
        return Latent(Space.CODES, continuous + (discrete - continuous).detach())

    def confine(self, codes: Latent) -> Latent:
        """Bring codes back to where codebook entries are: unit length, or within their range."""
        continuous = codes.expect(Space.CODES)
        if self.config.codebook == "cosine":
            return codes.with_data(F.normalize(continuous, dim=1))
        table = self.quantize.entries().to(continuous.dtype)
        low, high = (bound.view(1, -1, 1, 1) for bound in table.aminmax(dim=0))
        return codes.with_data(continuous.clamp(low, high))

    def decode(self, latent: Latent, condition: Condition | None = None) -> Images:
        """Codes or tokens to images in about [-1, 1], float32, not clipped; differentiable."""
        data = latent.expect(Space.CODES, Space.TOKENS)
        codes = self.quantize.lookup(data) if latent.space is Space.TOKENS else data
        images: Tensor = self.decoder(self.post_quant_conv(codes.to(self.dtype)))
        return images.float()

    def grid_of(self, height: int, width: int) -> tuple[int, int]:
        """Rows and columns of codes for an image size in px, rounded up."""
        return math.ceil(height / self.factor), math.ceil(width / self.factor)


def build(tensors: Mapping[str, Tensor], config: Mapping[str, Any], _shelf: Shelf) -> VQGAN:
    """Build a VQGAN for the zoo, ready to paint.

    Raises:
        CheckpointError: not a VQGAN's config, or tensors of another one.
    """
    shape = {k: v for k, v in config.items() if k not in ("family", "arch", "size")}
    model = VQGAN(VQGANConfig.from_dict(shape))
    load_into(model, tensors, "the weight file")
    return channels_last(model).requires_grad_(False).eval()
