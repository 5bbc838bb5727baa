"""The flow's learner: it learns the velocity, begins quietly, and continues bit for bit."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor

from phosphene.core.protocols import Learner
from phosphene.core.rng import Rng
from phosphene.core.team import ALONE, Team
from phosphene.families.diffusion.flow import LatentDiffusionConfig, read
from phosphene.families.diffusion.training import (
    LatentDiffusionLearner,
    LatentDiffusionTraining,
)
from phosphene.training.checkpoint import load_state, save_state
from phosphene.training.loop import Temperate
from tests.families.diffusion.toys import TINY, autoencoder
from tests.families.tokens.test_training import digest
from tests.pair import Pair
from tests.reader import Reader
from tests.sketchbook import SHOWN

RNG = Rng((3,), "/test")
WORDS = ("red", "green", "blue", "grey")


def learner(seed: int = 0, team: Team = ALONE, **settings: Any) -> LatentDiffusionLearner:
    made = LatentDiffusionTraining(**{"warmup_steps": 1, **settings})
    return LatentDiffusionLearner(TINY, made, autoencoder(), Reader(), Rng((seed,)), team)


def shown(team: Team = ALONE, **settings: Any) -> LatentDiffusionLearner:
    """One that paints after sketches."""
    config = LatentDiffusionConfig(**{**TINY.to_dict(), **SHOWN})
    made = LatentDiffusionTraining(**{"warmup_steps": 1, **settings})
    return LatentDiffusionLearner(config, made, autoencoder(), Reader(), Rng((0,)), team)


def batch(count: int = 8) -> dict[str, Any]:
    """Codes that a word fully tells: each has a pattern of its own."""
    patterns = Rng(tuple(range(len(WORDS)))).fork("pattern").normal(4, 4, 4) * 3 + 1
    rows = [i % len(WORDS) for i in range(count)]
    return {"codes": patterns[rows].half(), "captions": tuple(WORDS[i] for i in rows)}


def test_is_a_learner() -> None:
    assert isinstance(learner(), Learner)
    assert isinstance(learner(), Temperate)


def test_at_the_start_it_expects_nothing() -> None:
    """Velocity 0: the loss is that of the mean of what there is, 1 + 1."""
    log = learner(unsaid_prob=0.0).step(batch(64), 0, 100, RNG)
    assert log["loss"] == pytest.approx(2, rel=0.1)


@pytest.mark.slow
def test_it_learns_what_words_look_like() -> None:
    student, total = learner(learning_rate=3e-3, unsaid_prob=0.1), 150
    losses = [student.step(batch(32), i, total, RNG.fork(i))["loss"] for i in range(total)]
    assert sum(losses[-10:]) < 0.5 * sum(losses[:10])
    flow, x = student.average, RNG.fork("x").normal(4, 4, 4).expand(4, 4, 4, 4)
    sigma = torch.full((4,), 0.9)
    clean = x - 0.9 * flow(x, sigma, read(Reader(), WORDS, TINY.text_length))
    wanted = flow.normalised(batch(4)["codes"])
    far = torch.cdist(clean.flatten(1), wanted.flatten(1))
    assert far.argmin(dim=1).tolist() == [0, 1, 2, 3]


def test_the_scale_is_that_of_the_first_batch() -> None:
    student = learner()
    student.step(batch(), 0, 10, RNG)
    codes = batch()["codes"].float()
    torch.testing.assert_close(student.average.mean, codes.mean(dim=(0, 2, 3)))
    before = student.flow.mean.clone()
    student.step({**batch(), "codes": batch()["codes"] * 2}, 1, 10, RNG)
    assert torch.equal(student.flow.mean, before)


def test_each_batch_has_some_of_every_noise() -> None:
    student = learner(noise_mean=0.5, noise_deviation=2.0)
    sigmas = [student._sigmas(1000, RNG.fork(i)) for i in range(3)]
    for sigma in sigmas:
        assert ((sigma > 0) & (sigma < 1)).all()
        assert float(sigma.logit().mean()) == pytest.approx(0.5, abs=0.02)
        assert float(sigma.logit().std()) == pytest.approx(2, abs=0.04)
    assert not torch.equal(sigmas[0], sigmas[1])


def test_unsaid_captions_are_empty() -> None:
    """With all of them left out, captions change nothing."""
    one, other = learner(unsaid_prob=1.0), learner(unsaid_prob=1.0)
    shuffled = {**batch(), "captions": batch()["captions"][::-1]}
    for index in range(3):
        one.step(batch(), index, 10, RNG.fork(index))
        other.step(shuffled, index, 10, RNG.fork(index))
    assert digest(one.state()) == digest(other.state())


def drawn(count: int = 8) -> dict[str, Any]:
    """Codes with the sketches below them that they are like, but for their sign."""
    data = batch(count)
    return {**data, "codes": torch.cat([data["codes"], 2 - data["codes"]], dim=1)}


@pytest.mark.slow
def test_it_learns_to_paint_after_a_sketch() -> None:
    """No caption is left, so only the sketch tells; and it tells the opposite."""
    student, total = shown(learning_rate=3e-3, unsaid_prob=1.0, unshown_prob=0.2), 200
    for index in range(total):
        student.step(drawn(32), index, total, RNG.fork(index))
    flow, codes = student.average, drawn(4)["codes"].float()
    x, sigma = RNG.fork("x").normal(4, 4, 4).expand(4, 4, 4, 4), torch.full((4,), 0.95)
    words = read(Reader(), [""] * 4, TINY.text_length)
    told = words._replace(sketch=flow.normalised(codes[:, 4:]))
    clean = x - 0.95 * flow(x, sigma, told)
    far = torch.cdist(clean.flatten(1), flow.normalised(codes[:, :4]).flatten(1))
    assert far.argmin(dim=1).tolist() == [0, 1, 2, 3]


def test_some_are_shown_nothing() -> None:
    student = shown(unshown_prob=0.5)
    sketch = torch.ones(512, 4, 4, 4)
    told = student._told(batch(512)["captions"], sketch, RNG)
    assert told.sketch is not None
    assert float(told.sketch.mean()) == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize(("make", "batch"), [(learner, batch), (shown, drawn)])
def test_it_continues_bit_for_bit(tmp_path, make, batch) -> None:
    whole = make()
    for index in range(4):
        whole.step(batch(), index, 6, RNG.fork(index))
    save_state(tmp_path / "state", whole.state())
    resumed = make()
    resumed.step(batch(), 0, 6, RNG)
    resumed.load_state(load_state(tmp_path / "state"))
    for index in (4, 5):
        whole.step(batch(), index, 6, RNG.fork(index))
        resumed.step(batch(), index, 6, RNG.fork(index))
    assert digest(resumed.state()) == digest(whole.state())


def test_lowered_rates_stay_lowered(tmp_path) -> None:
    student = learner()
    student.temper(0.5)
    assert student.step(batch(), 1, 10, RNG)["rate"] == pytest.approx(0.5e-3)
    resumed = learner()
    resumed.load_state(copy.deepcopy(student.state()))
    assert resumed.step(batch(), 2, 10, RNG)["rate"] == pytest.approx(0.5e-3)


def test_a_sheet_shows_pictures_and_what_is_painted_of_their_captions() -> None:
    student = learner()
    images = torch.randint(256, (2, 3, 16, 16), dtype=torch.uint8)
    sheet = student.preview({"images": images, "captions": ("red", "blue")}, RNG)
    assert sheet.shape == (4, 3, 16, 16)
    assert sheet.abs().max() <= 1
    after = torch.cat([images, images.flip(3)], dim=1)
    sheet = shown().preview({"images": after, "captions": ("red", "blue")}, RNG)
    assert sheet.shape == (4, 3, 16, 16)


def test_it_encodes_to_what_it_learns_from() -> None:
    images = torch.randint(256, (2, 3, 16, 16), dtype=torch.uint8)
    codes = learner().encode(images)
    assert codes.shape == (2, 4, 4, 4)
    assert codes.dtype is torch.float16
    both = shown().encode(torch.cat([images, images.flip(0)], dim=1))
    assert torch.equal(both, torch.cat([codes, codes.flip(0)], dim=1))


def learnt(team: Team) -> dict[str, Any]:
    return _learnt(learner(team=team), batch(), team)


def learnt_after_sketches(team: Team) -> dict[str, Any]:
    return _learnt(shown(team), drawn(), team)


def _learnt(student: LatentDiffusionLearner, whole: dict[str, Any], team: Team) -> dict[str, Any]:
    logs = []
    part = {
        "codes": team.rows(whole["codes"]),
        "captions": tuple(WORDS[i % 4] for i in team.rows(torch.arange(8)).tolist()),
    }
    with torch.autocast("cpu", enabled=False):
        for index in range(4):
            logs.append(student.step(part, index, 4, RNG.fork(index))["loss"])
    return {"logs": logs, "flow": flat(student.flow), "average": flat(student.average)}


def flat(module: torch.nn.Module) -> Tensor:
    return torch.cat([value.detach().float().flatten() for value in module.state_dict().values()])


@pytest.mark.slow
@pytest.mark.parametrize(("learn", "make"), [(learnt, learner), (learnt_after_sketches, shown)])
def test_two_processes_learn_what_one_does(pair: Pair, learn, make) -> None:
    alone, (first, second) = learn(ALONE), pair(learn)
    start = flat(make().flow)
    for key in ("flow", "average"):
        assert torch.equal(first[key], second[key]), key
        # bf16 rounds a batch of four otherwise than one of eight
        assert (alone[key] - first[key]).norm() < 0.1 * (alone[key] - start).norm()
    assert first["logs"] == pytest.approx(alone["logs"], rel=0.02)
