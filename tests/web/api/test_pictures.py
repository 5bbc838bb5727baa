"""The gallery over HTTP."""

import io
import json
import zipfile

import pytest
from PIL import Image

from tests.studio.studios import hang, picture, plain_png
from tests.studio.test_foreign import A1111
from tests.web.served import error_of, studio_of

NOBODY = "0" * 64
PNG = {"content-type": "image/png"}


@pytest.fixture
def fox(client) -> str:
    return hang(studio_of(client), picture("red fox"))


def test_search_and_pages(client, fox):
    hang(studio_of(client), picture("owl"))
    page = client.get("/api/gallery", params={"q": "FOX red"}).json()
    assert ([p["id"] for p in page["pictures"]], page["total"], page["more"]) == ([fox], 1, None)
    first = client.get("/api/gallery?limit=1").json()
    second = client.get("/api/gallery", params={"limit": 1, "after": first["more"]}).json()
    titles = [p["title"] for p in (*first["pictures"], *second["pictures"])]
    assert sorted(titles) == ["owl", "red fox"]
    for wrong in ({"since": "nan"}, {"limit": 1000}, {"bin": "perhaps"}):
        assert client.get("/api/gallery", params=wrong).status_code == 422


def test_files(client, fox):
    whole = client.get(f"/api/gallery/{fox}").json()
    image = client.get(whole["image"])
    assert image.content == picture("red fox")
    assert image.headers["content-type"] == "image/png"
    assert image.headers["x-content-type-options"] == "nosniff"
    small = client.get(whole["thumbnail"])
    assert small.headers["content-type"] == "image/webp"
    assert Image.open(io.BytesIO(small.content)).size == (20, 10)
    assert whole["manifest"]["recipe"]["prompt"] == "red fox"
    for url in ("", "/image", "/thumbnail", "/attachments/mp4"):
        assert error_of(client.get(f"/api/gallery/{NOBODY}{url}"))["code"] == "not_found"


def test_other_sizes_and_formats(client, fox):
    url = f"/api/gallery/{fox}/image"
    small = client.get(url, params={"width": 64, "height": 48, "format": "webp"})
    shown = Image.open(io.BytesIO(small.content))
    assert (shown.size, shown.format, small.headers["content-type"]) == (
        (64, 48),
        "WEBP",
        "image/webp",
    )
    assert Image.open(io.BytesIO(client.get(url, params={"width": 40}).content)).size == (40, 10)
    assert client.get(url, params={"width": 4096, "height": 4096}).status_code == 400
    for wrong in ({"width": 1}, {"format": "gif"}):
        assert client.get(url, params=wrong).status_code == 422


def test_attachments(client, tmp_path):
    (tmp_path / "x.json").write_text("{}")
    studio = studio_of(client)
    beside = studio.gallery.keep_beside({".tree.json": tmp_path / "x.json"})
    name = hang(studio, picture("bred"), beside=beside)
    ((what, url),) = client.get(f"/api/gallery/{name}").json()["attachments"].items()
    assert what == ".tree.json"
    answer = client.get(url)
    assert (answer.text, answer.headers["content-disposition"]) == ("{}", "attachment")
    assert client.get(url + "x").status_code == 404


def test_favourites_bin_and_collections(client, fox):
    assert client.patch(f"/api/gallery/{fox}", json={"favourite": True}).json()["favourite"]
    assert client.get("/api/gallery?favourite=true").json()["total"] == 1
    assert client.patch(f"/api/gallery/{fox}", json={"binned": 1}).status_code == 422
    made = client.post("/api/collections", json={"name": "Animals"}).json()
    assert client.put(f"/api/collections/{made['id']}/{fox}").status_code == 200
    assert client.get("/api/collections").json()[0]["count"] == 1
    assert client.get(f"/api/gallery?collection={made['id']}").json()["total"] == 1
    assert client.delete(f"/api/collections/{made['id']}/{fox}").status_code == 200
    assert client.delete(f"/api/collections/{made['id']}").status_code == 200
    assert client.get("/api/collections").json() == []
    assert client.delete(f"/api/gallery/{fox}/forever").status_code == 409
    assert client.delete(f"/api/gallery/{fox}").json()["binned"] is not None
    assert client.get("/api/gallery").json()["total"] == 0
    assert client.get("/api/gallery?bin=true").json()["total"] == 1
    assert client.post(f"/api/gallery/{fox}/restore").json()["binned"] is None
    client.delete(f"/api/gallery/{fox}")
    assert client.delete("/api/gallery/bin").json() == {"deleted": 1}
    assert client.get(f"/api/gallery/{fox}").status_code == 404


def test_import(client):
    new = client.post("/api/gallery/import", content=picture("owl"), headers=PNG)
    assert (new.status_code, new.json()["title"]) == (201, "owl")
    foreign = client.post("/api/gallery/import", content=plain_png(parameters=A1111), headers=PNG)
    assert foreign.json()["foreign"]["unmapped"]["Sampler"] == "Euler a"
    for body in (plain_png(), b"", b"<html>"):
        assert client.post("/api/gallery/import", content=body, headers=PNG).status_code == 400
    assert client.post("/api/gallery/import", json={}).status_code == 415


def test_export(client, fox):
    hang(studio_of(client), picture("owl"))
    answer = client.get("/api/gallery/export.zip?q=fox")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        (name,) = [n for n in archive.namelist() if n.endswith(".png")]
        assert archive.read(name) == picture("red fox")
        assert json.loads(archive.read("gallery.json"))[0]["id"] == fox


def test_export_of_pictures_that_are_named(client, fox):
    owl = hang(studio_of(client), picture("owl"))
    answer = client.get(f"/api/gallery/export.zip?picture={owl}&picture={fox}")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert [one["id"] for one in json.loads(archive.read("gallery.json"))] == [owl, fox]
    for named, status in (("ab" * 32, 404), ("../x", 422)):
        answer = client.get(f"/api/gallery/export.zip?picture={named}")
        assert answer.status_code == status
        error_of(answer)
