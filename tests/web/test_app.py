"""The app as a whole: no torch, a document of itself, nothing that a path can do."""

import os
import subprocess
import sys
from urllib.parse import quote

import pytest

from phosphene.prompting.prompt import parse
from tests.rules.syntax import SRC
from tests.studio.studios import hang, picture
from tests.web.painters import painting
from tests.web.served import FOX, served, studio_of
from tests.web.test_guard import all_routes

SESSION = """
import sys, pathlib
from starlette.testclient import TestClient
from phosphene.web.app import create_app
from phosphene.web.house import Settings
share = pathlib.Path(sys.argv[1])
png = pathlib.Path(sys.argv[2]).read_bytes()
with TestClient(create_app(Settings(share, share, devices=())), base_url="http://localhost") as c:
    job = c.post("/api/recipes", json={"kind": "sample", "model": "digits-cgan"}).json()["id"]
    c.get(f"/api/jobs/{job}")
    kind = {"content-type": "image/png"}
    name = c.post("/api/gallery/import", content=png, headers=kind).json()["id"]
    assert c.get(f"/api/gallery/{name}/thumbnail").status_code == 200
    assert c.get("/api/gallery/export.zip").status_code == 200
    assert c.get("/metrics").status_code == 200
print([m for m in ("torch", "numpy", "transformers") if m in sys.modules])
"""
SECRET = "do not read this"


@pytest.mark.slow
def test_a_whole_session_loads_no_torch(tmp_path):
    (tmp_path / "x.png").write_bytes(picture("fox"))
    ran = subprocess.run(
        [sys.executable, "-c", SESSION, tmp_path / "share", tmp_path / "x.png"],
        env={**os.environ, "PYTHONPATH": str(SRC.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.stdout, ran.returncode) == ("[]\n", 0), ran.stderr


def test_openapi_describes_every_route(client):
    document = client.get("/openapi.json").json()
    for route in all_routes(client.app):
        if route.path != "/openapi.json":
            for method in route.methods - {"HEAD"}:
                assert document["paths"][route.path_format][method.lower()]["description"]
    for page in ("/docs", "/redoc"):
        assert client.get(page).status_code == 404


def test_health(client):
    assert client.get("/healthz").json() == {"status": "ok", "workers": 0}
    client.app.state.house.studio.database.ping = lambda: 1 / 0
    assert client.get("/healthz").status_code == 500


def test_jobs_outlive_the_server(tmp_path):
    with served(tmp_path) as client:
        job = client.post("/api/recipes", json=FOX).json()
    with served(tmp_path) as client:
        assert client.get(f"/api/jobs/{job['id']}").json() == job


TRAVERSALS = [
    "../secret.txt",
    "..\\secret.txt",
    "....//secret.txt",
    "/etc/passwd",
    "secret.txt\0.png",
    "/proc/self/environ",
    "artifacts/../../secret.txt",
    "~/secret.txt",
    "file:///secret.txt",
    "C:\\secret.txt",
]


@pytest.fixture
def targets(tmp_path):
    (tmp_path / "secret.txt").write_text(SECRET)
    (tmp_path / "share.txt").write_text(SECRET)
    with served(tmp_path / "share") as client:
        name = hang(studio_of(client), picture("fox"))
        link = studio_of(client).store.artifacts / "link.png"
        link.symlink_to(tmp_path / "secret.txt")
        yield client, name


def test_no_route_gives_a_file_of_this_machine(targets):
    client, name = targets
    encodings = [lambda t: quote(t, safe=""), lambda t: quote(quote(t, safe=""), safe=""), str]
    tried = 0
    for route in all_routes(client.app):
        fields = list(route.param_convertors)
        if not fields or "GET" not in route.methods or route.path.endswith("/events"):
            continue
        if route.path.startswith("/prompt/"):
            continue  # its text is words, and no name of anything: see the test below
        for field in fields:
            for text in (*TRAVERSALS, "link", "link.png"):
                for encode in encodings:
                    values = {**dict.fromkeys(fields, name), field: encode(text)}
                    response = client.get(quote(route.path_format.format(**values), safe="/%:\\~"))
                    assert response.status_code in (400, 404, 422), (route.path, text)
                    assert SECRET not in response.text
                    tried += 1
    assert tried > 200


def test_words_in_a_url_are_never_a_file(targets, monkeypatch):
    monkeypatch.setattr("phosphene.web.streams.LOOK_SECONDS", 0.01)
    client, _ = targets
    with painting(client) as painter:
        for text in (*TRAVERSALS, "link", "link.png", "x | ../secret.png", "/etc/x.jpg"):
            for encoded in (quote(text, safe=""), quote(text)):
                response = client.get(f"/prompt/{encoded}", params={"width": 16})
                assert response.status_code in (200, 400, 404), text
                assert SECRET not in response.text
        for recipe in painter.recipes:
            assert recipe.init_image is None
            scenes = parse(recipe.prompt).scenes
            assert all(phrase.image is None for scene in scenes for phrase in scene)
