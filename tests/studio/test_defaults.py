import pytest

from phosphene.studio.defaults import DEFAULTS, FROM_BLANK, FROM_FLOW, Defaults
from phosphene.studio.stage import set_stage
from tests.studio.fakes import tiny


def test_the_embedded_model_has_defaults_of_its_own():
    assert DEFAULTS["emoji-vqgan"].iterations < Defaults().iterations


@pytest.mark.parametrize(
    ("start", "blank"), [("clouds", True), ("codebook", True), ("auto", False)]
)
def test_from_nothing_it_looks_through_more_noise_and_moves_more(start, blank, zoo, monkeypatch):
    for table in (DEFAULTS, FROM_BLANK):
        monkeypatch.setitem(table, "tiny-vqgan", table["emoji-vqgan"])
    recipe = tiny(start=start, num_cutouts=None, iterations=None)
    complete = set_stage(recipe, zoo).recipe
    assert complete.optimiser == ("pyramid" if blank else "novograd")
    assert complete.start_noise > complete.cut_noise if blank else complete.start_noise == 0.1
    assert bool(complete.repaint_every) == blank
    assert set_stage(complete, zoo).recipe == complete
    given = set_stage(recipe.model_copy(update={"start_noise": 0.0}), zoo).recipe
    assert given.start_noise == 0


def test_what_the_perceptor_drew_gets_surfaces(zoo, monkeypatch):
    monkeypatch.setitem(FROM_FLOW, "tiny-vqgan", FROM_FLOW["emoji-vqgan"])
    complete = set_stage(tiny(start="flow", iterations=None), zoo).recipe
    assert complete.iterations == FROM_FLOW["emoji-vqgan"].iterations
    assert (complete.optimiser, complete.start_noise) == ("novograd", 0.5)
    assert set_stage(complete, zoo).sketches is None
