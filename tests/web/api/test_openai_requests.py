"""Requests in OpenAI's form."""

import asyncio
import io

import pytest
from starlette.datastructures import FormData, UploadFile

from phosphene.web.api.openai_requests import Edit, Generate, Vary, checked, form_values
from phosphene.web.failures import Refused


def test_nulls_are_what_is_left_out():
    names = [name for name in Generate.model_fields if name not in ("prompt", "phosphene")]
    asked = checked(Generate, {"prompt": "x", **dict.fromkeys(names)})
    assert asked.wish() == checked(Generate, {"prompt": "x"}).wish()
    assert (asked.kind, asked.sides, asked.compression) == ("png", (None, None), 90)


@pytest.mark.parametrize("size", ["1024x", "x", "1024x1024x3", "-64x64", "64X64", "²56x256", "8x8"])
def test_no_size(size):
    with pytest.raises(Refused) as said:
        _ = Generate(prompt="x", size=size).sides
    assert (said.value.status, said.value.param) == (400, "size")


def test_their_models_are_our_default():
    for name in ("gpt-image-1", "gpt-image-2", "dall-e-3", "chatgpt-image-latest"):
        assert Generate(prompt="x", model=name).wish().model is None
    assert Generate(prompt="x", model="emoji-vqgan").wish().model == "emoji-vqgan"


def test_fidelity_is_how_little_is_painted_over():
    assert Edit(prompt="x", input_fidelity="high").strength < Edit(prompt="x").strength


def test_a_variation_has_no_words():
    asked = checked(Vary, {"n": 2, "size": "64x64"}).asked()
    assert (asked.n, asked.sides) == (2, (64, 64))
    with pytest.raises(Refused, match="prompt"):
        checked(Vary, {"prompt": "x"})


def test_forms_hold_numbers_as_text():
    form = FormData(
        [
            ("prompt", "7"),
            ("n", "2"),
            ("stream", "true"),
            ("phosphene", '{"iterations": 3}'),
            ("image[]", UploadFile(io.BytesIO(b"a"))),
            ("image[]", UploadFile(io.BytesIO(b"b"))),
        ]
    )
    values, files = asyncio.run(form_values(form))
    assert values == {"prompt": "7", "n": 2, "stream": True, "phosphene": {"iterations": 3}}
    assert files == {"image": [b"a", b"b"]}
    for name, text in (("n", "x"), ("phosphene", "{"), ("seed", "")):
        with pytest.raises(Refused, match=name):
            asyncio.run(form_values(FormData([(name, text)])))
