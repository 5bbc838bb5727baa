"""The transformer of Stable Diffusion 3 in fewer, larger operations, for painting alone.

Computes what diffusers' module computes, up to rounding, from its weights, of which those that are
joined are copied. At the size of the embedded model its hundred small operations a block cost as
much as its products, so

- scales, shifts and gates of all blocks are one product of the time and the sentence;
- queries, keys and values of a stream are one product, and both streams are normed together;
- attention is bmm-softmax-bmm; what is gated is multiplied and added in one go.

Knows no steps and no words; `Flow` hands it what it would hand the module.
"""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

NORM_EPS = 1e-6
# Which of the numbers of a norm multiply: of AdaLayerNormZero's six (shift, scale and gate of the
# attention, then of the feed-forward) and of AdaLayerNormContinuous' two (scale, shift)
SCALES = {6: (1, 4), 2: (0,)}

States = Float[Tensor, "b _ d"]


class Modulation(NamedTuple):
    """What the time and the sentence do to a half of a block, each b 1 d."""

    shift: Tensor
    scale: Tensor
    gate: Tensor

    def before(self, x: Tensor) -> Tensor:
        """What goes into the half."""
        return torch.addcmul(self.shift, _norm(x), self.scale)

    def after(self, x: Tensor, out: Tensor) -> Tensor:
        """What has come out, joined to what went in."""
        return torch.addcmul(x, self.gate, out)


def pack(transformer: Any) -> "PackedTransformer | None":
    """Pack a frozen `SD3Transformer2DModel`; None if it is not built as the embedded one is."""
    return PackedTransformer(transformer) if _recognised(transformer) else None


class PackedTransformer(nn.Module):
    """Calls like `SD3Transformer2DModel`; weights that are joined are kept a second time."""

    modulation_weight: Tensor
    modulation_bias: Tensor
    ones: Tensor

    def __init__(self, transformer: Any) -> None:
        super().__init__()
        self._transformer = (transformer,)  # in a tuple, so that its tensors stay in one place
        blocks = transformer.transformer_blocks
        layers = [norm.linear for b in blocks for norm in (b.norm1, b.norm1_context)]
        layers.append(transformer.norm_out.linear)
        self.counts = [layer.out_features // layer.in_features for layer in layers]
        _keep(self, "modulation", layers)
        ones = torch.cat([torch.zeros(n).index_fill(0, _scales(n), 1.0) for n in self.counts])
        self.register_buffer("ones", ones.view(1, -1, 1, 1), persistent=False)
        self.blocks = nn.ModuleList(_Block(block) for block in blocks)

    def forward(
        self,
        x: Float[Tensor, "b c h w"],
        states: Float[Tensor, "b n k"],
        sentence: Float[Tensor, "b e"],
        time: Float[Tensor, " b"],
    ) -> Float[Tensor, "b d h w"]:
        """Velocity at noised codes; the time as diffusers counts it."""
        transformer = self._transformer[0]
        known = F.silu(transformer.time_text_embed(time, sentence))
        width = known.shape[-1]
        product = F.linear(known, self.modulation_weight, self.modulation_bias)
        all_of_them = product.view(len(x), -1, 1, width) + self.ones.to(product.dtype)
        parts = iter(torch.split(all_of_them, self.counts, dim=1))

        image, text = transformer.pos_embed(x), transformer.context_embedder(states)
        for block in self.blocks:
            image, text = block(image, text, _of_norm(next(parts)), _of_norm(next(parts)))
        last = _of_norm(next(parts))
        patches: Tensor = transformer.proj_out(last[0].before(image))
        size = transformer.config.patch_size
        rows, columns = x.shape[-2] // size, x.shape[-1] // size
        grid = patches.view(len(x), rows, columns, size, size, -1)
        return grid.permute(0, 5, 1, 3, 2, 4).flatten(4, 5).flatten(2, 3)


class _Block(nn.Module):
    """A `JointTransformerBlock`: picture and text attend to one another, then each is fed on."""

    image_weight: Tensor
    image_bias: Tensor
    text_weight: Tensor
    text_bias: Tensor

    def __init__(self, block: Any) -> None:
        super().__init__()
        self._block = (block,)
        attention = block.attn
        _keep(self, "image", [attention.to_q, attention.to_k, attention.to_v])
        added = [attention.add_q_proj, attention.add_k_proj, attention.add_v_proj]
        _keep(self, "text", added)

    def forward(
        self, image: States, text: States, by: list[Modulation], text_by: list[Modulation]
    ) -> tuple[States, States]:
        block = self._block[0]
        attention = block.attn
        mixed = self._attend(by[0].before(image), text_by[0].before(text))
        length = image.shape[1]
        image = by[0].after(image, attention.to_out[0](mixed[:, :length]))
        image = by[1].after(image, _fed(by[1].before(image), block.ff))
        if block.context_pre_only:  # the last one: nobody reads the text any more
            return image, text
        text = text_by[0].after(text, attention.to_add_out(mixed[:, length:]))
        return image, text_by[1].after(text, _fed(text_by[1].before(text), block.ff_context))

    def _attend(self, image: States, text: States) -> States:
        attention = self._block[0].attn
        heads = attention.heads
        b, _, width = image.shape
        shape = b, -1, 3, heads, width // heads
        own = F.linear(image, self.image_weight, self.image_bias).view(shape)
        added = F.linear(text, self.text_weight, self.text_bias).view(shape)
        normed = [
            _rms(own[:, :, :2], attention.norm_q, attention.norm_k),
            _rms(added[:, :, :2], attention.norm_added_q, attention.norm_added_k),
        ]
        queries, keys = torch.cat(normed, dim=1).permute(2, 0, 3, 1, 4).flatten(1, 2)
        values = torch.cat([own[:, :, 2], added[:, :, 2]], dim=1).transpose(1, 2).flatten(0, 1)
        scores = torch.bmm(queries, keys.transpose(1, 2)).mul_((width // heads) ** -0.5)
        mixed = torch.bmm(torch.softmax(scores, dim=-1), values)
        return mixed.view(b, heads, -1, width // heads).transpose(1, 2).flatten(2)


def _keep(module: nn.Module, name: str, layers: list[Any]) -> None:
    """Join the weights of linear layers with the same input; they move as the module does."""
    for leaf in ("weight", "bias"):
        joined = torch.cat([getattr(layer, leaf).detach() for layer in layers])
        module.register_buffer(f"{name}_{leaf}", joined, persistent=False)


def _scales(count: int) -> Tensor:
    return torch.tensor(SCALES[count])


def _norm(x: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], eps=NORM_EPS)


def _rms(x: Float[Tensor, "b n 2 h e"], of_queries: Any, of_keys: Any) -> Tensor:
    """Queries and keys by their root mean square, taken in fp32 as diffusers does."""
    wide = x.float()
    by = torch.rsqrt(wide.square().mean(dim=-1, keepdim=True) + NORM_EPS)
    weights = torch.stack([of_queries.weight, of_keys.weight])[:, None]
    return (wide * by).to(x.dtype) * weights


def _fed(x: States, network: Any) -> Tensor:
    inner, _, outer = network.net
    out: Tensor = outer(F.gelu(inner.proj(x), approximate="tanh"))
    return out


def _of_norm(numbers: Float[Tensor, "b _ 1 d"]) -> list[Modulation]:
    """The modulations that a norm's numbers are: of attention and feed-forward, or a single one."""
    parts = numbers.unbind(1)
    if len(parts) == 2:
        scale, shift = parts
        return [Modulation(shift, scale, scale)]  # its gate is not asked for
    return [Modulation(*parts[:3]), Modulation(*parts[3:])]


def _recognised(transformer: Any) -> bool:
    """Whether it is exactly the library's, frozen, with the norms that the embedded one has."""
    from diffusers import SD3Transformer2DModel
    from diffusers.models.attention_processor import JointAttnProcessor2_0
    from diffusers.models.normalization import RMSNorm

    if type(transformer) is not SD3Transformer2DModel or transformer.training:
        return False
    if any(p.requires_grad for p in transformer.parameters()):
        return False
    if any(m._forward_hooks or m._forward_pre_hooks for m in transformer.modules()):
        return False
    projections = ("to_q", "to_k", "to_v", "add_q_proj", "add_k_proj", "add_v_proj")
    return all(
        block.attn2 is None
        and type(block.attn.processor) is JointAttnProcessor2_0
        and all(type(getattr(block.attn, name)) is nn.Linear for name in projections)
        and all(
            type(norm) is RMSNorm and norm.eps == NORM_EPS and norm.weight is not None
            for norm in (
                block.attn.norm_q,
                block.attn.norm_k,
                block.attn.norm_added_q,
                block.attn.norm_added_k,
            )
        )
        for block in transformer.transformer_blocks
    )
