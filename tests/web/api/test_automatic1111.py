"""AUTOMATIC1111's API, by the client that people use."""

import base64
import io
import json
import threading
import time
from contextlib import closing

import pytest
from PIL import Image

from phosphene.studio.foreign import read_foreign_picture
from phosphene.studio.recipe import Imagine
from phosphene.web.guard import Guard
from tests.web.live import live
from tests.web.painters import colour_of
from tests.web.served import error_of, studio_of

webuiapi = pytest.importorskip("webuiapi")
TOKEN = "correct horse"
DENOISES = Imagine(prompt="x").chosen_method == "diffusion"


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setattr("phosphene.web.streams.LOOK_SECONDS", 0.01)
    monkeypatch.setattr("phosphene.web.streams.BEAT_SECONDS", 0.05)
    with live(tmp_path, Guard(TOKEN)) as server:
        yield server


@pytest.fixture
def api(server):
    api = webuiapi.WebUIApi(baseurl=f"{server.url}/sdapi/v1", username="me", password=TOKEN)
    with closing(api.session):
        yield api


def test_pictures_of_words(server, api):
    result = api.txt2img(
        prompt="a (red:1.3) fox: 3 | watercolour",
        negative_prompt="ugly",
        seed=1003,
        batch_size=2,
        n_iter=2,
        width=96,
        height=64,
    )
    assert [image.size for image in result.images] == [(96, 64)] * 4
    (recipe,) = server.painter.recipes
    assert recipe.prompt.startswith("a (red:1.3) fox: 3 | watercolour")
    assert recipe.emphasis
    assert ("ugly" in recipe.prompt) is not DENOISES
    assert [image.getpixel((0, 0)) for image in result.images] == [
        colour_of(recipe, seed) for seed in range(1003, 1007)
    ]
    info = result.info
    assert (info["seed"], info["all_seeds"]) == (1003, [1003, 1004, 1005, 1006])
    assert (info["prompt"], info["negative_prompt"]) == (
        "a (red:1.3) fox: 3 | watercolour",
        "ugly",
    )
    assert (info["width"], info["height"], len(info["infotexts"])) == (96, 64, 4)
    assert result.parameters["seed"] == 1003
    # what it says of itself is read by others, and by us
    texts = result.images[1].text
    assert texts["parameters"] == info["infotexts"][1]
    read = read_foreign_picture({"parameters": texts["parameters"]})
    assert (read.recipe.seed, read.recipe.width, read.model) == (1004, 96, info["sd_model_name"])
    assert json.loads(texts["phosphene"])["seed"] == 1004
    assert "sampler" in info["phosphene"]["ignored"]  # the client's own default, not known here


def test_a_seed_of_minus_one_is_drawn(api):
    seeds = {api.txt2img(prompt="fox").info["seed"] for _ in range(2)}
    assert len(seeds) == 2


def test_no_words_are_words_enough(server, api):
    api.txt2img(prompt="")
    assert server.painter.recipes[0].prompt == "..."


def test_pictures_that_start_from_one(server, api):
    first = Image.new("RGB", (40, 30), "red")
    result = api.img2img([first], prompt="a fox", seed=5, denoising_strength=0.5, width=64)
    assert result.image.size == (64, 512)
    (recipe,) = server.painter.recipes
    sent = server.studio.gallery.get(recipe.init_image.removeprefix("artifact:"))
    assert (sent.width, sent.height, sent.origin) == (40, 30, "upload")
    if DENOISES:
        assert recipe.strength == 0.5
    else:
        assert recipe.init_weight == pytest.approx(1.0)
    assert "init_images" not in result.parameters


def test_a_mask_is_used_or_refused(server, api):
    first, mask = Image.new("RGB", (8, 8), "red"), Image.new("L", (8, 8), 0)
    mask.putpixel((1, 1), 255)
    if not DENOISES:
        with pytest.raises(RuntimeError, match="mask"):
            api.img2img([first], mask_image=mask, prompt="x")
        return
    for inverted in (0, 1):
        api.img2img([first], mask_image=mask, prompt="x", inpainting_mask_invert=inverted)
        kept = server.painter.recipes[-1].mask.removeprefix("artifact:")
        shown = Image.open(io.BytesIO(server.studio.store.read(kept))).convert("L")
        assert shown.getpixel((1, 1)) == (0 if inverted else 255)


def test_progress_and_interrupt(server, api):
    assert api.get_progress()["state"]["job_count"] == 0
    api.util_wait_for_ready(0.1)
    results = []
    asking = threading.Thread(target=lambda: results.append(api.txt2img(prompt="wait")))
    asking.start()
    other = webuiapi.WebUIApi(baseurl=f"{server.url}/sdapi/v1", username="me", password=TOKEN)
    with closing(other.session):
        for _ in range(500):
            found = other.get_progress()
            if found["current_image"]:
                break
            time.sleep(0.02)
        assert 0 < found["progress"] < 1
        assert (found["state"]["job_count"], found["state"]["sampling_steps"]) == (1, 4)
        Image.open(io.BytesIO(base64.b64decode(found["current_image"]))).load()
        skipped = other.custom_get("progress?skip_current_image=true", baseurl=True)
        assert skipped["current_image"] is None
        assert other.interrupt() == {}
        asking.join(60)
        assert results[0].images == []
        assert other.get_progress()["progress"] == 0
        assert other.interrupt() == {}  # nothing to stop


def test_interrupt_stops_nobody_elses_job(client):
    job = client.post("/api/recipes", json={"kind": "imagine", "prompt": "fox"}).json()
    client.post("/sdapi/v1/interrupt")
    assert client.get(f"/api/jobs/{job['id']}").json()["state"] == "queued"
    assert client.get("/sdapi/v1/progress").json()["progress"] == 0


def test_options_and_models(server, api):
    titles = api.util_get_model_names()
    assert any(title.startswith("emoji-vqgan [") for title in titles)
    assert not any(title.startswith("minilm") for title in titles)
    api.util_set_model("emoji-biggan")
    assert api.util_get_current_model().startswith("emoji-biggan [")
    api.txt2img(prompt="fox")
    assert server.painter.recipes[-1].model == "emoji-biggan"
    assert server.painter.recipes[-1].method == "gan-clip"
    api.txt2img(prompt="fox", override_settings={"sd_model_checkpoint": "emoji-vqgan"})
    assert server.painter.recipes[-1].model == "emoji-vqgan"
    api.set_options({"CLIP_stop_at_last_layers": 2})
    assert api.get_options()["CLIP_stop_at_last_layers"] == 2
    for wrong in ({"sd_model_checkpoint": "sd_xl"}, {"no_such_option": 1}, {"sd_vae": []}):
        assert error_of(api.session.post(f"{api.baseurl}/options", json=wrong))


def test_lists_that_clients_ask_for(api):
    assert api.util_get_sampler_names() == ["euler", "unipc"]
    assert api.util_get_scheduler_names() == ["automatic"]
    assert api.get_upscalers() == api.get_loras() == api.get_sd_vae() == []
    assert api.get_hypernetworks() == api.get_face_restorers() == api.get_prompt_styles() == []
    assert api.get_realesrgan_models() == api.get_latent_upscale_modes() == []
    assert api.get_embeddings() == {"loaded": {}, "skipped": {}}
    assert api.get_scripts() == {"txt2img": [], "img2img": []}
    assert api.get_cmd_flags() == {}
    assert set(api.get_memory()) == {"ram", "cuda"}
    assert api.refresh_checkpoints() is None
    assert api.skip() == {}
    assert api.session.get(api.baseurl.replace("/sdapi/v1", "/internal/ping")).json() == {}


def test_pictures_are_read_and_not_described(api):
    result = api.txt2img(prompt="fox", seed=3)
    png = base64.b64encode(base64.b64decode(result.json["images"][0])).decode()
    said = api.session.post(f"{api.baseurl}/png-info", json={"image": png}).json()
    assert said["info"] == result.info["infotexts"][0]
    assert said["items"]["parameters"] == said["info"]
    assert api.png_info(Image.new("RGB", (4, 4))).info == ""
    with pytest.raises(RuntimeError, match="no captioner"):
        api.interrogate(Image.new("RGB", (4, 4)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"enable_hr": True}, "enable_hr"),
        ({"styles": ["anime"]}, "styles"),
        ({"restore_faces": True}, "restore_faces"),
        ({"tiling": True}, "tiling"),
        ({"subseed_strength": 0.5}, "subseed_strength"),
        ({"script_name": "x/y plot"}, "script_name"),
        ({"alwayson_scripts": {"ControlNet": {"args": [{"model": "x"}]}}}, "ControlNet"),
        ({"alwayson_scripts": {"phosphene": {"args": [1]}}}, "phosphene"),
        ({"prompt": "fox <lora:x:1>"}, "lora"),
        ({"width": 8}, "width"),
        ({"width": 4096, "height": 4096}, "width"),
        ({"steps": 0}, "steps"),
        ({"batch_size": 64, "n_iter": 64}, "count"),
        ({"override_settings": {"sd_model_checkpoint": "sd_xl"}}, "sd_xl"),
        ({"promt": "fox"}, "did you mean 'prompt'"),
    ],
)
def test_what_would_change_the_picture_and_is_not_done_is_refused(client, fields, said):
    response = client.post("/sdapi/v1/txt2img", json={"prompt": "fox", **fields})
    assert response.status_code == 422
    assert said in error_of(response)["message"]
    assert client.get("/api/jobs").json() == []


@pytest.mark.parametrize(
    ("fields", "status", "said"),
    [
        ({}, 404, "init_images"),
        ({"init_images": ["http://127.0.0.1/x.png"]}, 422, "no URL is fetched"),
        ({"init_images": ["file:///etc/passwd"]}, 422, "no URL is fetched"),
        ({"init_images": ["/etc/passwd"]}, 422, "init_images"),
        ({"init_images": ["PGh0bWw+"]}, 422, "init_images"),
        ({"init_images": ["a", "b"]}, 422, "one"),
    ],
)
def test_what_is_no_picture_is_refused(client, fields, status, said):
    response = client.post("/sdapi/v1/img2img", json={"prompt": "fox", **fields})
    assert response.status_code == status
    assert said in error_of(response)["message"]
    assert client.get("/api/gallery").json()["total"] == 0


def test_recipes_fields_reach_the_recipe(server, api):
    own = {"phosphene": {"args": [{"iterations": 9}]}, "ADetailer": {"args": [False]}}
    api.txt2img(prompt="fox", alwayson_scripts=own)
    assert server.painter.recipes[0].iterations == 9


def test_pictures_in_json_may_be_larger_than_other_json(client):
    noise = Image.effect_noise((1200, 1200), 90).convert("RGB")
    buffer = io.BytesIO()
    noise.save(buffer, "PNG")
    assert len(buffer.getvalue()) > 1_000_000
    sent = base64.b64encode(buffer.getvalue()).decode()
    assert client.post("/sdapi/v1/png-info", json={"image": sent}).status_code == 200
    assert client.post("/sdapi/v1/txt2img", json={"prompt": sent}).status_code == 413
    assert studio_of(client).jobs.listed() == []
