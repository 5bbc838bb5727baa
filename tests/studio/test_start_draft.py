"""A search that goes on from another model's picture of the same words."""

import pytest
import torch

from phosphene.core.errors import RecipeError, Unsupported
from phosphene.core.images import save_png
from phosphene.core.rng import Rng
from phosphene.studio.craft import Painted
from phosphene.studio.easel import set_easel
from phosphene.studio.imagine import imagine
from phosphene.studio.recipes.imagine import OWN_MODELS
from phosphene.studio.replay import replay
from phosphene.studio.stage import set_stage
from phosphene.studio.start import start
from tests.studio.fakes import tiny
from tests.studio.illustrators import token_wish, wish

RNG = Rng((5,), "/imagine/start")


def drafted(prompt="a red fox", **fields):
    return tiny(prompt, start="draft", drafter="tiny-diffusion", **fields)


def test_it_is_what_the_drafter_paints(zoo):
    stage = set_stage(drafted("a red fox | dull:-1"), zoo)
    model = zoo.load("tiny-diffusion", dtype=next(stage.decoder.parameters()).dtype)
    commission = set_easel(wish("a red fox | dull:-1", iterations=None), zoo).commissions[0]
    *_, last = model.illustrate(commission, RNG.fork("draft"))
    wanted = stage.decoder.encode(last.images).data
    torch.testing.assert_close(start(stage, zoo, RNG).data, wanted)


def test_one_that_draws_tokens_drafts_with_its_only_candidate(zoo):
    recipe = tiny("a red fox", start="draft", drafter="tiny-tokens")
    stage = set_stage(recipe, zoo)
    model = zoo.load("tiny-tokens", dtype=next(stage.decoder.parameters()).dtype)
    commission = set_easel(token_wish("a red fox"), zoo).commissions[0]
    *_, last = model.illustrate(commission, RNG.fork("draft"))
    wanted = stage.decoder.encode(last.images).data
    torch.testing.assert_close(start(stage, zoo, RNG).data, wanted)


def test_words_and_seed_decide(zoo):
    first = start(set_stage(drafted(), zoo), zoo, RNG).data
    assert torch.equal(start(set_stage(drafted(), zoo), zoo, RNG).data, first)
    assert not torch.equal(start(set_stage(drafted("an owl"), zoo), zoo, RNG).data, first)
    assert not torch.equal(start(set_stage(drafted(), zoo), zoo, Rng((6,))).data, first)


def test_other_shapes_are_filled(zoo):
    stage = set_stage(drafted(width=48, height=20), zoo)
    assert start(stage, zoo, RNG).data.shape == (1, 4, 5, 12)


def test_the_drafter_is_written_down_and_replayed(zoo, tmp_path):
    *_, last = (s for s in imagine(drafted(), zoo) if isinstance(s, Painted))
    assert {"tiny-diffusion", "tiny-text"} <= set(last.artifact.manifest.models)
    last.artifact.save(tmp_path / "a.png")
    assert replay(tmp_path / "a.png", zoo).identical


def test_what_it_needs(zoo, tmp_path):
    save_png(torch.zeros(3, 8, 8), tmp_path / "a.png")
    with pytest.raises(RecipeError, match="pictures alone"):
        start(set_stage(drafted(str(tmp_path / "a.png")), zoo), zoo, RNG)
    recipe = tiny("fox", start="draft", drafter="tiny-vqgan")
    with pytest.raises(Unsupported, match="'tiny-vqgan' does not paint from words"):
        start(set_stage(recipe, zoo), zoo, RNG)


def test_the_own_model_starts_from_a_draft_of_words_and_says_so(zoo, tmp_path, monkeypatch):
    monkeypatch.setitem(OWN_MODELS, "vqgan-clip", "tiny-vqgan")
    picture = tmp_path / "a.png"
    save_png(torch.zeros(3, 16, 16), picture)

    def begun(prompt="a red fox", **fields):
        return set_stage(tiny(prompt, drafter="tiny-diffusion", **fields), zoo).recipe.start

    assert begun() == "draft"
    assert begun("a fox ^ an owl") == "draft"
    assert begun(start="codebook") == "codebook"
    assert begun(init_image=str(picture)) == "auto"
    assert begun(str(picture)) == "auto"
    monkeypatch.undo()
    assert begun() == "auto"
