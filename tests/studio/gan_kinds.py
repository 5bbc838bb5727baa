"""Untrained generators of every kind that is steered, edited, bred: z, z by class, styles."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from phosphene.core.weights import save_weights
from phosphene.families.gan import biggan, dcgan, stylegan2
from phosphene.families.gan.biggan_config import BigGANConfig
from phosphene.families.gan.stylegan2_config import StyleGAN2Config

ANIMALS = ("fox", "owl", "cat")
KINDS = ("dcgan", "biggan", "stylegan2")


def network_of(arch: str) -> tuple[nn.Module, dict[str, Any]]:
    """A network of 16 px with random weights, and its config."""
    torch.manual_seed(3)
    if arch == "dcgan":
        plain = dcgan.DCGANConfig(resolution=16, z_dim=6, width=4)
        made = dcgan.Generator(plain)
        for layer in made.modules():
            if isinstance(layer, nn.ConvTranspose2d):
                nn.init.normal_(layer.weight, std=0.4)  # the paper's 0.02 paints grey
        return made, plain.to_dict()
    if arch == "biggan":
        shape: dict[str, Any] = {"z_dim": 12, "embed_dim": 6, "width": 4}
        shape |= {"channel_mults": (4, 2, 2), "attention_resolutions": ()}
        by_class = BigGANConfig(resolution=16, num_classes=len(ANIMALS), **shape)
        return biggan.BigGAN(by_class), {**by_class.to_dict(), "class_names": list(ANIMALS)}
    styled = StyleGAN2Config(
        resolution=16, z_dim=6, w_dim=8, mapping_layers=2, channel_base=64, channel_max=12
    )
    network = stylegan2.Generator(styled)
    for name, parameter in network.named_parameters():
        if name.endswith(("bias", "noise_strength")):
            nn.init.normal_(parameter, std=0.1)
    network.w_avg.copy_(network.mapping(torch.randn(64, styled.z_dim)).mean(0).detach())
    return network, styled.to_dict()


def save_kind(folder: Path, arch: str) -> str:
    """Write one into a folder; returns its path, which is a model's name."""
    path = folder / f"{arch}.safetensors"
    if not path.exists():
        network, config = network_of(arch)
        save_weights(
            path, network.state_dict(), {"family": "gan", "arch": arch, "size": 16, **config}
        )
    return str(path)
