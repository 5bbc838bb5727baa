"""The OpenAI images API, by its own client."""

import base64
import io
import json
import threading
import time
from urllib.request import Request, urlopen

import pytest
from PIL import Image

from phosphene.studio.job import State
from phosphene.studio.recipe import Imagine
from phosphene.web.guard import Guard
from phosphene.web.limits import Limits
from tests.studio.studios import picture
from tests.web.live import live
from tests.web.painters import SIDE, colour_of
from tests.web.served import error_of

openai = pytest.importorskip("openai")
TOKEN = "correct horse"


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setattr("phosphene.web.streams.LOOK_SECONDS", 0.01)
    monkeypatch.setattr("phosphene.web.streams.BEAT_SECONDS", 0.05)
    with live(tmp_path, Guard(TOKEN)) as server:
        yield server


@pytest.fixture
def images(server):
    with client_of(server) as client:
        yield client.images


def client_of(server, key: str = TOKEN):
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key=key, max_retries=0, timeout=60)


def opened(b64: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(b64)))


def test_pictures_of_words(server, images):
    answer = images.generate(
        prompt="a red fox: 3, {really} | watercolour",
        model="gpt-image-1",
        n=3,
        size="96x64",
        quality="high",
        moderation="low",
        user="me",
        extra_body={"seed": 7},
    )
    (recipe,) = server.painter.recipes
    # prose is prose: no weight, no choice
    assert recipe.prompt == "a red fox: 3, {really} | watercolour"
    assert (recipe.alternatives, recipe.emphasis, recipe.count) == ("none", False, 3)
    assert [opened(d.b64_json).size for d in answer.data] == [(96, 64)] * 3
    colours = [opened(d.b64_json).getpixel((0, 0)) for d in answer.data]
    assert colours == [colour_of(recipe, seed) for seed in (7, 8, 9)]
    assert (answer.size, answer.output_format, answer.quality) == ("96x64", "png", "high")
    assert abs(answer.created - time.time()) < 60
    ours = answer.data[0].phosphene
    assert (ours["seed"], ours["resized"]) == ("7", ours["painted"] != "96x64")


@pytest.mark.slow
def test_the_size_is_the_models_own_unless_one_is_asked_for(server, images):
    assert images.generate(prompt="fox").size == f"{SIDE}x{SIDE}"
    large = images.generate(prompt="fox", size="1024x1024", output_format="webp")
    assert opened(large.data[0].b64_json).size == (1024, 1024)
    assert opened(large.data[0].b64_json).format == "WEBP"
    images.generate(prompt="fox", size="1024x1024", model="emoji-vqgan")
    assert max(server.painter.recipes[-1].width, server.painter.recipes[-1].height) <= 256


def test_urls(server, images):
    answer = images.generate(
        prompt="fox", size="200x100", response_format="url", output_format="jpeg"
    )
    url = answer.data[0].url
    assert answer.data[0].b64_json is None
    asked = Request(url, headers={"authorization": f"Bearer {TOKEN}"})
    with urlopen(asked, timeout=60) as found:
        shown = Image.open(io.BytesIO(found.read()))
    assert (shown.size, shown.format) == ((200, 100), "JPEG")


def test_partial_pictures_come_before_the_whole_one(images):
    stream = images.generate(prompt="fox", size="80x80", stream=True, partial_images=2)
    events = list(stream)
    assert [event.type for event in events] == [
        "image_generation.partial_image",
        "image_generation.partial_image",
        "image_generation.completed",
    ]
    assert [event.partial_image_index for event in events[:2]] == [0, 1]
    assert all(opened(event.b64_json).size == (80, 80) for event in events)
    assert (events[-1].size, events[-1].output_format) == ("80x80", "png")
    assert events[-1].usage.total_tokens == 0


def test_a_stream_that_fails_says_so(images):
    with pytest.raises(openai.APIError, match="of the model"):
        list(images.generate(prompt="fail", stream=True))


def test_edits_start_from_a_picture(server, images):
    answer = images.edit(image=("fox.png", picture("fox")), prompt="a blue fox", n=2, size="64x64")
    assert [opened(d.b64_json).size for d in answer.data] == [(64, 64)] * 2
    (recipe,) = server.painter.recipes
    sent = recipe.init_image.removeprefix("artifact:")
    entry = server.studio.gallery.get(sent)
    assert (entry.origin, entry.title) == ("upload", "fox")  # it knows what it was
    listed = images.edit(image=[picture("fox")], prompt="x", stream=True, partial_images=1)
    assert [event.type for event in listed] == ["image_edit.partial_image", "image_edit.completed"]


def test_a_mask_is_kept_or_refused(server, images):
    mask = io.BytesIO()
    whole = Image.new("RGBA", (8, 8), (0, 0, 0, 255))
    whole.putpixel((1, 1), (0, 0, 0, 0))
    whole.save(mask, "PNG")
    given = {"image": picture(), "prompt": "x", "mask": ("m.png", mask.getvalue())}
    if Imagine(prompt="x").chosen_method != "diffusion":
        with pytest.raises(openai.BadRequestError, match="mask") as said:
            images.edit(**given)
        assert said.value.param == "mask"
        return
    images.edit(**given)
    (recipe,) = server.painter.recipes
    kept = server.studio.store.read(recipe.mask.removeprefix("artifact:"))
    shown = Image.open(io.BytesIO(kept)).convert("L")
    assert (shown.getpixel((1, 1)), shown.getpixel((0, 0))) == (255, 0)


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")  # in their client
def test_variations_resemble_a_picture(server, images):
    answer = images.create_variation(image=("fox.png", picture("fox")), n=2, size="256x256")
    assert [opened(d.b64_json).size for d in answer.data] == [(256, 256)] * 2
    (recipe,) = server.painter.recipes
    assert recipe.prompt.startswith("artifact:")
    assert recipe.method == "vqgan-clip"


def test_models(server):
    with client_of(server) as client:
        names = [model.id for model in client.models.list()]
        assert "emoji-vqgan" in names
        assert "minilm" not in names
        assert client.models.retrieve("emoji-vqgan").owned_by == "phosphene"
        with pytest.raises(openai.NotFoundError):
            client.models.retrieve("minilm")


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"prompt": ""}, "invalid_value", "prompt"),
        ({"n": 11}, "invalid_value", "n"),
        ({"size": "8x8"}, "invalid_value", "size"),
        ({"size": "large"}, "invalid_value", "size"),
        ({"size": "4096x4096"}, "recipe_error", "width"),
        ({"background": "transparent"}, "unsupported", "background"),
        ({"output_format": "svg"}, "invalid_value", "output_format"),
        ({"frame_count": 4}, "unsupported", "frame_count"),
        ({"model": "emoji-vqgam"}, "recipe_error", "model"),
        ({"extra_body": {"sede": 1}}, "unknown_parameter", "sede"),
        ({"extra_body": {"phosphene": {"iterations": 0}}}, "recipe_error", "iterations"),
        ({"extra_body": {"phosphene": {"init_image": "/etc/x.png"}}}, "recipe_error", None),
        ({"extra_body": {"phosphene": {"image_prompts": ["/etc/x.png"]}}}, "recipe_error", None),
    ],
)
def test_what_is_wrong_is_said_in_their_form(server, images, fields, code, param):
    with pytest.raises(openai.BadRequestError) as said:
        images.generate(**{"prompt": "fox", **fields})
    assert said.value.code == code
    assert said.value.type == "invalid_request_error"
    if param is not None:
        assert said.value.param == param
    assert server.painter.recipes == []


def test_recipes_fields_reach_the_recipe(server, images):
    images.generate(prompt="fox", extra_body={"phosphene": {"iterations": 9, "tv_weight": 0.5}})
    (recipe,) = server.painter.recipes
    assert (recipe.iterations, recipe.tv_weight) == (9, 0.5)


def test_failures_and_keys(server, images):
    with pytest.raises(openai.InternalServerError, match="of the model"):
        images.generate(prompt="fail")
    with (
        client_of(server, "wrong") as other,
        pytest.raises(openai.AuthenticationError, match="token"),
    ):
        other.images.generate(prompt="fox")


def test_too_many(tmp_path, monkeypatch):
    monkeypatch.setattr("phosphene.web.streams.LOOK_SECONDS", 0.01)
    with live(tmp_path, limits=Limits(jobs=1)) as server, client_of(server) as client:
        client.images.generate(prompt="fox")
        with pytest.raises(openai.RateLimitError) as said:
            client.images.generate(prompt="fox")
        assert int(said.value.response.headers["retry-after"]) >= 1


def test_who_goes_away_leaves_no_job_behind(server):
    def ask() -> None:
        with client_of(server) as client, pytest.raises(openai.APITimeoutError):
            client.with_options(timeout=0.5).images.generate(prompt="wait")

    asking = threading.Thread(target=ask)
    asking.start()
    asking.join()
    for _ in range(500):
        (job,) = server.studio.jobs.listed()
        if job.state is State.CANCELLED:
            break
        time.sleep(0.02)
    assert job.state is State.CANCELLED


def test_forms_need_the_header_that_no_form_can_send(client):
    files = {"image": ("x.png", picture(), "image/png")}
    for headers in ({}, {"authorization": "Basic eDp5"}):
        response = client.post("/v1/images/variations", files=files, headers=headers)
        assert (response.status_code, error_of(response)["code"]) == (415, "wrong_content_type")
    bearer = {"authorization": "Bearer x"}
    assert client.post("/api/recipes", files=files, headers=bearer).status_code == 415
    wrong = client.post(
        "/v1/images/edits", files={"image": b"<html>"}, data={"prompt": "x"}, headers=bearer
    )
    assert (wrong.status_code, error_of(wrong)["param"]) == (400, "image")
    for form in ({"n": "x"}, {"prompt": "x", "phosphene": "{"}, {"prompt": "x"}):
        response = client.post("/v1/images/edits", data=form, headers={**bearer})
        assert response.status_code in (400, 415), form
    many = [("image[]", picture()), ("image[]", picture("owl"))]
    two = client.post("/v1/images/edits", files=many, data={"prompt": "x"}, headers=bearer)
    assert error_of(two)["param"] == "image"
    assert json.loads(client.get("/api/jobs").text) == []
