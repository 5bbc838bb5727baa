"""The token transformer's learner: it learns pictures by heart, and continues bit for bit."""

import copy
import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from phosphene.core.errors import CheckpointError
from phosphene.core.protocols import Choice, Learner
from phosphene.core.rng import Rng
from phosphene.core.team import ALONE, Team
from phosphene.families.tokens.sampling import Sampling, Term, draw
from phosphene.families.tokens.transformer import TokenTransformerConfig, read
from phosphene.families.tokens.transformer_training import TokenLearner, TokenTraining
from phosphene.training.checkpoint import load_state, save_state
from phosphene.training.loop import Temperate
from tests.families.tokens.test_training import digest
from tests.families.tokens.toys import TINY_TOKENS, autoencoder
from tests.pair import Pair
from tests.reader import Reader
from tests.sketchbook import SHOWN

RNG = Rng((3,), "/test")
WORDS = ("red", "green", "blue", "grey", "fox", "owl", "sun", "moon")
COUNT, SIZE = TINY_TOKENS.num_places, TINY_TOKENS.grid_size


def learner(seed: int = 0, team: Team = ALONE, **settings: Any) -> TokenLearner:
    made = TokenTraining(**{"warmup_steps": 1, **settings})
    return TokenLearner(TINY_TOKENS, made, autoencoder(), Reader(), Rng((seed,)), team)


def shown(**settings: Any) -> TokenLearner:
    """One that paints after sketches."""
    config, made = replace(TINY_TOKENS, **SHOWN), TokenTraining(**{"warmup_steps": 1, **settings})
    return TokenLearner(config, made, autoencoder(), Reader(), Rng((0,)))


def batch(count: int = 8) -> dict[str, Any]:
    """Tokens that a word fully tells: each has a picture of its own."""
    tokens = Rng(tuple(range(len(WORDS)))).fork("p").integers(SIZE, SIZE, high=TINY_TOKENS.vocab)
    rows = [i % len(WORDS) for i in range(count)]
    return {"codes": tokens[rows].to(torch.int16), "captions": tuple(WORDS[i] for i in rows)}


def test_is_a_learner() -> None:
    assert isinstance(learner(), Learner)
    assert isinstance(learner(), Temperate)


def test_at_the_start_all_tokens_are_about_equally_likely() -> None:
    loss = learner().step(batch(), 0, 10, RNG)["loss"]
    assert loss == pytest.approx(math.log(TINY_TOKENS.vocab), rel=0.05)


def test_the_loss_is_that_of_the_next_token() -> None:
    """By hand: the mean of -log p of each token, from the network as it was."""
    student = learner(unsaid_prob=0.0)
    tokens = batch()["codes"].flatten(1).long()
    words = read(Reader(), batch()["captions"], TINY_TOKENS.text_length)
    with torch.no_grad():
        chances = student.network(tokens[:, :-1], words).log_softmax(dim=2)
    wanted = -chances.gather(2, tokens[..., None]).mean()
    assert student.step(batch(), 0, 10, RNG)["loss"] == pytest.approx(float(wanted), rel=5e-3)


@pytest.mark.slow
def test_it_learns_pictures_by_heart() -> None:
    """Asked for the likeliest tokens of a caption, it gives the picture's own."""
    student, total = learner(learning_rate=1e-2, ema=0.9, unsaid_prob=0.05), 200
    losses = [student.step(batch(), i, total, RNG.fork(i))["loss"] for i in range(total)]
    assert losses[-1] < 0.1 * losses[0]
    words, unsaid = (read(Reader(), w, TINY_TOKENS.text_length) for w in (WORDS, [""] * 8))
    sampling = Sampling(choice=Choice(temperature=0))
    *_, tokens = draw(student.average, [Term(words)], unsaid, torch.zeros(8, COUNT), sampling)
    assert torch.equal(tokens, batch()["codes"].flatten(1).long())


def test_unsaid_captions_are_empty() -> None:
    """With all of them left out, captions change nothing."""
    one, other = learner(unsaid_prob=1.0), learner(unsaid_prob=1.0)
    shuffled = {**batch(), "captions": batch()["captions"][::-1]}
    for index in range(3):
        one.step(batch(), index, 10, RNG.fork(index))
        other.step(shuffled, index, 10, RNG.fork(index))
    assert digest(one.state()) == digest(other.state())


def drawn(count: int = 8) -> dict[str, Any]:
    """Tokens beside sketches that fully tell them: each is one more than the sketch's."""
    tokens = batch(count)["codes"]
    return {**batch(count), "codes": torch.cat([(tokens + 1) % TINY_TOKENS.vocab, tokens], dim=2)}


@pytest.mark.slow
def test_it_learns_to_paint_after_a_sketch() -> None:
    """No caption is left, so the sketch alone tells."""
    student, total = shown(learning_rate=1e-2, ema=0.9, unsaid_prob=1.0, unshown_prob=0.05), 200
    losses = [student.step(drawn(), i, total, RNG.fork(i))["loss"] for i in range(total)]
    assert losses[-1] < 0.2 * losses[0]
    tokens, sketch = (part.flatten(1).long() for part in drawn()["codes"].split(SIZE, dim=2))
    unsaid = read(Reader(), [""] * 8, TINY_TOKENS.text_length)._replace(sketch=sketch)
    sampling = Sampling(choice=Choice(temperature=0))
    *_, got = draw(student.average, [Term(unsaid)], unsaid, torch.zeros(8, COUNT), sampling)
    assert torch.equal(got, tokens)


def test_sketches_that_are_not_shown_change_nothing() -> None:
    one, other = shown(unshown_prob=1.0), shown(unshown_prob=1.0)
    without = {**batch(), "codes": drawn()["codes"][..., :SIZE]}
    for index in range(3):
        one.step(drawn(), index, 10, RNG.fork(index))
        other.step(without, index, 10, RNG.fork(index))
    torch.testing.assert_close(one.network.head.weight, other.network.head.weight)


def test_a_picture_and_its_drawing_become_tokens_beside_one_another() -> None:
    student = shown()
    images = Rng((1,)).integers(8, 6, 16, 16, high=256)[0].to(torch.uint8)
    both = student.encode(images)
    assert both.shape == (8, SIZE, 2 * SIZE)
    assert torch.equal(both[:, :, :SIZE], learner().encode(images[:, :3]))
    assert torch.equal(both[:, :, SIZE:], learner().encode(images[:, 3:]))
    sheet = student.preview({"images": images, "captions": batch()["captions"]}, RNG)
    assert sheet.shape == (16, 3, 16, 16)


def test_it_continues_bit_for_bit(tmp_path) -> None:
    whole = learner()
    for index in range(4):
        whole.step(batch(), index, 6, RNG.fork(index))
    save_state(tmp_path / "state", whole.state())
    resumed = learner(seed=9)
    resumed.load_state(load_state(tmp_path / "state"))
    for index in (4, 5):
        whole.step(batch(), index, 6, RNG.fork(index))
        resumed.step(batch(), index, 6, RNG.fork(index))
    assert digest(resumed.state()) == digest(whole.state())


def test_lowered_rates_stay_lowered() -> None:
    student = learner(learning_rate=2e-3)
    student.temper(0.5)
    assert student.step(batch(), 1, 10, RNG)["rate"] == pytest.approx(1e-3)
    resumed = learner(learning_rate=2e-3)
    resumed.load_state(copy.deepcopy(student.state()))
    assert resumed.step(batch(), 2, 10, RNG)["rate"] == pytest.approx(1e-3)


def test_matrices_of_layers_decay_and_nothing_else() -> None:
    decaying, resting = learner(weight_decay=0.1).optimizer.param_groups
    assert (decaying["weight_decay"], resting["weight_decay"]) == (0.1, 0)
    assert {p.ndim for p in decaying["params"]} == {2}
    counted = sum(p.numel() for group in (decaying, resting) for p in group["params"])
    assert counted == sum(p.numel() for p in learner().network.parameters())


def test_a_sheet_shows_pictures_and_what_is_drawn_of_their_captions() -> None:
    images = torch.randint(256, (2, 3, 16, 16), dtype=torch.uint8)
    sheet = learner().preview({"images": images, "captions": ("red", "blue")}, RNG)
    assert sheet.shape == (4, 3, 16, 16)
    assert sheet.abs().max() <= 1


def test_it_encodes_to_what_it_learns_from() -> None:
    images = torch.randint(256, (2, 3, 16, 16), dtype=torch.uint8)
    student = learner()
    tokens = student.encode(images)
    assert tokens.dtype is torch.int16
    codes = student.autoencoder.encode(images.float() / 127.5 - 1)
    assert torch.equal(tokens.long(), student.autoencoder.tokens(codes).data)


def test_tokens_of_another_codebook_are_refused() -> None:
    config = TokenTransformerConfig.from_dict({**TINY_TOKENS.to_dict(), "vocab": 9})
    with pytest.raises(CheckpointError, match="knows 9 tokens"):
        TokenLearner(config, TokenTraining(), autoencoder(), Reader(), Rng((0,)))


def learnt(team: Team) -> dict[str, Any]:
    student, logs, whole = learner(team=team), [], batch()
    part = {
        "codes": team.rows(whole["codes"]),
        "captions": tuple(WORDS[i] for i in team.rows(torch.arange(8)).tolist()),
    }
    for index in range(4):
        logs.append(student.step(part, index, 4, RNG.fork(index))["loss"])
    return {"logs": logs, "network": flat(student.network), "average": flat(student.average)}


def flat(module: torch.nn.Module) -> Tensor:
    return torch.cat([value.detach().float().flatten() for value in module.state_dict().values()])


def test_two_processes_learn_what_one_does(pair: Pair) -> None:
    alone, (first, second) = learnt(ALONE), pair(learnt)
    start = flat(learner().network)
    for key in ("network", "average"):
        assert torch.equal(first[key], second[key]), key
        # bf16 rounds a batch of four otherwise than one of eight
        assert (alone[key] - first[key]).norm() < 0.1 * (alone[key] - start).norm()
    assert first["logs"] == pytest.approx(alone["logs"], rel=0.02)
