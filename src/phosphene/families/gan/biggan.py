"""BigGAN and BigGAN-deep: class-conditional generators that grew by width, depth and batch size.

Source: Brock, Donahue, Simonyan 2019, "Large Scale GAN Training for High Fidelity Natural Image
Synthesis" (arXiv:1809.11096); architectures in appendix B, figures 15 and 16, tables 4 to 9.
The discriminators stand in `biggan_discriminator`, the layers in `biggan_layers`.
"""

import copy
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from phosphene.core.errors import RecipeError
from phosphene.core.images import Images
from phosphene.core.weights import Shelf, load_into
from phosphene.families.gan.biggan_config import BigGANConfig
from phosphene.families.gan.biggan_layers import (
    NORM_MOMENTUM,
    ConditionalNorm,
    DeepGBlock,
    GBlock,
    OutputNorm,
    SelfAttention,
    StandingNorm,
    prepare,
)
from phosphene.families.gan.generator import GANGenerator, generator_of
from phosphene.nn.layers import channels_last


class BigGAN(nn.Module):
    """The generating network: z and class weights to pictures in [-1, 1].

    BigGAN: each block's norms see the class embedding and a piece of z of their own. BigGAN-deep:
    all see all of both. Initial weights are orthogonal (section 3).
    """

    def __init__(self, config: BigGANConfig) -> None:
        super().__init__()
        self.config = c = config
        self.z_dim, self.num_classes, self.channels = c.z_dim, c.num_classes, c.channels
        self.resolution = c.sides
        if c.num_classes and c.embed_dim:
            self.shared = nn.Embedding(c.num_classes, c.embed_dim)
        self.linear = nn.Linear(c.first_dim, c.widths[0] * c.bottom[0] * c.bottom[1])
        kind = DeepGBlock if c.deep else GBlock
        norms: dict[str, Any] = {
            "condition_dim": c.condition_dim,
            "rows": c.norm_rows,
            "eps": c.norm_eps,
        }
        self.stages = nn.ModuleList()
        for (before, after), height in zip(pairwise(c.widths), c.stage_heights, strict=True):
            stage = [kind(before, before, False, **norms) for _ in range(c.depth - 1)]
            stage.append(kind(before, after, True, **norms))
            self.stages.append(nn.ModuleList(stage))
            if height in c.attention_resolutions:
                cast(nn.ModuleList, self.stages[-1]).append(SelfAttention(after))
        self.norm_out = OutputNorm(c.widths[-1], c.norm_rows, c.norm_eps)
        self.conv_out = nn.Conv2d(c.widths[-1], c.channels, 3, padding=1)
        start_orthogonal(self)

    def embed(self, classes: Float[Tensor, "b num_classes"]) -> Float[Tensor, "b label_dim"]:
        """The class embedding: linear in the weights of the classes, so that they can be mixed."""
        return classes @ self.shared.weight if hasattr(self, "shared") else classes

    def forward(
        self,
        z: Float[Tensor, "b z_dim"],
        classes: Float[Tensor, "b num_classes"] | None = None,
        truncation: float = 1.0,
    ) -> Images:
        """Paint.

        Args:
            truncation: In (0, 1]: which averages the norms use, where there are several. It does
                not change z. In training the batch's own are used.
        Raises:
            RecipeError: truncation out of range, or classes missing.
        """
        check_truncation(truncation)
        x, conditions = self._inputs(z, classes)
        x = self.linear(x).view(len(z), -1, *self.config.bottom)
        x = x.contiguous(memory_format=torch.channels_last)
        for stage in self.stages:
            for block in cast(nn.ModuleList, stage):
                if isinstance(block, SelfAttention):
                    x = block(x)
                else:
                    x = block(x, next(conditions), truncation)
        images: Tensor = self.conv_out(self.norm_out(x, truncation))
        return torch.tanh(images).float()

    def _inputs(self, z: Tensor, classes: Tensor | None) -> tuple[Tensor, Any]:
        """What the first layer and each of the blocks see."""
        dtype = self.linear.weight.dtype
        z = z.to(dtype)
        labels: list[Tensor] = []
        if self.num_classes:
            if classes is None:
                raise RecipeError(f"this BigGAN paints one of {self.num_classes} classes; name one")
            labels = [self.embed(classes.to(dtype))]
        pieces = self.config.num_pieces
        if self.config.deep:
            whole = torch.cat([z, *labels], dim=1)
            return whole, iter([whole] * pieces)
        if not self.config.hierarchical:
            return z, iter(labels * pieces)
        first, *rest = z.chunk(pieces, dim=1)
        return first, iter([torch.cat([*labels, piece], dim=1) for piece in rest])

    def latent_weights(self) -> list[Float[Tensor, "_ z_dim"]]:
        """The first layer and the gains of the blocks' norms, as matrices that take z.

        Where each block sees a piece of z, the other columns are 0.
        """
        deep, hierarchical = self.config.deep, self.config.hierarchical
        size = self.config.piece_dim if hierarchical and not deep else self.z_dim
        found = [_columns(self.linear.weight, 0, size, 0, self.z_dim)]
        if not (deep or hierarchical):
            return found
        blocks = [b for stage in self.stages for b in cast(nn.ModuleList, stage)]
        blocks = [block for block in blocks if not isinstance(block, SelfAttention)]
        for number, block in enumerate(blocks, start=1):
            where = (0, size, 0) if deep else (self.config.label_dim, size, number * size)
            for norm in block.modules():
                if isinstance(norm, ConditionalNorm):
                    found.append(_columns(norm.gain.weight, *where, self.z_dim))
        return found

    def at_truncation(self, truncation: float) -> "BigGAN":
        """The same network with the averages of one truncation; weights are shared, not copied.

        Raises:
            RecipeError: not in (0, 1].
        """
        check_truncation(truncation)
        averages = {id(t) for m in _norms(self) for t in (m.mean, m.var)}
        shared = {id(t): t for t in (*self.parameters(), *self.buffers()) if id(t) not in averages}
        single = copy.deepcopy(self, shared)
        single.config = replace(self.config, norm_rows=1)
        for norm in _norms(single):
            norm.keep_only(truncation)
        return single


@torch.no_grad()
def stand(network: BigGAN, batches: Iterable[tuple[Tensor, Tensor | None]], row: int = -1) -> None:
    """Measure the averages of the norms anew: means over many passes (appendix C.1).

    Moving averages of training are of other weights than these, and of z that was not truncated.

    Args:
        batches: z and classes of each pass, drawn as pictures will be.
        row: Which row of averages is written; row i of n is truncation i / (n - 1).
    Raises:
        RecipeError: no batches.
    """
    norms = _norms(network)
    kept = [(norm.mean.clone(), norm.var.clone()) for norm in norms]
    was_training = network.training
    network.eval()
    for norm in norms:
        norm.train()
    count = 0
    for count, (z, classes) in enumerate(batches, start=1):
        for norm in norms:
            norm.momentum = 1 / count  # running averages become plain means
        network(z, classes)
    for norm, (mean, var) in zip(norms, kept, strict=True):
        norm.momentum = NORM_MOMENTUM
        mean[row], var[row] = norm.mean[-1], norm.var[-1]
        norm.mean.copy_(mean)
        norm.var.copy_(var)
    network.train(was_training)
    if not count:
        raise RecipeError("no batches to measure the norms' averages on; give some")


def start_orthogonal(network: nn.Module) -> None:
    """Orthogonal initial weights, no biases (Saxe et al. 2014), as the paper begins."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear | nn.Embedding) and not module.weight.is_meta:
            nn.init.orthogonal_(module.weight)
        if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)


def check_truncation(truncation: float) -> None:
    """Check that a truncation is one that averages are kept for.

    Raises:
        RecipeError: not in (0, 1].
    """
    if not 0 < truncation <= 1:
        raise RecipeError(f"truncation is {truncation}; BigGAN takes 0 < truncation <= 1")


def _norms(network: nn.Module) -> list[StandingNorm]:
    return [module for module in network.modules() if isinstance(module, StandingNorm)]


def _columns(
    weight: Float[Tensor, "_ _"], start: int, count: int, at: int, width: int
) -> Float[Tensor, "_ {width}"]:
    """Some columns of a matrix, moved to where their piece of z stands in the whole."""
    placed = weight.new_zeros(len(weight), width)
    placed[:, at : at + count] = weight.detach()[:, start : start + count]
    return placed


class BigGANGenerator(GANGenerator):
    """A BigGAN ready to draw from, at a truncation."""

    def at_truncation(self, truncation: float) -> "BigGANGenerator":
        """The same generator with its norms' averages for a truncation; weights are shared.

        It does not truncate z: whoever draws does. For a network that keeps a single row of
        averages nothing changes.

        Raises:
            RecipeError: not in (0, 1].
        """
        network = cast(BigGAN, self.network).at_truncation(truncation)
        made = BigGANGenerator(network, self.class_names, self.prior)
        made.requires_grad_(False)
        return made.train(self.training)


def build(
    tensors: Mapping[str, Tensor], config: Mapping[str, Any], _shelf: Shelf
) -> BigGANGenerator:
    """Build a BigGAN for the zoo, ready to paint.

    Raises:
        CheckpointError: not a BigGAN's config, or tensors of another one.
    """
    with torch.device("meta"):  # orthogonal starts of weights this large take a minute
        network = BigGAN(BigGANConfig.from_dict(config))
    network.to_empty(device="cpu")
    load_into(network, tensors, "the weight file")
    prepare(channels_last(network))
    plain = generator_of(network, config)
    made = BigGANGenerator(network, plain.class_names, plain.prior)
    return made.eval()
