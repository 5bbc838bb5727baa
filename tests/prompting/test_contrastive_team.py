"""Two processes tell apart the captions of the whole batch, as one does."""

from typing import Any

import pytest
import torch

from phosphene.core.rng import Rng
from phosphene.core.team import ALONE, Team
from phosphene.prompting.contrastive import ContrastiveLearner
from tests.pair import Pair
from tests.prompting.test_contrastive import CAPTIONS, CONFIG, SETTINGS, FakeReader, batch, features

STEPS = 2


def learnt(team: Team) -> dict[str, Any]:
    student = ContrastiveLearner(
        CONFIG, SETTINGS, FakeReader(), features(), None, Rng((0,)), team=team
    )
    own = team.rows(torch.arange(len(CAPTIONS)))
    part = {
        "images": team.rows(batch()["images"]),
        "captions": [CAPTIONS[i] for i in own.tolist()],
    }
    logs = [student.step(part, i, STEPS, Rng((5,)).fork(i)) for i in range(STEPS)]
    weights = [p.detach().flatten() for p in student.model.parameters()]
    return {"logs": logs, "weights": torch.cat(weights)}


@pytest.mark.slow
def test_two_processes_learn_what_one_does(pair: Pair) -> None:
    alone, (first, second) = learnt(ALONE), pair(learnt)
    assert torch.equal(first["weights"], second["weights"])
    for mine, theirs in zip(alone["logs"], first["logs"], strict=True):
        assert mine == pytest.approx(theirs, rel=1e-2, abs=1e-2)
    before = ContrastiveLearner(CONFIG, SETTINGS, FakeReader(), features(), None, Rng((0,)))
    start = torch.cat([p.detach().flatten() for p in before.model.parameters()])
    moved = (alone["weights"] - start).norm()
    assert (alone["weights"] - first["weights"]).norm() < 0.05 * moved
