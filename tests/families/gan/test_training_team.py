"""Two processes learn what one learns with all of the batch: every family, every setting."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

from phosphene.core.rng import Rng
from phosphene.core.team import ALONE, Team
from phosphene.families.gan import biggan, fastgan, progan, stylegan2
from phosphene.families.gan.biggan_discriminator import Discriminator as BigJudge
from phosphene.families.gan.dcgan import DCGANConfig, Discriminator, Generator
from phosphene.families.gan.settings import GANTraining
from phosphene.families.gan.stylegan2_config import StyleGAN2Config
from phosphene.families.gan.stylegan2_discriminator import Discriminator as StyleJudge
from phosphene.families.gan.training import GANLearner
from phosphene.training.augment import AdaptiveAugment, DiffAugment, NoAugment
from tests.families.gan.biggan_shapes import config as biggan_config
from tests.pair import Pair

STEPS = 3  # more, and Adam makes much of the last bits
BATCH = 8


class Case(NamedTuple):
    """Networks, and how they learn."""

    parts: tuple[Any, Any, Any]  # config, network, discriminator
    settings: dict[str, Any] = {}  # noqa: RUF012
    augment: Any = NoAugment


def strong() -> AdaptiveAugment:
    """ADA that augments from the start."""
    made = AdaptiveAugment(target=-1.0, kimg=0.05)
    made.strength = 0.7
    return made


def dcgan(**changes: Any) -> tuple[Any, Any, Any]:
    shape = {"resolution": 16, "z_dim": 8, "width": 8, "d_width": 8, "num_classes": 2, **changes}
    return DCGANConfig(**shape), Generator, Discriminator


STYLED = StyleGAN2Config(
    resolution=16, z_dim=6, w_dim=8, mapping_layers=2, channel_base=64, channel_max=12,
    num_classes=2,
)  # fmt: skip
CASES = {
    "batch norm, ADA, R1": Case(
        dcgan(d_norm="batch"), {"r1_gamma": 1.0, "r1_every": 2, "mirror_prob": 0.5}, strong
    ),
    "accumulated, two steps of D": Case(
        dcgan(d_norm="spectral"),
        {"accumulate": 2, "d_steps": 2, "mirror_prob": 0.5, "loss": "hinge"},
        DiffAugment,
    ),
    "WGAN-GP, two steps of G": Case(
        dcgan(num_classes=0, d_norm="none"),
        {"loss": "wasserstein", "gp_weight": 10.0, "g_steps": 2, "prior": "uniform"},
    ),
    "progan, minibatch deviation": Case(
        (
            progan.ProGANConfig(resolution=16, z_dim=5, width=8, base_width=8, num_classes=2),
            progan.Generator,
            progan.Discriminator,
        ),
        {"loss": "least-squares", "r1_gamma": 1.0, "r1_every": 2},
    ),
    "stylegan2, paths and mixing": Case(
        (STYLED, stylegan2.Generator, StyleJudge),
        {"path_weight": 2.0, "path_every": 2, "style_mixing_prob": 0.9, "r1_gamma": 1.0},
        strong,
    ),
    "biggan": Case((biggan_config(num_classes=2), biggan.BigGAN, BigJudge), {"loss": "hinge"}),
    "fastgan": Case(
        (
            fastgan.FastGANConfig(resolution=32, z_dim=6, width=4, d_width=4, num_classes=2),
            fastgan.Generator,
            fastgan.Discriminator,
        ),
        {"loss": "hinge"},
        DiffAugment,
    ),
}


def learnt(name: str, team: Team) -> dict[str, Any]:
    """Logs and weights after a few steps; the batches are shared out as `Batches` does."""
    case = CASES[name]
    config, network, judge = case.parts
    torch.manual_seed(0)
    student = GANLearner(
        network(config),
        network(config),
        judge(config),
        # Adam divides a gradient by its size: where it is nothing but rounding, so is its sign
        GANTraining(
            **{"bf16": False, "beta1": 0.5, "g_rate": 1e-3, "d_rate": 1e-3, **case.settings}
        ),
        case.augment(),
        config=config.to_dict(),
        class_names=("a", "b") if config.num_classes else (),
        team=team,
    )
    logs = []
    for i in range(STEPS):
        rng = Rng((i,), "/pictures")
        images = rng.integers(BATCH, 3, *config.sides, high=256)[0].to(torch.uint8)
        classes = torch.arange(BATCH) % 3 % 2
        batch = {
            "images": team.rows(images, student.groups),
            "classes": team.rows(classes, student.groups),
        }
        logs.append(student.step(batch, i, STEPS, Rng((7,)).fork(i)))
    networks = {
        "g": student.network,
        "average": student.average.network,
        "d": student.discriminator,
    }
    return {"logs": logs, **{key: flat(module) for key, module in networks.items()}}


def flat(module: nn.Module) -> Tensor:
    return torch.cat([value.detach().float().flatten() for value in module.state_dict().values()])


def all_learnt(team: Team) -> dict[str, Any]:
    return {name: learnt(name, team) for name in CASES}


@pytest.fixture(scope="module")
def both(pair: Pair) -> list[Any]:
    """What each of the two processes has learnt, in all cases."""
    return pair(all_learnt)


@pytest.fixture(autouse=True)
def as_the_two_compute() -> Iterator[None]:
    """One thread and torch's own kernels: others round sums otherwise, and Adam makes much of it.

    Tests before this one may have called `core.runtime.prepare`, which chooses other kernels.
    """
    threads, precision = torch.get_num_threads(), torch.get_float32_matmul_precision()
    torch.set_num_threads(1)
    torch.set_float32_matmul_precision("highest")
    yield
    torch.set_num_threads(threads)
    torch.set_float32_matmul_precision(precision)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_two_processes_learn_what_one_does(name: str, both: list[Any]) -> None:
    alone, (first, second) = learnt(name, ALONE), (result[name] for result in both)
    for mine, theirs in zip(alone["logs"], first["logs"], strict=True):
        assert mine == pytest.approx(theirs, rel=1e-3, abs=1e-3), name
    moved = (alone["g"] - flat_start(name)).norm()
    for key in ("g", "average", "d"):
        apart = (alone[key] - first[key]).norm()
        assert apart < 1e-2 * moved, f"{key}: {apart} apart, {moved} moved"
        assert torch.equal(first[key], second[key]), "the two have parted"
    assert first["logs"] == second["logs"]


def flat_start(name: str) -> Tensor:
    config, network, _ = CASES[name].parts
    torch.manual_seed(0)
    return flat(network(config))


def test_without_the_others_statistics_it_would_be_another_network(
    both: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The comparison above notices: here each batch norm sees four of the eight pictures."""
    name = "batch norm, ADA, R1"
    monkeypatch.setitem(
        CASES, name, CASES[name]._replace(settings={**CASES[name].settings, "accumulate": 2})
    )
    parted = learnt(name, ALONE)
    moved = (parted["g"] - flat_start(name)).norm()
    assert (parted["g"] - both[0][name]["g"]).norm() > 1e-2 * moved
