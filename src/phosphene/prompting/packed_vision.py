"""The vision tower of a CLIP or SigLIP as few large products, for gradients of pictures alone.

Computes what the transformers library's modules compute, up to rounding, from the same tensors:

- the patch embedding is one product, where a strided convolution's backward is 7 times slower;
- queries, keys and values are one product; attention is bmm-softmax-bmm;
- x sigmoid(1.702 x), CLIP's activation, is silu(1.702 x) / 1.702, and both factors are taken by the
  products around it;
- of CLIP's last layer only the class token is computed, since nothing else is read from it;
- weights are frozen, so that the backward holds no step that serves only them.
"""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import FunctionCtx, once_differentiable

QUICK_GELU = 1.702

Tokens = Float[Tensor, "b n d"]


def pack_vision(vision: Any) -> "PackedVision | None":
    """Pack the vision tower of a frozen CLIP or SigLIP; None if it is not built as expected.

    The tower's query, key and value weights become views into the packed ones: same tensors, same
    names, no second copy.
    """
    return PackedVision(vision) if _recognised(vision) else None


class PackedVision(nn.Module):
    """Pixels, normalised as the model wants them, to its pooled features, before any projection."""

    def __init__(self, vision: Any) -> None:
        super().__init__()
        # in a tuple, so that the tower's tensors stay in one place: the library's model
        self._tower = (vision,)
        self.layers = nn.ModuleList(_Layer(layer) for layer in vision.encoder.layers)

    def forward(self, pixels: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d"]:
        vision = self._tower[0]
        embeddings = vision.embeddings
        x = _patches(pixels, embeddings.patch_embedding)
        clip = hasattr(embeddings, "class_embedding")
        if clip:
            x = torch.cat([embeddings.class_embedding.expand(len(x), 1, -1), x], dim=1)
        x = x + embeddings.position_embedding.weight
        if clip:
            x = vision.pre_layrnorm(x)
        last = len(self.layers) - 1
        for i, layer in enumerate(self.layers):
            x = layer(x, first_only=clip and i == last)
        x = vision.post_layernorm(x)
        pooled: Tensor = x[:, 0] if clip else vision.head(x)
        return pooled


class _Layer(nn.Module):
    """One pre-norm transformer layer; `first_only` gives the first token alone, b 1 d."""

    weight: Tensor
    bias: Tensor

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self._layer = (layer,)
        attention = layer.self_attn
        parts = (attention.q_proj, attention.k_proj, attention.v_proj)
        for name in ("weight", "bias"):
            packed = torch.cat([getattr(part, name).detach() for part in parts])
            self.register_buffer(name, packed, persistent=False)
            for part, rows in zip(parts, packed.chunk(3), strict=True):
                getattr(part, name).data = rows

    def forward(self, x: Tokens, *, first_only: bool) -> Float[Tensor, "b m d"]:
        layer = self._layer[0]
        y = layer.layer_norm1(x)
        mixed = self._first_attends(y) if first_only else self._attend(y)
        x = (x[:, :1] if first_only else x) + layer.self_attn.out_proj(mixed)
        y = layer.layer_norm2(x)
        mlp = layer.mlp
        if _is_quick(mlp.activation_fn):
            fed: Tensor = _QuickGeluMLP.apply(  # type: ignore[no-untyped-call]
                y, mlp.fc1.weight, mlp.fc1.bias, mlp.fc2.weight, mlp.fc2.bias
            )
        else:
            fed = mlp(y)
        return x + fed

    def _attend(self, y: Tensor) -> Tensor:
        attention = self._layer[0].self_attn
        qkv = F.linear(y, self.weight, self.bias)
        mixed: Tensor = _Attention.apply(  # type: ignore[no-untyped-call]
            qkv, attention.num_heads, attention.scale
        )
        return mixed

    def _first_attends(self, y: Tensor) -> Tensor:
        """The first token's share of the attention."""
        attention = self._layer[0].self_attn
        b, n, d = y.shape
        q = F.linear(y[:, 0], self.weight[:d], self.bias[:d]).view(b, attention.num_heads, 1, -1)
        kv = F.linear(y, self.weight[d:], self.bias[d:])
        k, v = kv.view(b, n, 2, attention.num_heads, -1).permute(2, 0, 3, 1, 4).unbind(0)
        weights = torch.softmax((q * attention.scale) @ k.transpose(2, 3), dim=-1)
        return (weights @ v).view(b, 1, d)


class _Attention(Function):
    """Softmax(q k^T scale) v from packed q, k, v (b n 3d), whose gradient comes packed as well."""

    @staticmethod
    def forward(ctx: FunctionCtx, qkv: Tensor, heads: int, scale: float) -> Tensor:
        b, n, _ = qkv.shape
        split = qkv.view(b, n, 3, heads, -1).permute(2, 0, 3, 1, 4).reshape(3, b * heads, n, -1)
        q, k, v = split.unbind(0)
        weights = torch.softmax(torch.bmm(q, k.transpose(1, 2)).mul_(scale), dim=-1)
        ctx.save_for_backward(split, weights)
        ctx.heads, ctx.scale = heads, scale  # type: ignore[attr-defined]
        mixed = torch.bmm(weights, v).view(b, heads, n, -1)
        return mixed.transpose(1, 2).reshape(b, n, -1)

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, dy: Tensor) -> tuple[Tensor | None, ...]:
        split, weights = ctx.saved_tensors  # type: ignore[attr-defined]
        q, k, v = split.unbind(0)
        b, n, d = dy.shape
        heads: int = ctx.heads  # type: ignore[attr-defined]
        dy = dy.view(b, n, heads, -1).transpose(1, 2).reshape(b * heads, n, -1)
        dweights = torch.bmm(dy, v.transpose(1, 2))
        dscores = torch.ops.aten._softmax_backward_data(dweights, weights, -1, weights.dtype)
        dscores.mul_(ctx.scale)  # type: ignore[attr-defined]
        dqkv = dy.new_empty(b, n, 3, heads, d // heads)
        parts = (
            torch.bmm(dscores, k),
            torch.bmm(dscores.transpose(1, 2), q),
            torch.bmm(weights.transpose(1, 2), dy),
        )
        for i, part in enumerate(parts):
            dqkv[:, :, i] = part.view(b, heads, n, -1).transpose(1, 2)
        return dqkv.view(b, n, 3 * d), None, None


class _QuickGeluMLP(Function):
    """W2 (h sigmoid(a h)) + b2 with h = W1 x + b1, as (1/a) W2 silu(a W1 x + a b1) + b2."""

    @staticmethod
    def forward(
        ctx: FunctionCtx, x: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor
    ) -> Tensor:
        flat = x.reshape(-1, x.shape[-1])
        inner = torch.addmm(b1, flat, w1.t(), beta=QUICK_GELU, alpha=QUICK_GELU)
        ctx.save_for_backward(inner, w1, w2)
        y = torch.addmm(b2, F.silu(inner), w2.t(), alpha=1 / QUICK_GELU)
        return y.view(x.shape)

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, dy: Tensor) -> tuple[Tensor | None, ...]:
        inner, w1, w2 = ctx.saved_tensors  # type: ignore[attr-defined]
        # the factors of the two products cancel
        dinner = torch.ops.aten.silu_backward(dy.reshape(-1, dy.shape[-1]) @ w2, inner)
        return (dinner @ w1).view(dy.shape), None, None, None, None


def _patches(pixels: Tensor, embedding: nn.Conv2d) -> Tokens:
    """Embed the square patches of pictures; what does not fill a patch is cut off."""
    b, c, h, w = pixels.shape
    size = embedding.kernel_size[0]
    rows, columns = h // size, w // size
    pixels = pixels[:, :, : rows * size, : columns * size].to(embedding.weight.dtype)
    cells = pixels.reshape(b, c, rows, size, columns, size).permute(0, 2, 4, 1, 3, 5)
    flat = cells.reshape(b, rows * columns, -1)
    return F.linear(flat, embedding.weight.flatten(1), embedding.bias)


def _is_quick(activation: object) -> bool:
    from transformers.activations import QuickGELUActivation

    return type(activation) is QuickGELUActivation


def _recognised(vision: Any) -> bool:
    """Whether the tower is exactly the library's: no adapter, no quantised layer, no weights that
    learn, and a head that pools."""
    from transformers.models.clip import modeling_clip as clip
    from transformers.models.siglip import modeling_siglip as siglip

    kinds = {
        clip.CLIPVisionModel: (clip.CLIPEncoderLayer, clip.CLIPAttention, clip.CLIPMLP),
        siglip.SiglipVisionModel: (
            siglip.SiglipEncoderLayer,
            siglip.SiglipAttention,
            siglip.SiglipMLP,
        ),
    }
    if type(vision) not in kinds or vision.training:
        return False
    if any(p.requires_grad for p in vision.parameters()) or not getattr(vision, "use_head", True):
        return False
    embedding = vision.embeddings.patch_embedding
    size = embedding.kernel_size
    plain = (
        type(embedding) is nn.Conv2d
        and size == embedding.stride
        and size[0] == size[1]
        and embedding.groups == 1
        and len(vision.encoder.layers) > 0
    )
    return plain and all(_plain(layer, kinds[type(vision)]) for layer in vision.encoder.layers)


def _plain(layer: Any, kinds: tuple[type, ...]) -> bool:
    """Whether a layer is made of the library's own parts with plain linear maps."""
    if tuple(map(type, (layer, layer.self_attn, layer.mlp))) != kinds:
        return False
    attention, mlp = layer.self_attn, layer.mlp
    linears = (attention.q_proj, attention.k_proj, attention.v_proj, attention.out_proj)
    return all(
        type(linear) is nn.Linear and linear.bias is not None
        for linear in (*linears, mlp.fc1, mlp.fc2)
    ) and not any(module._forward_hooks or module._forward_pre_hooks for module in layer.modules())
