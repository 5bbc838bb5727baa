"""Requests in AUTOMATIC1111's form."""

import pytest

from phosphene.web.api.automatic1111_requests import (
    HARMLESS,
    NOT_DONE,
    Image2Image,
    Text2Image,
    check_fields,
    checked_options,
    default_model,
    model_named,
)
from phosphene.web.failures import Refused
from phosphene.zoo.registry import shipped_cards

MODELS = ["emoji-vqgan", "emoji-biggan"]


def test_what_is_set_by_default_asks_for_nothing():
    check_fields({name: values[0] for name, values in NOT_DONE.items()})
    check_fields(dict.fromkeys([*NOT_DONE, *HARMLESS]))
    assert not HARMLESS & {*NOT_DONE, *Image2Image.model_fields} - {"denoising_strength"}


@pytest.mark.parametrize("name", NOT_DONE)
def test_what_is_set_otherwise_is_refused(name):
    with pytest.raises(Refused, match=name) as said:
        check_fields({name: ["x"]})
    assert (said.value.status, said.value.param) == (422, name)


def test_models_go_by_title_and_by_name():
    for title in ("emoji-vqgan", "emoji-vqgan [5b0ee5b9e3]", "emoji-vqgan.safetensors [x]"):
        assert model_named(title, MODELS) == "emoji-vqgan"
    with pytest.raises(Refused, match="did you mean 'emoji-vqgan'"):
        model_named("emoji-vqgam", MODELS)
    assert default_model() in {card.name for card in shipped_cards()}


def test_options():
    assert checked_options({"samples_format": "png"}, MODELS) == {"samples_format": "png"}
    for wrong in ({"samples_fromat": 1}, {"sd_vae": {}}, {"sd_vae": "x" * 300}):
        with pytest.raises(Refused):
            checked_options(wrong, MODELS)


def test_a_request_is_a_wish():
    asked = Text2Image(prompt="fox: 3", seed=-1, batch_size=2, n_iter=3, sampler_name="Euler a")
    wish = asked.wish({"sd_model_checkpoint": "emoji-biggan"}, MODELS)
    assert (wish.prompt, wish.seed, wish.count) == ("fox: 3", None, 6)
    assert (wish.model, wish.steps, wish.guidance) == ("emoji-biggan", 50, 7.0)
    given = {"sd_model_checkpoint": "emoji-vqgan [x]"}
    asked = Text2Image(seed=0, override_settings=given)
    assert asked.wish({"sd_model_checkpoint": "emoji-biggan"}, MODELS).model == "emoji-vqgan"
    assert asked.wish({}, MODELS).seed == 0
