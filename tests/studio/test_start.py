from pathlib import Path

import pytest
import torch

from phosphene.core.errors import RecipeError, Unsupported
from phosphene.core.images import open_image, save_png
from phosphene.core.latent import Latent, Space
from phosphene.core.rng import Rng
from phosphene.prompting.sketches import Sketchbook
from phosphene.studio import start as module
from phosphene.studio.stage import set_stage
from phosphene.studio.start import start
from tests.studio.fakes import Judge, tiny

RNG = Rng((7,), "/imagine/start")


@pytest.fixture(autouse=True)
def short_trials(monkeypatch):
    monkeypatch.setattr(module, "TRIAL_ITERATIONS", 3)


@pytest.fixture
def photo(tmp_path):
    save_png(torch.full((3, 16, 16), 0.5), tmp_path / "photo.png")
    return str(tmp_path / "photo.png")


@pytest.fixture
def sketched(monkeypatch, zoo):
    """A sketchbook of four, of which the third is exactly what the prompt asks for."""
    book = Sketchbook(count=4, height=4, width=4, embed_dim=6)
    book.tokens.copy_(Rng((1,)).integers(4, 4, 4, high=32)[0])
    judge = zoo.load("tiny-judge")
    book.embeddings.copy_(judge.encode_text(["w", "x", "green heart", "y"]))
    monkeypatch.setattr(Judge, "encode", Judge.encode_text, raising=False)
    monkeypatch.setattr(module, "TEXT", "tiny-judge")
    monkeypatch.setattr(module, "sketchbook_of", lambda stage, zoo: book)
    return book


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["auto", "clouds", "codebook", "flow", "best-of"])
def test_starts_are_codes_of_the_grid_fixed_by_the_seed(zoo, strategy):
    stage = set_stage(tiny(start=strategy, width=32), zoo)
    first = start(stage, zoo, RNG)
    assert first.space is Space.CODES
    assert first.data.shape == (1, 4, 4, 8)
    assert not first.data.requires_grad
    assert torch.equal(first.data, start(stage, zoo, RNG).data)
    assert not torch.equal(first.data, start(stage, zoo, Rng((8,), RNG.purpose)).data)


def test_codebook_starts_lie_in_the_codebook(zoo):
    stage = set_stage(tiny(start="codebook"), zoo)
    codes = start(stage, zoo, RNG)
    assert torch.allclose(stage.decoder.snap(codes).data, codes.data, atol=1e-6)


def test_clouds_are_soft_and_of_all_sizes(zoo):
    def roughness(strategy):
        stage = set_stage(tiny(start=strategy, width=64, height=32), zoo)
        codes = start(stage, zoo, RNG).data
        return float((codes[..., 1:] - codes[..., :-1]).square().mean() / codes.var())

    assert roughness("clouds") < roughness("codebook") / 2


@pytest.mark.parametrize("strategy", ["auto", "image"])
def test_an_init_image_is_started_from(zoo, photo, strategy):
    stage = set_stage(tiny(start=strategy, init_image=photo), zoo)
    wanted = stage.decoder.encode(open_image(Path(photo))[None]).data
    assert torch.allclose(start(stage, zoo, RNG).data, wanted, atol=1e-5)


def test_a_codebook_start_can_still_be_pulled_to_an_image(zoo, photo):
    stage = set_stage(tiny(start="codebook", init_image=photo, init_weight=1.0), zoo)
    plain = set_stage(tiny(start="codebook"), zoo)
    assert torch.equal(start(stage, zoo, RNG).data, start(plain, zoo, RNG).data)


@pytest.mark.parametrize("strategy", ["auto", "retrieval"])
@pytest.mark.parametrize(("sketches", "weight"), [(1, 0.0), (4, 100.0)])
def test_retrieval_finds_the_sketch_whose_caption_fits(
    zoo, sketched, strategy, monkeypatch, sketches, weight
):
    monkeypatch.setattr(module, "NUM_SKETCHES", sketches)
    monkeypatch.setattr(module, "CAPTION_WEIGHT", weight)
    stage = set_stage(tiny("green heart", start=strategy), zoo)
    tokens = Latent(Space.TOKENS, sketched.tokens[2:3].long())
    wanted = stage.decoder.encode(stage.decoder.decode(tokens).clamp(-1, 1)).data
    assert torch.allclose(start(stage, zoo, RNG).data, wanted, atol=1e-5)


def test_of_the_near_sketches_the_perceptors_choose(zoo, sketched, monkeypatch):
    monkeypatch.setattr(module, "CAPTION_WEIGHT", 0.0)
    stage = set_stage(tiny("green heart", start="retrieval", cut_noise=0.0), zoo)
    images = sketched.paint(torch.arange(4), stage.decoder)
    with torch.no_grad():
        losses = stage.objective(Rng(RNG.seeds * 4, RNG.purpose))(0)(images)
        found = stage.decoder.decode(start(stage, zoo, RNG))
        best = stage.decoder.decode(stage.decoder.encode(images[losses.argmin()][None]))
    assert losses.std() > 0
    assert torch.allclose(found, best, atol=1e-5)


def test_without_words_there_is_nothing_to_look_for(zoo, sketched, photo):
    stage = set_stage(tiny(photo, start="retrieval"), zoo)
    with pytest.raises(RecipeError, match="pictures alone"):
        start(stage, zoo, RNG)
    for strategy in ("auto", "best-of"):
        assert start(set_stage(tiny(photo, start=strategy), zoo), zoo, RNG).space is Space.CODES


def test_retrieval_fills_other_shapes(zoo, sketched):
    stage = set_stage(tiny(start="retrieval", width=48, height=20), zoo)
    assert start(stage, zoo, RNG).data.shape == (1, 4, 5, 12)


def test_best_of_is_no_worse_than_its_own_first_try(zoo):
    stage = set_stage(tiny(cut_noise=0.0, cut_policy="whole", start="best-of"), zoo)
    objective = stage.objective(RNG)
    found = start(stage, zoo, RNG)
    with torch.no_grad():
        best = stage.decoder.decode(found)
        first = stage.decoder.decode(module._codebook(stage, zoo, RNG.fork("try 0")))
        assert float(objective(3)(best)) < float(objective(3)(first))


def test_what_a_strategy_needs(zoo):
    with pytest.raises(RecipeError, match="needs an init_image"):
        start(set_stage(tiny(start="image"), zoo), zoo, RNG)
    with pytest.raises(Unsupported, match="no sketches come with 'tiny-vqgan'"):
        start(set_stage(tiny(start="retrieval"), zoo), zoo, RNG)
