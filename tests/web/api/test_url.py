"""Pictures by URL: the same one gives the same bytes, and is painted once."""

import io
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from phosphene.web.api import url as module
from phosphene.web.api.url import is_fresh, kind_of
from phosphene.web.failures import Refused
from phosphene.web.limits import Limits
from tests.studio.fakes import SIZE, make_zoo
from tests.studio.processes import start_worker
from tests.web.api.test_native import events_of
from tests.web.painters import SIDE, colour_of, painting
from tests.web.served import error_of, served

FOX = "/prompt/a%20red%20fox"


@pytest.fixture
def painter(client, monkeypatch):
    monkeypatch.setattr("phosphene.web.streams.LOOK_SECONDS", 0.01)
    with painting(client) as painter:
        yield painter


def shown(response) -> Image.Image:
    assert response.status_code == 200, response.text
    return Image.open(io.BytesIO(response.content))


def test_the_same_url_gives_the_same_bytes_and_is_painted_once(client, painter):
    first = client.get(FOX)
    assert (first.headers["content-type"], first.status_code) == ("image/png", 200)
    again = client.get(FOX)
    assert again.content == first.content
    assert again.headers["etag"] == first.headers["etag"]
    assert len(painter.recipes) == 1
    assert client.get(f"/api/gallery/{first.headers['x-phosphene-picture']}").status_code == 200
    (recipe,) = painter.recipes
    assert recipe.prompt == "a red fox"
    assert shown(first).getpixel((0, 0)) == colour_of(recipe, recipe.seed)
    # a seed of its own, which depends on nothing but the URL
    other = client.get("/prompt/a%20red%20dog")
    seeds = [r.headers["x-phosphene-seed"] for r in (first, other)]
    assert len(set(seeds)) == 2
    with_seed = client.get(FOX, params={"seed": seeds[0]})
    assert with_seed.content == first.content


@pytest.mark.slow
def test_the_seed_is_the_same_on_another_server(client, tmp_path):
    elsewhere = json.loads(client.get(FOX, params={"format": "json"}).text)
    with served(tmp_path / "other") as other:
        assert other.get(FOX, params={"format": "json"}).json() == elsewhere


def test_who_has_it_is_not_sent_it_again(client, painter):
    first = client.get(FOX, params={"width": 64})
    tag = first.headers["etag"]
    assert tag.startswith('"')
    for header in (tag, f'"other", {tag}', f"W/{tag}", "*"):
        again = client.get(FOX, params={"width": 64}, headers={"if-none-match": header})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    for params in ({"width": 65}, {"width": 64, "seed": 1}, {"width": 64, "format": "webp"}):
        other = client.get(FOX, params=params, headers={"if-none-match": tag})
        assert other.status_code == 200
        assert other.headers["etag"] != tag


def test_other_weights_are_another_tag(tmp_path, monkeypatch):
    monkeypatch.setattr("phosphene.web.house.CARDS_SECONDS", 0.0)
    tags = []
    for seed in (0, 1):
        with served(tmp_path) as client:
            make_zoo(tmp_path / "home", seed)
            query = {"model": "tiny-vqgan", "format": "json"}
            tags.append(client.get(FOX, params=query).headers["etag"])
    assert tags[0] != tags[1]


def test_the_size_is_exact_whatever_is_painted(client, painter):
    for query, size in (
        ({"width": 200, "height": 75}, (200, 75)),
        ({"width": 33}, (33, 33)),
        ({"height": 1024, "width": 1024}, (1024, 1024)),
    ):
        assert shown(client.get(FOX, params=query)).size == size
        response = client.get(FOX, params={**query, "model": "emoji-vqgan"})
        picture = shown(response)
        assert picture.size == size
        painted = tuple(map(int, response.headers["x-phosphene-painted"].split("x")))
        assert painted == (painter.recipes[-1].width, painter.recipes[-1].height)
        assert json.loads(picture.text["phosphene-resized"])["painted"] == list(painted)
    assert shown(client.get(FOX)).size == (SIDE, SIDE)


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, "png"),
        ("*/*", "png"),
        ("image/webp", "webp"),
        ("image/avif,image/webp;q=0.5,image/jpeg;q=0.9", "jpeg"),
        ("text/html,image/webp,*/*;q=0.8", "webp"),
        ("application/json", "json"),
        ("image/*;q=0.1, video/mp4;q=0.9", "mp4"),
        ("image/png;q=0, image/gif", "gif"),
        ("text/event-stream", "events"),
    ],
)
def test_the_format_is_negotiated(accept, kind):
    assert kind_of(None, accept) == kind
    assert kind_of("jpg", accept) == "jpeg"


def test_what_cannot_be_shown():
    for accept in ("text/html", "image/png;q=0", "image/png;q=x"):
        with pytest.raises(Refused) as said:
            kind_of(None, accept)
        assert said.value.status == 406
    with pytest.raises(Refused, match="png, webp"):
        kind_of("bmp", None)


def test_tags_are_compared():
    assert is_fresh('"a", "b"', '"b"')
    assert not is_fresh(None, '"b"')
    assert not is_fresh('"a"', '"b"')


@pytest.mark.parametrize("kind", ["webp", "jpeg"])
def test_formats_carry_the_recipe(client, painter, kind):
    picture = shown(client.get(FOX, params={"format": kind, "width": 100}))
    assert (picture.format.lower(), picture.size) == (kind, (100, 100))
    told = json.loads(picture.getexif()[0x010E])
    assert told["phosphene"]["recipe"]["prompt"] == "a red fox"
    assert told["phosphene-resized"]["shown"] == [100, 100]


def test_json_is_the_recipe_and_paints_nothing(client):
    answer = client.get(FOX, params={"format": "json", "seed": 7}).json()
    assert (answer["recipe"]["prompt"], answer["recipe"]["seed"]) == ("a red fox", 7)
    assert client.post("/api/recipes", json=answer["recipe"]).status_code == 202
    assert len(client.get("/api/jobs").json()) == 1


def test_identical_requests_at_once_are_one_job(client, monkeypatch):
    monkeypatch.setattr("phosphene.web.streams.LOOK_SECONDS", 0.01)
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(client.get, FOX, params={"width": 32 + i % 2}) for i in range(8)]
        with painting(client, seconds=0.02):
            found = [future.result(60) for future in asked]
    assert {response.status_code for response in found} == {200}
    keys = [job["recipe"]["seed"] for job in client.get("/api/jobs").json()]
    # two sizes that are painted in one: 33 px are shown of what 32 px are painted of
    assert len(keys) == 1
    assert len({response.content for response in found}) == 2


def test_progress_is_streamed(client, painter):
    response = client.get(FOX, headers={"accept": "text/event-stream"})
    assert response.headers["content-type"].startswith("text/event-stream")
    events = events_of(response.text)
    assert [e["event"] for e in events][-3:] == ["picture", "state", "done"]
    done = json.loads(events[-1]["data"])
    assert client.get(done["url"]).headers["x-phosphene-picture"] == done["picture"]
    assert len(painter.recipes) == 1
    failing = events_of(client.get("/prompt/fail", headers={"accept": "text/event-stream"}).text)
    assert json.loads(failing[-1]["data"])["state"] == "failed"


@pytest.mark.parametrize(
    ("path", "query", "status", "said"),
    [
        (FOX, {"widht": 64}, 400, "did you mean 'width'"),
        (FOX, {"model": "emoji-vqgam"}, 400, "did you mean 'emoji-vqgan'"),
        (FOX, {"model": "/etc/x.safetensors"}, 400, "is not known"),
        (FOX, {"model": "minilm"}, 400, "paints no words"),
        (FOX, {"method": "magic"}, 400, "method"),
        (FOX, {"format": "bmp"}, 400, "png, webp"),
        (FOX, {"width": 8}, 422, "width"),
        (FOX, {"width": 4096, "height": 4096}, 400, "more than"),
        (FOX, {"seed": -1}, 422, "seed"),
        ("/prompt/x.png", {}, 400, "names a file"),
        ("/prompt/", {}, 422, "text"),
        ("/prompt/" + "x" * 5000, {}, 422, "text"),
    ],
)
def test_what_is_wrong_is_said(client, path, query, status, said):
    response = client.get(path, params=query)
    assert response.status_code == status
    assert said in error_of(response)["message"]
    assert client.get("/api/jobs").json() == []


def test_what_clients_of_pollinations_add_does_no_harm(client, painter):
    query = {"nologo": "true", "private": "true", "safe": "false", "referrer": "x"}
    assert client.get(FOX, params=query).content == client.get(FOX).content


def test_too_many_new_ones_are_refused_and_known_ones_are_not(tmp_path, monkeypatch):
    monkeypatch.setattr("phosphene.web.streams.LOOK_SECONDS", 0.01)
    with served(tmp_path, limits=Limits(jobs=1)) as client, painting(client):
        for _ in range(3):
            assert client.get(FOX).status_code == 200
        refused = client.get("/prompt/other")
        assert (refused.status_code, error_of(refused)["code"]) == (429, "rate_limited")
        assert int(refused.headers["retry-after"]) >= 1


def test_failures_are_said_and_tried_anew_later(client, painter, monkeypatch):
    response = client.get("/prompt/fail")
    assert (response.status_code, error_of(response)["code"]) == (500, "job_failed")
    assert client.get("/prompt/fail").status_code == 500
    assert len(painter.recipes) == 1  # not at once
    monkeypatch.setattr(module, "RETRY_FAILED_SECONDS", 0.0)
    client.get("/prompt/fail")
    assert len(painter.recipes) == 2


def test_a_picture_that_was_deleted_is_painted_again(client, painter):
    first = client.get(FOX)
    name = first.headers["x-phosphene-picture"]
    client.delete(f"/api/gallery/{name}")
    client.delete(f"/api/gallery/{name}/forever")
    assert client.get(FOX).content == first.content
    assert len(painter.recipes) == 2


def test_who_waits_for_too_long_is_told_to_come_back(tmp_path, monkeypatch):
    monkeypatch.setattr("phosphene.web.streams.BEAT_SECONDS", 0.01)
    with served(tmp_path, patience=0.05) as client:
        response = client.get(FOX)
        assert (response.status_code, error_of(response)["code"]) == (503, "still_painting")
        assert int(response.headers["retry-after"]) >= 1
        (job,) = client.get("/api/jobs").json()
        assert job["state"] == "queued"  # asked again, it may be done


def test_a_page_of_another_site_paints_nothing(client):
    for headers in ({"sec-fetch-site": "cross-site"}, {"origin": "http://evil.example"}):
        response = client.get(FOX, headers=headers)
        assert (response.status_code, error_of(response)["code"]) == (403, "wrong_origin")
    assert client.get("/api/jobs").json() == []


@pytest.mark.slow
def test_a_real_worker_paints_it_and_its_film(tmp_path, monkeypatch):
    granted = module.granted

    def tiny(wish, cards):
        """The same, with the judge and the haste of tests."""
        found = granted(wish, cards)
        small = {"perceptors": ("tiny-judge",), "iterations": 4, "num_cutouts": 2}
        return found._replace(recipe=found.recipe.model_copy(update=small))

    monkeypatch.setattr(module, "granted", tiny)
    make_zoo(tmp_path / "home")
    with served(tmp_path) as client:
        worker = start_worker(tmp_path, tmp_path / "home")
        try:
            query = {"model": "tiny-vqgan"}
            assert shown(client.get(FOX, params=query)).size == (SIZE, SIZE)
            wide = {**query, "format": "mp4", "width": 64, "height": 32}
            film = client.get(FOX, params=wide)
            assert (film.status_code, film.content[4:8]) == (200, b"ftyp"), film.text
            assert client.get(FOX, params=wide).content == film.content
            odd = client.get(FOX, params={**wide, "width": 63})
            assert (odd.status_code, "even" in odd.text) == (400, True)
            moving = shown(client.get(FOX, params={**query, "format": "gif", "width": 48}))
            assert (moving.format, moving.size, moving.n_frames > 1) == ("GIF", (48, 48), True)
        finally:
            worker.terminate()
            worker.communicate(timeout=60)
