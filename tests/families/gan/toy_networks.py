"""The smallest networks of both kinds: linear, so that what they paint is known."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class ToyNetwork(nn.Module):
    """A picture's channels are sums of z and of the class weights."""

    def __init__(self, num_classes: int = 0, z_dim: int = 4) -> None:
        super().__init__()
        self.z_dim, self.num_classes = z_dim, num_classes
        self.resolution, self.channels = (4, 6), 3
        self.project = nn.Linear(z_dim, 3, bias=False)
        self.embedding = nn.Embedding(max(1, num_classes), 3)

    def forward(self, z: Tensor, classes: Tensor | None = None) -> Tensor:
        colour = self.project(z)
        if classes is not None:
            colour = colour + classes @ self.embedding.weight
        return colour[:, :, None, None].expand(-1, 3, 4, 6)


class ToyStyled(nn.Module):
    """z is doubled to become w; the picture is the mean style plus the layers' noise."""

    def __init__(self) -> None:
        super().__init__()
        self.z_dim = self.w_dim = 3
        self.num_ws, self.num_classes = 2, 0
        self.resolution, self.channels = (4, 4), 3
        self.strength = nn.Parameter(torch.ones(()))
        self.register_buffer("w_avg", torch.zeros(3))

    def mapping(self, z: Tensor, classes: Tensor | None = None) -> Tensor:
        return 2 * z

    def noise_shapes(self) -> list[tuple[int, int]]:
        return [(2, 2), (4, 4)]

    def synthesis(self, ws: Tensor, noise: Sequence[Tensor] | None = None) -> Tensor:
        images = ws.mean(1)[:, :, None, None].expand(-1, 3, 4, 4)
        return images if noise is None else images + self.strength * noise[1]

    def forward(self, z: Tensor, classes: Tensor | None = None) -> Tensor:
        return self.synthesis(self.mapping(z)[:, None].expand(-1, 2, -1))
