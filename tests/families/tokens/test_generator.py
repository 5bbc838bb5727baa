"""The token painter: seeds, words, candidates, completions, what it refuses."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from phosphene.core.errors import CheckpointError, RecipeError
from phosphene.core.images import Images
from phosphene.core.protocols import Choice, Commission, Illustrator, Step
from phosphene.core.rng import Rng
from phosphene.families.tokens import generator
from phosphene.families.tokens.generator import TokenPainter, build
from phosphene.families.tokens.sampling import Term
from tests.families.tokens.toys import (
    TINY_TOKENS,
    after_sketches,
    autoencoder,
    token_painter,
    transformer,
)
from tests.reader import Reader
from tests.shelf import NoShelf
from tests.sketchbook import SHOWN, sketchbook

RNG = Rng((5,), "/test")
SIZE, PX = TINY_TOKENS.grid_size, TINY_TOKENS.resolution // TINY_TOKENS.grid_size
ONE = Choice(top_k=20, num_candidates=1)


def asked(*spans: tuple[str, float], **changes: Any) -> Commission:
    plain: dict[str, Any] = {"height": 16, "width": 16, "guidance_scale": 3.0, "choice": ONE}
    return Commission(spans=spans or (("a red fox", 1.0),), **{**plain, **changes})


def steps_of(model: TokenPainter, commission: Commission, rng: Rng = RNG) -> list[Step]:
    return list(model.illustrate(commission, rng))


def painted(model: TokenPainter, commission: Commission, rng: Rng = RNG) -> Images:
    images = steps_of(model, commission, rng)[-1].images
    assert images is not None
    return images


def picture(seed: int = 1) -> Tensor:
    return Rng((seed,)).uniform(3, 16, 16, low=-1.0)


def test_is_an_illustrator() -> None:
    assert isinstance(token_painter(), Illustrator)


def test_rows_arrive_one_by_one_above_white_paper() -> None:
    model = token_painter()
    steps = steps_of(model, asked())
    assert [step.index for step in steps] == list(range(SIZE))
    assert {step.total for step in steps} == {SIZE}
    for step in steps:
        assert step.images is not None
        assert step.images.shape == (1, 3, 16, 16)
        assert step.images.abs().max() <= 1
        assert (step.images[:, :, PX * (step.index + 1) :] == 1).all()
        assert (step.images[:, :, : PX * (step.index + 1)] < 1).any()


def test_seed_words_and_what_to_avoid_decide() -> None:
    model = token_painter()
    first = painted(model, asked())
    assert torch.equal(painted(model, asked()), first)
    others = [
        painted(model, asked(), Rng((6,), "/test")),
        painted(model, asked(("a blue owl", 1.0))),
        painted(model, asked(negative_prompt="owl")),
        painted(model, asked(guidance_scale=1.0)),
        painted(model, asked(("a ", 1.0), ("red", 4.0), (" fox", 1.0))),
        painted(model, asked(choice=replace(ONE, temperature=3.0, top_k=0))),
    ]
    for other in others:
        assert not torch.equal(other, first)


def test_a_word_of_weight_nought_is_not_there() -> None:
    model = token_painter()
    without = painted(model, asked(("a fox", 1.0)))
    assert torch.equal(painted(model, asked(("a fox", 1.0), (" red", 0.0))), without)


def test_the_best_candidate_is_shown() -> None:
    """Each is what its own numbers make of it, whatever stands beside it."""
    model, seen = token_painter(), []

    def judge(images: Images) -> Tensor:
        seen.append(images)
        return torch.tensor([0.3, 0.1, 0.2])[: len(images)]

    several = asked(choice=replace(ONE, num_candidates=3), judge=judge)
    steps = steps_of(model, several)
    (candidates,) = seen
    assert candidates.shape == (3, 3, 16, 16)
    assert torch.equal(steps[-1].images, candidates[1:2])
    assert steps[-1].scalars["candidate"] == 1
    assert steps[-1].scalars["distance"] == pytest.approx(0.1)
    assert steps[-1].scalars["mean_distance"] == pytest.approx(0.2)
    torch.testing.assert_close(candidates[:1], painted(model, asked()))
    torch.testing.assert_close(steps[0].images, steps_of(model, asked())[0].images)


@pytest.mark.parametrize(("strength", "rows"), [(0.5, 2), (0.1, 1), (0.75, 3), (1.0, 4)])
def test_a_picture_is_completed_from_below(strength, rows) -> None:
    model, init = token_painter(), picture()
    steps = steps_of(model, asked(init=init, strength=strength))
    assert len(steps) == rows
    kept = SIZE - rows
    tokens = model.encode(init)
    drawn = steps[-1].images
    assert drawn is not None
    assert not torch.equal(drawn, model.decode(tokens))
    # what is above decides what comes: another picture, another completion
    if kept:
        other = painted(model, asked(init=picture(2), strength=strength))
        assert not torch.equal(other, drawn)
        # while rows arrive, the picture to start from is what is below
        for step in steps[:-1]:
            assert step.images is not None
            below = PX * (kept + step.index + 1)
            assert torch.equal(step.images[:, :, below:], init[:, :, below:])


def test_rows_that_are_kept_are_its_tokens(monkeypatch) -> None:
    model, init, decoded = token_painter(), picture(), []
    decode = model.decode
    monkeypatch.setattr(model, "decode", lambda tokens: decoded.append(tokens) or decode(tokens))
    painted(model, asked(init=init, strength=0.5))
    tokens = model.encode(init)
    assert torch.equal(decoded[-1][:, : 2 * SIZE], tokens[:, : 2 * SIZE])
    assert not torch.equal(decoded[-1][:, 2 * SIZE :], tokens[:, 2 * SIZE :])


def test_outside_the_mask_the_picture_is_kept_to_the_pixel() -> None:
    model, init, mask = token_painter(), picture(), torch.zeros(1, 1, 16, 16)
    mask[..., 5:9, 3:11] = 1
    steps = steps_of(model, asked(init=init, mask=mask))
    assert len(steps) == SIZE - 1  # from the first row that is touched
    got = steps[-1].images
    assert got is not None
    outside = mask[0, 0] == 0
    assert torch.equal(got[0][:, outside], init[0][:, outside])
    assert not torch.allclose(got[0][:, ~outside], init[0][:, ~outside], atol=0.05)


def test_a_mask_that_is_black_keeps_everything() -> None:
    model, init = token_painter(), picture()
    steps = steps_of(model, asked(init=init, mask=torch.zeros(1, 1, 16, 16)))
    assert len(steps) == 1
    assert torch.equal(steps[0].images, init)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"width": 24}, "size 24 x 16: this model draws 16 x 16 px"),
        ({"choice": Choice(num_candidates=2)}, "2 candidates need a judge"),
        ({"choice": Choice(num_candidates=65)}, "num_candidates is 65; use 1 to 64"),
    ],
)
def test_what_it_cannot_do_is_refused_at_once(changes, said) -> None:
    with pytest.raises(RecipeError, match=said):
        next(iter(token_painter().illustrate(asked(**changes), RNG)))


class Shelf(NoShelf):
    """Hands out the parts of a model."""

    def __init__(self, **models: Any) -> None:
        self.models = models

    def model(self, name: str) -> Any:
        return self.models[name]


def test_it_is_built_from_its_weights() -> None:
    made = transformer()
    parts = {"tiny-vqgan": autoencoder(), "tiny-text": Reader()}
    built = build(made.state_dict(), made.config.to_dict(), Shelf(**parts))
    assert torch.equal(painted(built, asked()), painted(token_painter(), asked()))


@pytest.mark.parametrize(
    ("changes", "parts", "said"),
    [
        ({}, {"tiny-vqgan": Reader()}, "are no autoencoder and text network"),
        ({"vocab": 9}, {}, "knows 9 tokens, and 'tiny-vqgan' has 32"),
    ],
)
def test_parts_that_do_not_fit_are_refused(changes, parts, said) -> None:
    made = transformer(**changes)
    shelf = Shelf(**{"tiny-vqgan": autoencoder(), "tiny-text": Reader(), **parts})
    with pytest.raises(CheckpointError, match=said):
        build(made.state_dict(), made.config.to_dict(), shelf)


def test_each_candidate_paints_after_its_own_sketch() -> None:
    model = after_sketches()
    assert model.sketches is not None
    model.sketches.book.embeddings.fill_(1)  # names that are all alike leave it to the seed
    commission = asked(drawing=RNG)
    four = [drawing.images for drawing in model._drawn(commission, 4)]
    assert len(torch.cat(four).unique(dim=0)) > 1
    # a candidate's is its own, however many there are
    for drawing, image in zip(model._drawn(commission, 2), four[:2], strict=True):
        assert torch.equal(drawing.images, image)
    assert torch.equal(four[0], model.sketches.draw("a red fox", RNG).images)
    assert model._drawn(asked((" ", 1.0)), 1) == []


def test_what_is_painted_depends_on_the_sketch() -> None:
    model = after_sketches()
    assert model.sketches is not None
    first = painted(model, asked())
    model.sketches.book.tokens.copy_((model.sketches.book.tokens + 1) % TINY_TOKENS.vocab)
    assert not torch.equal(painted(model, asked()), first)


def test_one_that_paints_after_sketches_is_built_with_its_book() -> None:
    made = transformer(**SHOWN)
    parts = {"tiny-vqgan": autoencoder(), "tiny-text": Reader(), "tiny-book": sketchbook()}
    model = build(made.state_dict(), made.config.to_dict(), Shelf(**parts))
    assert torch.equal(painted(model, asked()), painted(after_sketches(), asked()))
    with pytest.raises(CheckpointError, match="'tiny-book' is no sketchbook"):
        build(made.state_dict(), made.config.to_dict(), Shelf(**{**parts, "tiny-book": Reader()}))


def test_rows_at_which_nobody_looks_are_not_decoded(monkeypatch) -> None:
    model, decoded = token_painter(), []
    decode = model.decode
    monkeypatch.setattr(model, "decode", lambda tokens: decoded.append(1) or decode(tokens))
    steps = steps_of(model, asked())
    assert len(decoded) == 1
    assert steps[0].images is steps[0].images
    assert len(decoded) == 2


def test_each_of_two_things_is_told_its_own_words_where_it_is_drawn(monkeypatch) -> None:
    model = after_sketches()
    assert model.sketches is not None
    told: list[Sequence[Term]] = []
    monkeypatch.setattr(generator, "draw", lambda _, terms, *rest: told.append(terms) or iter(()))
    whole = ("a red fox next to an owl", 1.0)
    weighed = (("a red fox ", 2.0), ("next to an owl", 1.0))
    for spans in ((whole,), weighed, (("a red fox", 1.0),)):
        with pytest.raises(UnboundLocalError):  # nothing is drawn
            painted(model, asked(*spans))
    both, weights, alone = told
    assert both[0].shares is None
    for term, region in zip(both[1:], model.sketches.draw(whole[0]).regions, strict=True):
        assert term.shares is not None
        assert torch.equal(term.shares, region.pooled(SIZE).share.flatten(1))
        assert torch.equal(term.words.states, model.read(region.words).states)
    assert {term.shares for term in (*weights, *alone)} == {None}  # weights are of the whole
