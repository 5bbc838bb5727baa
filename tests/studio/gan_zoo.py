"""A zoo with two tiny generators: by class in RGB, and transparent without classes."""

from pathlib import Path

import torch

from phosphene.core.weights import save_weights
from phosphene.families.gan.dcgan import DCGANConfig, Generator
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
