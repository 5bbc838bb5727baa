"""What a network can do decides what is asked of it."""

import torch

from phosphene.families.gan.abilities import Augment, Growing, Matching, Redrawing, Tracking
from phosphene.families.gan.fastgan import Discriminator as FastJudge
from phosphene.families.gan.fastgan import FastGANConfig
from phosphene.families.gan.progan import Discriminator as GrowingJudge
from phosphene.families.gan.progan import Generator as GrowingNetwork
from phosphene.families.gan.progan import ProGANConfig
from phosphene.training.augment import AdaptiveAugment, DiffAugment, NoAugment
from tests.families.gan.test_training import TINY, Discriminator, Generator


def test_who_can_what() -> None:
    torch.manual_seed(0)
    grown = ProGANConfig(resolution=16, z_dim=5, width=8, base_width=8)
    network, judge = GrowingNetwork(grown), GrowingJudge(grown)
    assert isinstance(network, Growing)
    assert isinstance(judge, Growing)
    assert isinstance(judge, Matching)
    assert not isinstance(network, Matching)
    fast = FastJudge(FastGANConfig(resolution=32, z_dim=6, width=4, d_width=16))
    assert isinstance(fast, Redrawing)
    for plain in (Generator(TINY), Discriminator(TINY)):
        assert not isinstance(plain, Growing | Matching | Redrawing | Tracking)
    for augment in (NoAugment(), DiffAugment(), AdaptiveAugment()):
        assert isinstance(augment, Augment)
