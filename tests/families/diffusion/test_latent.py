"""The illustrator: seeds, words, starts from a picture, masks, what it refuses."""

import threading
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from phosphene.core.errors import CheckpointError, RecipeError
from phosphene.core.images import Images
from phosphene.core.protocols import Commission, Illustrator
from phosphene.core.rng import Rng
from phosphene.core.weights import save_weights
from phosphene.families.diffusion.flow import Flow
from phosphene.families.diffusion.latent import LatentDiffusion, build
from phosphene.nn.insertion import inserted
from tests.families.diffusion.toys import autoencoder, flow, painter
from tests.reader import Reader
from tests.sketchbook import SHOWN, sketchbook, sketches

RNG = Rng((5,), "/test")


def asked(*spans: tuple[str, float], **changes: Any) -> Commission:
    plain: dict[str, Any] = {
        "height": 16,
        "width": 16,
        "steps": 3,
        "guidance_scale": 3.0,
        "sampler": "euler",
    }
    return Commission(spans=spans or (("a red fox", 1.0),), **{**plain, **changes})


def painted(model: LatentDiffusion, commission: Commission, rng: Rng = RNG) -> Images:
    *_, step = model.illustrate(commission, rng)
    assert step.images is not None
    return step.images


def picture(seed: int = 1) -> Tensor:
    return Rng((seed,)).uniform(3, 16, 16, low=-1.0)


def test_is_an_illustrator() -> None:
    assert isinstance(painter(), Illustrator)


def test_a_step_each_with_a_picture() -> None:
    steps = list(painter().illustrate(asked(steps=4), RNG))
    assert [step.index for step in steps] == [0, 1, 2, 3]
    assert {step.total for step in steps} == {4}
    for step in steps:
        assert step.images is not None
        assert step.images.shape == (1, 3, 16, 16)
        assert step.images.abs().max() <= 1


def test_the_number_of_threads_changes_nothing() -> None:
    seen: list[tuple[int, str]] = []

    class Watched(Flow):
        def forward(self, x, sigma, words):
            seen.append((len(x), threading.current_thread().name.partition("_")[0]))
            assert torch.get_num_threads() == 1
            return super().forward(x, sigma, words)

    model = painter()
    model.flow.__class__ = Watched
    before, pictures = torch.get_num_threads(), []
    for threads in (1, 3):
        torch.set_num_threads(threads)
        try:
            pictures.append(painted(model, asked()))
            told = model.told(asked())
            pictures.append(told.decode(told.denoise(Rng((1,)).normal(*told.shape), 0.5)))
        finally:
            torch.set_num_threads(before)
    assert {rows for rows, _ in seen} == {1}  # the prompt and none, apart
    assert {name for _, name in seen} == {threading.current_thread().name, "stream"}
    assert torch.equal(pictures[0], pictures[2])
    assert torch.equal(pictures[1], pictures[3])


def test_seed_words_and_what_to_avoid_decide() -> None:
    model = painter()
    first = painted(model, asked())
    assert torch.equal(painted(model, asked()), first)
    others = [
        painted(model, asked(), Rng((6,), "/test")),
        painted(model, asked(("a blue owl", 1.0))),
        painted(model, asked(negative_prompt="owl")),
        painted(model, asked(guidance_scale=1.0)),
        painted(model, asked(("a ", 1.0), ("red", 2.0), (" fox", 1.0))),
        painted(model, asked(sampler="unipc")),
    ]
    for other in others:
        assert not torch.equal(other, first)


def test_a_word_of_weight_nought_is_not_there() -> None:
    model = painter()
    without = painted(model, asked(("a fox", 1.0)))
    torch.testing.assert_close(painted(model, asked(("a fox", 1.0), (" red", 0.0))), without)


def test_it_begins_with_a_picture() -> None:
    model, init = painter(), picture()
    little = asked(init=init, strength=0.02, steps=50)
    assert len(list(model.illustrate(little, RNG))) == 1
    seen = model.decode(model.encode(init))
    near = (painted(model, little) - seen).abs().mean()
    far = (painted(model, replace(little, strength=1.0)) - seen).abs().mean()
    assert near < far


def test_outside_the_mask_the_picture_is_kept_to_the_pixel() -> None:
    model, init, mask = painter(), picture(), torch.zeros(1, 1, 16, 16)
    mask[..., 5:9, 3:11] = 1
    got = painted(model, asked(init=init, mask=mask, strength=1.0))
    outside = mask[0, 0] == 0
    assert torch.equal(got[0][:, outside], init[0][:, outside])
    assert not torch.allclose(got[0][:, ~outside], init[0][:, ~outside], atol=0.05)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"width": 24}, "size 24 x 16: this model paints 16 x 16 px"),
        ({"sampler": "magic"}, "sampler 'magic' is unknown here; it can be euler, unipc"),
    ],
)
def test_what_it_cannot_do_is_refused_at_once(changes, said) -> None:
    with pytest.raises(RecipeError, match=said):
        next(iter(painter().illustrate(asked(**changes), RNG)))


class Shelf:
    """Hands out the parts of a model."""

    device, dtype = torch.device("cpu"), None

    def __init__(self, **models: Any) -> None:
        self.models = models

    def model(self, name: str) -> Any:
        return self.models[name]

    def read(self, file_name: str) -> bytes:
        raise NotImplementedError

    def folder(self) -> Any:
        raise NotImplementedError


def test_it_is_built_from_its_weights(tmp_path) -> None:
    made = flow()
    parts = {"tiny-vqgan": autoencoder(), "tiny-text": Reader()}
    built = build(made.state_dict(), made.config.to_dict(), Shelf(**parts))
    assert torch.equal(painted(built, asked()), painted(painter(), asked()))
    save_weights(tmp_path / "a.safetensors", made.state_dict(), made.config.to_dict())


def test_what_it_is_shown_shows_and_the_seed_chooses_it() -> None:
    model = LatentDiffusion(flow(**SHOWN), autoencoder(), Reader(), sketches())
    first = painted(model, asked())
    assert torch.equal(painted(model, asked()), first)
    mute = LatentDiffusion(model.flow, model.autoencoder, Reader())
    assert not torch.equal(painted(mute, asked()), first)
    model.sketches.book.embeddings.fill_(1)  # names that are all alike leave it to the seed
    one, other = (model.sketch(asked(drawing=Rng((seed,), "/test"))).codes for seed in (1, 2))
    assert not torch.equal(one, other)
    assert model.sketch(asked((" ", 1.0))).codes is None


def test_words_and_what_to_avoid_are_shown_the_same_sketch() -> None:
    """So that guidance leads away from words, not from what is shown."""
    model = LatentDiffusion(flow(**SHOWN), autoencoder(), Reader(), sketches())
    terms, unsaid = model._read(asked(("a ", 1.0), ("red", 2.0), (" fox", 1.0)))
    assert len(terms) == 2
    for term in terms:
        assert torch.equal(term.words.sketch, unsaid.sketch)


def test_one_that_paints_after_sketches_is_built_with_its_book() -> None:
    made = flow(**SHOWN)
    parts = {"tiny-vqgan": autoencoder(), "tiny-text": Reader(), "tiny-book": sketchbook()}
    built = build(made.state_dict(), made.config.to_dict(), Shelf(**parts))
    whole = LatentDiffusion(made, autoencoder(), Reader(), sketches())
    assert torch.equal(painted(built, asked()), painted(whole, asked()))
    with pytest.raises(CheckpointError, match="'tiny-book' is no sketchbook"):
        build(made.state_dict(), made.config.to_dict(), Shelf(**{**parts, "tiny-book": Reader()}))


def test_parts_that_are_none_are_refused() -> None:
    made = flow()
    with pytest.raises(CheckpointError, match="no autoencoder and text network"):
        build(
            made.state_dict(),
            made.config.to_dict(),
            Shelf(**{"tiny-vqgan": Reader(), "tiny-text": Reader()}),
        )


def test_a_step_at_which_nobody_looks_paints_nothing(monkeypatch) -> None:
    model, decoded = painter(), []
    decode = model.decode
    monkeypatch.setattr(model, "decode", lambda x: decoded.append(1) or decode(x))
    steps = list(model.illustrate(asked(), RNG))
    assert len(decoded) == 1
    first = steps[0].images
    assert first is not None
    assert first.shape == (1, 3, 16, 16)
    assert steps[0].images is first
    assert len(decoded) == 2


def test_a_start_lends_its_shapes_the_more_the_less_it_is_painted_over() -> None:
    model = LatentDiffusion(flow(**SHOWN), autoencoder(), Reader(), sketches())
    init = picture()
    drawn = model.sketch(asked()).codes
    start = model.encode(init)
    assert drawn is not None
    for strength in (0.1, 0.5, 1.0):
        got = model.sketch(asked(init=init, strength=strength)).codes
        torch.testing.assert_close(got, torch.lerp(start, drawn, strength**2))
    assert torch.equal(model.sketch(asked((" ", 1.0), init=init)).codes, start)


def test_with_a_mask_the_drawing_stands_in_the_hole() -> None:
    model = LatentDiffusion(flow(**SHOWN), autoencoder(), Reader(), sketches())
    assert model.sketches is not None
    init, mask = picture(), torch.zeros(1, 1, 16, 16)
    mask[..., 8:, 8:] = 1
    got = model.sketch(asked(init=init, mask=mask, strength=0.5)).codes
    shown = inserted(init, mask, model.sketches.draw("a red fox").images)
    assert torch.equal(got, model.encode(shown))
    assert torch.equal(shown[..., :8, :], init[..., :8, :])


def test_each_of_two_things_is_told_its_own_words_where_it_is_drawn() -> None:
    model = LatentDiffusion(flow(**SHOWN), autoencoder(), Reader(), sketches())
    two = asked(("a red fox next to an owl | flat", 1.0))
    terms, _ = model._read(two)
    assert model.sketches is not None
    first, second = model.sketches.draw(two.prompt).regions
    assert (first.words, second.words) == ("a red fox | flat", "an owl | flat")
    assert terms[0].share is None
    for term, region in zip(terms[1:], (first, second), strict=True):
        assert torch.equal(term.words.states, model.read(region.words).states)
        assert term.share is not None
        assert torch.equal(term.share, F.adaptive_max_pool2d(region.share, 4))
    # of a start's shapes the more are kept, the less is named alone
    init = asked(("a red fox next to an owl", 1.0), init=picture(), strength=0.5)
    assert model._read(init)[0][1].share.max() == 0.25
    # weights are of words of the whole; and one thing needs no part of its own
    weighed = asked(("a ", 1.0), ("red", 2.0), (" fox next to an owl", 1.0))
    assert all(term.share is None for term in model._read(weighed)[0])
    assert [term.share for term in model._read(asked())[0]] == [None]
