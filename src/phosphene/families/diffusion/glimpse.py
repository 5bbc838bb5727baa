"""A look at latents without the decoder: the colours that each position stands for.

One linear map from latents to colours, fitted to the model's own encoder by least squares over a
chart of 64 colours: a picture at the resolution of the latents, in microseconds. A decoder of
Stable Diffusion takes as long as one to two steps of its network.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.core.images import Images, resize

SHADES = (-0.9, -0.3, 0.3, 0.9)
FIELD = 2  # latent positions along a side of a field of the chart


class Glimpse:
    """Shows latents of one autoencoder.

    Args:
        vae: Of diffusers.
        factor: Side of a latent position in px.
    """

    def __init__(self, vae: Any, factor: int) -> None:
        self._vae = vae
        self._factor = factor
        self._map: Float[Tensor, "c_1 rgb"] | None = None

    @torch.no_grad()
    def __call__(
        self, latents: Float[Tensor, "b d rows columns"], height: int, width: int
    ) -> Images:
        """Pictures of a size in [-1, 1], of latents as the network sees them (scaled)."""
        if self._map is None:
            self._map = self._fitted()
        rows = _with_one(latents.float().cpu())
        colours = (rows @ self._map).permute(0, 3, 1, 2)
        return resize(colours.clamp(-1, 1), height, width)

    def _fitted(self) -> Float[Tensor, "c_1 rgb"]:
        colours = _chart().permute(2, 0, 1)[None]  # 1 3 16 16
        parameter = next(self._vae.parameters())
        pixels = colours.repeat_interleave(self._factor, 2).repeat_interleave(self._factor, 3)
        coded = self._vae.encode(pixels.to(parameter.device, parameter.dtype)).latent_dist.mode()
        config = self._vae.config
        latents = (coded.float().cpu() - (config.shift_factor or 0.0)) * config.scaling_factor
        rows = _with_one(latents).flatten(0, 2)
        # gelsd: latents may be less than full rank, and the smallest map is wanted then
        target = colours.permute(0, 2, 3, 1).flatten(0, 2)
        found: Tensor = torch.linalg.lstsq(rows, target, driver="gelsd").solution
        return found


def _with_one(latents: Float[Tensor, "b c h w"]) -> Float[Tensor, "b h w c_1"]:
    rows = latents.permute(0, 2, 3, 1)
    return torch.cat([rows, torch.ones_like(rows[..., :1])], dim=3)


def _chart() -> Float[Tensor, "side side rgb"]:
    """64 colours in 8 by 8 fields, each FIELD positions wide."""
    shades = torch.tensor(SHADES)
    colours = torch.cartesian_prod(shades, shades, shades).reshape(8, 8, 3)
    return colours.repeat_interleave(FIELD, 0).repeat_interleave(FIELD, 1)
