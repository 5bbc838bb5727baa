"""Layers of BigGAN and BigGAN-deep: norms that know the class, self-attention, residual blocks.

Source: Brock, Donahue, Simonyan 2019, "Large Scale GAN Training for High Fidelity Natural Image
Synthesis", appendices B and C; self-attention is Zhang et al. 2019 (SAGAN), section 3.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from phosphene.core.team import ALONE, Team
from phosphene.nn.shared import batch_norm

FeatureMap = Float[Tensor, "_b _c _h _w"]
NORM_MOMENTUM = 0.1
_FEW_POSITIONS = 1024


class StandingNorm(nn.Module):
    """Batch norm whose averages may be kept for several truncations of z.

    The published BigGAN-deep has 51 rows of averages, for truncations 0, 0.02, ... 1: a network
    that sees smaller z has other statistics inside. Training writes the last row (truncation 1).

    Args:
        rows: Number of truncations, evenly from 0 to 1; 1 is ordinary batch norm.
        eps: Added to the variance.
    """

    mean: Tensor
    var: Tensor
    team: Team = ALONE

    def __init__(self, channels: int, rows: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.momentum = NORM_MOMENTUM
        self.register_buffer("mean", torch.zeros(rows, channels))
        self.register_buffer("var", torch.ones(rows, channels))

    def averages(self, truncation: float) -> tuple[Float[Tensor, " c"], Float[Tensor, " c"]]:
        """Mean and variance for a truncation in (0, 1].

        Between two rows the *farther* one weighs more. That is how pytorch-pretrained-BigGAN
        mixes them, and pictures of published weights are what it made of them; at the rows
        themselves (multiples of 0.02) the question does not arise, except that rounding makes
        some, such as 0.7, fall just below their row: there it takes the row before, and so do we.
        """
        rows = len(self.mean)
        if rows == 1:
            return self.mean[0], self.var[0]
        share, start = math.modf(truncation / (1 / (rows - 1)))
        row = int(start)
        if share == 0:
            return self.mean[row], self.var[row]
        mean, var = (
            table[row] * share + table[row + 1] * (1 - share) for table in (self.mean, self.var)
        )
        return mean, var

    def keep_only(self, truncation: float) -> None:
        """Reduce the averages to one row, for a network that stays at this truncation."""
        mean, var = self.averages(truncation)
        self.mean, self.var = mean[None].clone(), var[None].clone()

    def normalise(self, x: FeatureMap, scale: Tensor, shift: Tensor, truncation: float) -> Tensor:
        """Relu of the normalised map times scale plus shift (each b c or 1 c)."""
        if self.training:
            averages = self.mean[-1], self.var[-1]
            x = batch_norm(x, *averages, momentum=self.momentum, eps=self.eps, team=self.team)
        else:
            mean, var = (values.float() for values in self.averages(truncation))
            scale = scale.float() * torch.rsqrt(var + self.eps)
            shift = shift.float() - mean * scale
        scale, shift = (values.to(x.dtype)[:, :, None, None] for values in (scale, shift))
        return torch.addcmul(shift, x, scale).relu_()


class ConditionalNorm(StandingNorm):
    """Batch norm and relu; gain and bias are linear in the condition (appendix B)."""

    def __init__(self, channels: int, condition_dim: int, rows: int, eps: float) -> None:
        super().__init__(channels, rows, eps)
        self.gain = nn.Linear(condition_dim, channels, bias=False)
        self.bias = nn.Linear(condition_dim, channels, bias=False)

    def forward(self, x: FeatureMap, condition: Tensor, truncation: float) -> FeatureMap:
        return self.normalise(x, 1 + self.gain(condition), self.bias(condition), truncation)


class OutputNorm(StandingNorm):
    """Batch norm and relu with a gain and bias of its own, before the last convolution."""

    def __init__(self, channels: int, rows: int, eps: float) -> None:
        super().__init__(channels, rows, eps)
        self.gain = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: FeatureMap, truncation: float) -> FeatureMap:
        return self.normalise(x, self.gain[None], self.bias[None], truncation)


class PointConv(nn.Conv2d):
    """A 1x1 convolution: a matrix product over positions.

    Where these are few and channels many, most of a convolution's time goes into reordering its
    weights; a plain product is up to seven times as fast.
    """

    def __init__(self, in_channels: int, out_channels: int, bias: bool = True) -> None:
        super().__init__(in_channels, out_channels, 1, bias=bias)

    def forward(self, x: FeatureMap) -> FeatureMap:
        b, _, h, w = x.shape
        if b * h * w > _FEW_POSITIONS:
            return super().forward(x)
        y = F.linear(x.permute(0, 2, 3, 1), self.weight.flatten(1), self.bias)
        return y.permute(0, 3, 1, 2)


def twice(x: FeatureMap) -> Tensor:
    """Double the resolution by nearest neighbour."""
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


class UpsamplingConv(nn.Conv2d):
    """Nearest-neighbour doubling, then a 3x3 convolution.

    Of the nine values under the kernel four at most differ. `prepare` sums the kernel's entries
    that meet the same value: four 2x2 kernels, one for each pixel of a 2x2 square, which need 4/9
    of the operations. The pictures are the same up to rounding.
    """

    phases: Tensor | None

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, 3, padding=1)
        self.register_buffer("phases", None, persistent=False)

    @torch.no_grad()
    def prepare(self) -> None:
        """Work out the four kernels; training, or loading other weights, forgets them."""
        # which of the two rows of the small map the three rows of the kernel meet, above and below
        meets = torch.tensor([[[1.0, 0, 0], [0, 1, 1]], [[1, 1, 0], [0, 0, 1]]])
        meets = meets.to(self.weight.device)
        kernels = torch.einsum("oihw,pyh,qxw->pqoiyx", self.weight.float(), meets, meets)
        phases = kernels.flatten(0, 2).to(self.weight.dtype)
        self.phases = phases.contiguous(memory_format=torch.channels_last)

    def train(self, mode: bool = True) -> "UpsamplingConv":
        if mode:
            self.phases = None
        super().train(mode)
        return self

    def _load_from_state_dict(self, *args: object, **kwargs: object) -> None:
        self.phases = None
        super()._load_from_state_dict(*args, **kwargs)

    def forward(self, x: FeatureMap) -> Tensor:
        if self.phases is None:
            return super().forward(twice(x))
        b, _, h, w = x.shape
        bias = None if self.bias is None else self.bias.repeat(4)
        parts = F.conv2d(x, self.phases, bias, padding=1).chunk(4, dim=1)  # each h+1, w+1
        y = x.new_empty(b, 2 * h, 2 * w, self.out_channels).permute(0, 3, 1, 2)  # channels last
        for i, part in enumerate(parts):
            row, column = divmod(i, 2)
            y[:, :, row::2, column::2] = part[:, :, row : row + h, column : column + w]
        return y


def prepare(network: nn.Module) -> None:
    """Make a network that is done with training faster; its pictures stay the same."""
    for module in network.modules():
        if isinstance(module, UpsamplingConv):
            module.prepare()


class SelfAttention(nn.Module):
    """Every position looks at all others, at half the resolution; starts as the identity.

    x + gamma * o(softmax(theta(x)^T phi(x)) g(x)), with phi and g max-pooled by two (SAGAN,
    equations 1-3; pooling as BigGAN has it).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.theta = PointConv(channels, channels // 8, bias=False)
        self.phi = PointConv(channels, channels // 8, bias=False)
        self.g = PointConv(channels, channels // 2, bias=False)
        self.o = PointConv(channels // 2, channels, bias=False)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, x: FeatureMap) -> FeatureMap:
        b, c, h, w = x.shape

        def rows(y: Tensor) -> Tensor:
            return y.permute(0, 2, 3, 1).flatten(1, 2)  # b n c

        query = rows(self.theta(x))
        key, value = (rows(F.max_pool2d(conv(x), 2)) for conv in (self.phi, self.g))
        attention = torch.softmax(query @ key.transpose(1, 2), dim=-1)
        y = (attention @ value).view(b, h, w, c // 2).permute(0, 3, 1, 2)
        out: Tensor = x + self.gamma * self.o(y)
        return out


class GBlock(nn.Module):
    """Residual block of BigGAN: norm, relu, (doubling,) 3x3, norm, relu, 3x3 (figure 15b)."""

    def __init__(
        self, before: int, after: int, up: bool, *, condition_dim: int, rows: int, eps: float
    ) -> None:
        super().__init__()
        self.up = up
        self.bn1 = ConditionalNorm(before, condition_dim, rows, eps)
        self.bn2 = ConditionalNorm(after, condition_dim, rows, eps)
        self.conv1 = UpsamplingConv(before, after) if up else nn.Conv2d(before, after, 3, padding=1)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1)
        if up or before != after:
            self.conv_sc = PointConv(before, after)

    def forward(self, x: FeatureMap, condition: Tensor, truncation: float) -> FeatureMap:
        h = self.conv1(self.bn1(x, condition, truncation))
        h = self.conv2(self.bn2(h, condition, truncation))
        if hasattr(self, "conv_sc"):
            x = self.conv_sc(x)  # before doubling: the same values at a quarter of the work
        out: Tensor = h + (twice(x) if self.up else x)
        return out


class DeepGBlock(nn.Module):
    """Bottleneck block of BigGAN-deep: 1x1, (doubling,) 3x3, 3x3, 1x1 (figure 16b).

    Its shortcut has no weights: where the width falls, the last channels are left out.
    """

    def __init__(
        self, before: int, after: int, up: bool, *, condition_dim: int, rows: int, eps: float
    ) -> None:
        super().__init__()
        self.up, self.after = up, after
        inside = before // 4
        self.bn1 = ConditionalNorm(before, condition_dim, rows, eps)
        self.bn2, self.bn3, self.bn4 = (
            ConditionalNorm(inside, condition_dim, rows, eps) for _ in range(3)
        )
        self.conv1 = PointConv(before, inside)
        wide = UpsamplingConv(inside, inside) if up else nn.Conv2d(inside, inside, 3, padding=1)
        self.conv2 = wide
        self.conv3 = nn.Conv2d(inside, inside, 3, padding=1)
        self.conv4 = PointConv(inside, after)

    def forward(self, x: FeatureMap, condition: Tensor, truncation: float) -> FeatureMap:
        h = self.conv1(self.bn1(x, condition, truncation))
        h = self.conv2(self.bn2(h, condition, truncation))
        h = self.conv3(self.bn3(h, condition, truncation))
        h = self.conv4(self.bn4(h, condition, truncation))
        x = x[:, : self.after]
        out: Tensor = h + (twice(x) if self.up else x)
        return out


class DBlock(nn.Module):
    """Residual block of BigGAN's discriminator: relu, 3x3, relu, 3x3, (halving) (figure 15c).

    Args:
        first: It sees pixels: no relu before the first convolution.
    """

    def __init__(self, before: int, after: int, down: bool, first: bool = False) -> None:
        super().__init__()
        self.down, self.first = down, first
        self.conv1 = nn.Conv2d(before, after, 3, padding=1)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1)
        if down or before != after:
            self.conv_sc = PointConv(before, after)

    def forward(self, x: FeatureMap) -> FeatureMap:
        h = self.conv2(F.relu(self.conv1(x if self.first else F.relu(x))))
        if self.down:  # an average of 1x1 convolutions is the convolution of the average
            h, x = F.avg_pool2d(h, 2), F.avg_pool2d(x, 2)
        if hasattr(self, "conv_sc"):
            x = self.conv_sc(x)
        out: Tensor = h + x
        return out


class DeepDBlock(nn.Module):
    """Bottleneck block of BigGAN-deep's discriminator (figure 16c).

    Where the width grows, the shortcut keeps its channels and a 1x1 convolution adds the rest.
    """

    def __init__(self, before: int, after: int, down: bool) -> None:
        super().__init__()
        self.down = down
        inside = after // 4
        self.conv1 = PointConv(before, inside)
        self.conv2 = nn.Conv2d(inside, inside, 3, padding=1)
        self.conv3 = nn.Conv2d(inside, inside, 3, padding=1)
        self.conv4 = PointConv(inside, after)
        if after > before:
            self.conv_sc = PointConv(before, after - before)

    def forward(self, x: FeatureMap) -> FeatureMap:
        h = self.conv1(F.relu(x))
        h = self.conv3(F.relu(self.conv2(F.relu(h))))
        h = F.relu(h)
        if self.down:
            h, x = F.avg_pool2d(h, 2), F.avg_pool2d(x, 2)
        if hasattr(self, "conv_sc"):
            x = torch.cat([x, self.conv_sc(x)], dim=1)
        out: Tensor = self.conv4(h) + x
        return out
