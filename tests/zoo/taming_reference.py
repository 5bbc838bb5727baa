"""Taming's VQGAN written flat over a state dict in its naming: a second opinion for the converter.

Written from the paper (Esser et al. 2021, section 3.1 and table 7) and from what the published
configs and key names say; it shares no code with `phosphene.families.tokens.vqgan`.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Weights = dict[str, Tensor]


@dataclass(frozen=True)
class Shape:
    """The fields of a published YAML that shape the network."""

    target: str
    ch: int
    ch_mult: tuple[int, ...]
    attn_resolutions: tuple[int, ...]
    z_channels: int
    embed_dim: int
    n_embed: int
    resolution: int = 256
    num_res_blocks: int = 2

    @property
    def gumbel(self) -> bool:
        return self.target.endswith("GumbelVQ")

    def yaml(self) -> str:
        """The config as it is published, with the parts that only training reads."""
        return f"""
model:
  base_learning_rate: 4.5e-06
  target: {self.target}
  params:
    embed_dim: {self.embed_dim}
    n_embed: {self.n_embed}
    monitor: val/rec_loss
    ddconfig:
      double_z: false
      z_channels: {self.z_channels}
      resolution: {self.resolution}
      in_channels: 3
      out_ch: 3
      ch: {self.ch}
      ch_mult: {list(self.ch_mult)}
      num_res_blocks: {self.num_res_blocks}
      attn_resolutions: {list(self.attn_resolutions)}
      dropout: 0.0
    lossconfig:
      target: taming.modules.losses.vqperceptual.VQLPIPSWithDiscriminator
      params: {{disc_conditional: false, disc_in_channels: 3, disc_start: 250001}}
data:
  target: main.DataModuleFromConfig
  params: {{batch_size: 3}}
"""


def drawn_weights(shape: Shape, seed: int = 0) -> Weights:
    """Random weights in taming's naming, scaled so that signals neither fade nor explode."""
    generator = torch.Generator().manual_seed(seed)
    weights: Weights = {}

    def conv(name: str, before: int, after: int, size: int) -> None:
        scale = (before * size**2) ** -0.5
        weights[f"{name}.weight"] = (
            torch.randn(after, before, size, size, generator=generator) * scale
        )
        weights[f"{name}.bias"] = torch.randn(after, generator=generator) * 0.1

    def norm(name: str, width: int) -> None:
        weights[f"{name}.weight"] = torch.rand(width, generator=generator) + 0.5
        weights[f"{name}.bias"] = torch.randn(width, generator=generator) * 0.1

    def block(name: str, before: int, after: int) -> None:
        norm(f"{name}.norm1", before)
        conv(f"{name}.conv1", before, after, 3)
        norm(f"{name}.norm2", after)
        conv(f"{name}.conv2", after, after, 3)
        if before != after:
            conv(f"{name}.nin_shortcut", before, after, 1)

    def attention(name: str, width: int) -> None:
        norm(f"{name}.norm", width)
        for part in ("q", "k", "v", "proj_out"):
            conv(f"{name}.{part}", width, width, 1)

    def middle(name: str, width: int) -> None:
        block(f"{name}.block_1", width, width)
        attention(f"{name}.attn_1", width)
        block(f"{name}.block_2", width, width)

    levels, widths = len(shape.ch_mult), [shape.ch * mult for mult in shape.ch_mult]
    conv("encoder.conv_in", 3, shape.ch, 3)
    before = shape.ch
    for i, width in enumerate(widths):
        for j in range(shape.num_res_blocks):
            block(f"encoder.down.{i}.block.{j}", before, width)
            before = width
            if shape.resolution >> i in shape.attn_resolutions:
                attention(f"encoder.down.{i}.attn.{j}", width)
        if i < levels - 1:
            conv(f"encoder.down.{i}.downsample.conv", width, width, 3)
    middle("encoder.mid", before)
    norm("encoder.norm_out", before)
    conv("encoder.conv_out", before, shape.z_channels, 3)
    conv("decoder.conv_in", shape.z_channels, before, 3)
    middle("decoder.mid", before)
    for i in reversed(range(levels)):
        for j in range(shape.num_res_blocks + 1):
            block(f"decoder.up.{i}.block.{j}", before, widths[i])
            before = widths[i]
            if shape.resolution >> i in shape.attn_resolutions:
                attention(f"decoder.up.{i}.attn.{j}", before)
        if i:
            conv(f"decoder.up.{i}.upsample.conv", before, before, 3)
    norm("decoder.norm_out", before)
    conv("decoder.conv_out", before, 3, 3)
    conv("quant_conv", shape.z_channels, shape.embed_dim, 1)
    conv("post_quant_conv", shape.embed_dim, shape.z_channels, 1)
    table = torch.randn(shape.n_embed, shape.embed_dim, generator=generator)
    weights[f"quantize.{'embed' if shape.gumbel else 'embedding'}.weight"] = table
    if shape.gumbel:
        conv("quantize.proj", shape.z_channels, shape.n_embed, 1)
    return weights


def published(shape: Shape, weights: Weights, folder: Path, prefix: str = "") -> tuple[Path, Path]:
    """A checkpoint as Lightning writes it, and its YAML."""
    checkpoint, config = folder / "last.ckpt", folder / "model.yaml"
    state = {f"{prefix}{name}": value for name, value in weights.items()}
    beside = {"loss.discriminator.main.0.weight": torch.ones(2), "loss.logvar": torch.zeros(())}
    state |= {f"{prefix}{name}": value for name, value in beside.items()}
    torch.save(
        {
            "epoch": 7,
            "global_step": 100,
            "pytorch-lightning_version": "1.0.8",
            "callbacks": {nn.Identity: {"best_model_score": torch.tensor(0.1)}},
            "optimizer_states": [{"state": {0: {"exp_avg": torch.ones(3)}}, "param_groups": []}],
            "lr_schedulers": [],
            "state_dict": state,
        },
        checkpoint,
    )
    config.write_text(shape.yaml())
    return checkpoint, config


class Reference:
    """The forward pass, one function an operation."""

    def __init__(self, shape: Shape, weights: Weights) -> None:
        self.shape = shape
        self.weights = weights

    def conv(self, x: Tensor, name: str, stride: int = 1, padding: int = 0) -> Tensor:
        weight, bias = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        return F.conv2d(x, weight, bias, stride=stride, padding=padding)

    def norm(self, x: Tensor, name: str) -> Tensor:
        b, c, h, w = x.shape
        groups = x.reshape(b, 32, -1)
        mean = groups.mean(2, keepdim=True)
        variance = (groups - mean).square().mean(2, keepdim=True)
        y = ((groups - mean) / (variance + 1e-6).sqrt()).reshape(b, c, h, w)
        scale, shift = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        return y * scale[:, None, None] + shift[:, None, None]

    def swish(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(x)

    def block(self, x: Tensor, name: str) -> Tensor:
        h = self.conv(self.swish(self.norm(x, f"{name}.norm1")), f"{name}.conv1", padding=1)
        h = self.conv(self.swish(self.norm(h, f"{name}.norm2")), f"{name}.conv2", padding=1)
        if f"{name}.nin_shortcut.weight" in self.weights:
            x = self.conv(x, f"{name}.nin_shortcut")
        return x + h

    def attention(self, x: Tensor, name: str) -> Tensor:
        y = self.norm(x, f"{name}.norm")
        q, k, v = (self.conv(y, f"{name}.{part}").flatten(2) for part in "qkv")  # b c n
        scores = torch.einsum("bci,bcj->bij", q, k) / x.shape[1] ** 0.5
        mixed = torch.einsum("bij,bcj->bci", scores.softmax(dim=2), v)
        return x + self.conv(mixed.reshape(x.shape), f"{name}.proj_out")

    def middle(self, x: Tensor, name: str) -> Tensor:
        x = self.attention(self.block(x, f"{name}.block_1"), f"{name}.attn_1")
        return self.block(x, f"{name}.block_2")

    def features(self, images: Tensor) -> Tensor:
        """Images to the encoder's output after `quant_conv`."""
        x = self.conv(images, "encoder.conv_in", padding=1)
        for i in range(len(self.shape.ch_mult)):
            level = f"encoder.down.{i}"
            for j in range(self.shape.num_res_blocks):
                x = self.block(x, f"{level}.block.{j}")
                if f"{level}.attn.{j}.q.weight" in self.weights:
                    x = self.attention(x, f"{level}.attn.{j}")
            if i < len(self.shape.ch_mult) - 1:
                x = F.pad(x, (0, 1, 0, 1))  # one column right, one row below
                x = self.conv(x, f"{level}.downsample.conv", stride=2)
        x = self.swish(self.norm(self.middle(x, "encoder.mid"), "encoder.norm_out"))
        return self.conv(self.conv(x, "encoder.conv_out", padding=1), "quant_conv")

    def tokens(self, features: Tensor) -> Tensor:
        """Index of the nearest entry; for Gumbel, of the largest logit (sampling at zero noise)."""
        if self.shape.gumbel:
            return self.conv(features, "quantize.proj").argmax(1)
        flat = features.permute(0, 2, 3, 1).unsqueeze(-2)  # b h w 1 d
        return torch.cdist(flat, self.table).squeeze(-2).argmin(-1)

    @property
    def table(self) -> Tensor:
        name = "embed" if self.shape.gumbel else "embedding"
        return self.weights[f"quantize.{name}.weight"]

    def paint(self, tokens: Tensor) -> Tensor:
        """Tokens, b h w, to images."""
        codes = self.table[tokens].permute(0, 3, 1, 2)
        x = self.conv(codes, "post_quant_conv")
        x = self.middle(self.conv(x, "decoder.conv_in", padding=1), "decoder.mid")
        for i in reversed(range(len(self.shape.ch_mult))):
            level = f"decoder.up.{i}"
            for j in range(self.shape.num_res_blocks + 1):
                x = self.block(x, f"{level}.block.{j}")
                if f"{level}.attn.{j}.q.weight" in self.weights:
                    x = self.attention(x, f"{level}.attn.{j}")
            if i:
                doubled = x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
                x = self.conv(doubled, f"{level}.upsample.conv", padding=1)
        return self.conv(
            self.swish(self.norm(x, "decoder.norm_out")), "decoder.conv_out", padding=1
        )
