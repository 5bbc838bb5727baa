"""Tiny generators: by class in RGB, transparent without classes, and with styles."""

from pathlib import Path

import torch

from phosphene.core.weights import save_weights
from phosphene.families.gan.dcgan import DCGANConfig, Generator
from phosphene.families.gan.stylegan2 import Generator as StyledNetwork
from phosphene.families.gan.stylegan2_config import StyleGAN2Config
from phosphene.zoo import Zoo


def save_generator(path: Path, names: tuple[str, ...] = (), channels: int = 3) -> Path:
    """Write an untrained DCGAN of 16 px."""
    torch.manual_seed(3)
    config = DCGANConfig(resolution=16, z_dim=6, width=4, channels=channels, num_classes=len(names))
    whole = {"family": "gan", "arch": "dcgan", "size": 16, "class_names": list(names)}
    save_weights(path, Generator(config).state_dict(), {**whole, **config.to_dict()})
    return path


def gan_zoo(home: Path) -> tuple[Zoo, str, str]:
    """The zoo, and the paths of both generators."""
    animals = save_generator(home / "animals.safetensors", ("fox", "owl", "cat"))
    clear = save_generator(home / "clear.safetensors", channels=4)
    return Zoo(home), str(animals), str(clear)


def save_styled(path: Path, names: tuple[str, ...] = ()) -> Path:
    """Write an untrained StyleGAN2 of 16 px whose noise shows."""
    torch.manual_seed(4)
    shape = {"resolution": 16, "z_dim": 6, "w_dim": 8, "mapping_layers": 1}
    widths = {"channel_base": 64, "channel_max": 8, "num_classes": len(names)}
    network = StyledNetwork(StyleGAN2Config(**shape, **widths))
    with torch.no_grad():
        network.w_avg.fill_(0.1)
        for name, parameter in network.named_parameters():
            if name.endswith("noise_strength"):
                parameter.fill_(0.3)
    whole = {"family": "gan", "arch": "stylegan2", "size": 16, "class_names": list(names)}
    save_weights(path, network.state_dict(), {**whole, **network.config.to_dict()})
    return path
