"""A page offers what is here, and nothing else."""

from phosphene.web.pages.shelf import classes_of, dreamers, here, painters
from tests.studio.fakes import make_zoo


def test_models_that_are_here(tmp_path):
    make_zoo(tmp_path)
    found = painters(tmp_path)
    assert found["vqgan-clip"][0] == "emoji-vqgan"
    assert "tiny-vqgan" in found["vqgan-clip"]
    assert found["gan-clip"][0] == "emoji-biggan"
    names = {card.name for card in here(tmp_path)}
    assert ("diffusion" in found) == ("emoji-diffusion" in names)
    assert "minilm" not in names  # nothing was fetched into this home
    dreaming = {card.name for card in dreamers(tmp_path)}
    assert {"digits-cgan", "emoji-stylegan2"} <= dreaming
    assert "faces-dcgan" not in dreaming
    (tmp_path / "models" / "tiny-vqgan" / "model.safetensors").unlink()
    assert "tiny-vqgan" not in painters(tmp_path)["vqgan-clip"]


def test_classes_are_named_by_the_weights(tmp_path):
    cards = {card.name: card for card in dreamers(tmp_path)}
    assert classes_of(cards["digits-cgan"], tmp_path) == [str(n) for n in range(10)]
    assert "food-fruit" in classes_of(cards["emoji-biggan"], tmp_path)
    assert classes_of(cards["emoji-stylegan2"], tmp_path) == []
    nameless = cards["emoji-biggan"].model_copy(update={"config": {"class_names": []}})
    assert classes_of(nameless, tmp_path) == [str(n) for n in range(10)]
    gone = cards["emoji-biggan"].model_copy(update={"file": "gone.safetensors"})
    assert classes_of(gone, tmp_path) == []
