"""Two processes train the VQGAN that one trains with all of the batch."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from phosphene.core.rng import Rng
from phosphene.core.team import ALONE, Team
from phosphene.families.tokens.training import VQGANLearner, VQGANTraining
from tests.families.tokens.test_training import RNG, TINY, Blurred, pictures
from tests.pair import Pair

STEPS = 5


def learnt(team: Team) -> dict[str, Any]:
    """Weights after a few steps, the last ones with the discriminator; bf16 is off."""
    settings = VQGANTraining(warmup_steps=1, learning_rate=1e-3, adversarial_start=0.4)
    student = VQGANLearner(TINY, settings, Blurred(), Rng((0,)), team)
    batch, logs = {"images": team.rows(pictures()["images"])}, []
    with torch.autocast("cpu", enabled=False):
        for i in range(STEPS):
            logs.append(student.step(batch, i, STEPS, RNG.fork(i)))
    return {
        "logs": logs,
        "model": flat(student.model),
        "average": flat(student.average),
        "discriminator": flat(student.discriminator),
        "usage": student.usage,
    }


def flat(module: nn.Module) -> Tensor:
    return torch.cat([value.detach().float().flatten() for value in module.state_dict().values()])


def test_two_processes_learn_what_one_does(pair: Pair) -> None:
    alone, (first, second) = learnt(ALONE), pair(learnt)
    start = VQGANLearner(TINY, VQGANTraining(), Blurred(), Rng((0,)))
    moved = (alone["model"] - flat(start.model)).norm()
    for key in ("model", "average", "discriminator", "usage"):
        assert torch.equal(first[key], second[key]), key
    # bf16 rounds a batch of four otherwise than one of eight
    assert (alone["model"] - first["model"]).norm() < 0.1 * moved
    for mine, theirs in zip(alone["logs"], first["logs"], strict=True):
        assert mine == pytest.approx(theirs, rel=0.05, abs=0.02)
    torch.testing.assert_close(alone["usage"], first["usage"], atol=1.0, rtol=0.2)
