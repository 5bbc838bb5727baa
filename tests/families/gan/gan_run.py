"""A tiny GAN training that a test can kill: `python gan_run.py FOLDER STEPS KILL_AT`."""

import os
import signal
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from phosphene.core.rng import Rng
from phosphene.families.gan.dcgan import DCGANConfig, Discriminator, Generator
from phosphene.families.gan.settings import GANTraining
from phosphene.families.gan.training import GANLearner
from phosphene.training.augment import AdaptiveAugment
from phosphene.training.loop import Schedule, train

CONFIG = DCGANConfig(resolution=16, z_dim=8, width=8, d_width=8, num_classes=2)


class Pictures:
    """A `BatchSource` keyed by step."""

    batch_size = 4

    def batch(self, step: int) -> Mapping[str, Any]:
        rng = Rng((step,), "/pictures")
        images = rng.integers(4, 3, 16, 16, high=256)[0].to(torch.uint8)
        return {"images": images, "classes": torch.arange(4) % 2}

    def iterate(self, start: int, stop: int) -> Iterator[Mapping[str, Any]]:
        for step in range(start, stop):
            yield self.batch(step)


def run(folder: Path, steps: int, kill_at: int = 0) -> None:
    """Train, or go on training; die of SIGKILL after step `kill_at`."""
    torch.manual_seed(0)
    learner = GANLearner(
        Generator(CONFIG),
        Generator(CONFIG),
        Discriminator(CONFIG),
        GANTraining(r1_gamma=1.0, r1_every=3, ema_kimg=0.02),
        AdaptiveAugment(target=-1.0, kimg=0.05),
        config=CONFIG.to_dict(),
        class_names=("a", "b"),
    )
    source = Pictures()
    schedule = Schedule(steps=steps, checkpoint_every=4, sheet_every=100)
    for step in train(learner, source, source.batch(0), schedule, folder, 7):
        if step.index + 1 == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    run(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
