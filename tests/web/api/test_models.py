"""Checkpoints over HTTP: a listing, and conversions with their statuses."""

import pytest

from phosphene.web.guard import Guard
from phosphene.zoo.zoo import Zoo
from tests.web.served import error_of, served
from tests.zoo.taming_reference import drawn_weights, published
from tests.zoo.test_convert import GUMBEL

CONVERT = "/api/models/convert"
ASKED = {"kind": "taming", "checkpoint": "open/last.ckpt", "name": "mine"}


@pytest.fixture
def opened(tmp_path):
    """A folder with a checkpoint, what is none, and a link that leads out."""
    folder = tmp_path / "open"
    folder.mkdir()
    published(GUMBEL, drawn_weights(GUMBEL), folder)
    (folder / "text.pkl").write_text("no checkpoint")
    (tmp_path / "x").write_bytes((folder / "last.ckpt").read_bytes())
    (folder / "link.ckpt").symlink_to(tmp_path / "x")
    return (folder,)


@pytest.mark.slow
def test_a_checkpoint_becomes_a_model(tmp_path, opened):
    with served(tmp_path / "share", checkpoints=opened) as client:
        assert client.get("/api/checkpoints").json() == ["open/last.ckpt", "open/text.pkl"]
        made = client.post(CONVERT, json=ASKED)
        assert made.status_code == 201, made.text
        view = made.json()
        assert (view["name"], view["family"], view["arch"]) == ("mine", "tokens", "vqgan")
        assert view["origin"].startswith("converted from 'last.ckpt'")
        assert str(tmp_path) not in made.text
        again = client.post(CONVERT, json=ASKED)
        assert (again.status_code, error_of(again)["code"]) == (409, "name_taken")
        assert "mine" in [model["id"] for model in client.get("/v1/models").json()["data"]]
    Zoo(tmp_path / "share" / "home").load("mine")


@pytest.mark.parametrize(
    "name", ["../x", "open/../../x", "open/link.ckpt", "open/nowhere.ckpt", "last.ckpt", "", "/x"]
)
def test_what_is_not_listed_is_not_found(name, tmp_path, opened):
    with served(tmp_path / "share", checkpoints=opened) as client:
        refused = client.post(CONVERT, json={**ASKED, "checkpoint": name})
        assert (refused.status_code, error_of(refused)["param"]) == (404, "checkpoint")
        assert str(tmp_path) not in refused.text
    assert not (tmp_path / "share" / "home").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"kind": "stylegan2", "checkpoint": "open/text.pkl"}, "checkpoint_error"),
        ({"kind": "biggan"}, "checkpoint_error"),
        ({"name": "No Name"}, "recipe_error"),
        ({"name": "../up"}, "recipe_error"),
        ({"kind": "pickle"}, "invalid_value"),
        ({"path": "/etc/passwd"}, "invalid_value"),
    ],
)
def test_what_cannot_be_converted_is_said(more, code, tmp_path, opened):
    with served(tmp_path / "share", checkpoints=opened) as client:
        refused = client.post(CONVERT, json={**ASKED, **more})
        assert (refused.status_code, error_of(refused)["code"]) == (422, code)
        assert str(tmp_path) not in refused.text
    assert not (tmp_path / "share" / "home").exists()


def test_one_conversion_at_a_time(tmp_path, opened):
    with served(tmp_path / "share", checkpoints=opened) as client:
        with client.app.state.house.converter.turn():
            refused = client.post(CONVERT, json=ASKED)
        assert (refused.status_code, error_of(refused)["code"]) == (429, "too_many")
        assert "retry-after" in refused.headers


def test_nobody_converts_unless_a_folder_is_open(client):
    for refused in (client.get("/api/checkpoints"), client.post(CONVERT, json=ASKED)):
        assert (refused.status_code, error_of(refused)["code"]) == (403, "not_allowed")


def test_nobody_converts_without_the_token(tmp_path, opened):
    guard = Guard("a secret token")
    with served(tmp_path / "share", guard, checkpoints=opened) as client:
        for refused in (client.get("/api/checkpoints"), client.post(CONVERT, json=ASKED)):
            assert refused.status_code == 401
        shown = {"authorization": "Bearer a secret token"}
        assert client.get("/api/checkpoints", headers=shown).status_code == 200


def test_the_document_describes_both(client):
    paths = client.get("/openapi.json").json()["paths"]
    assert set(paths["/api/checkpoints"]["get"]["responses"]) == {"200", "403"}
    answers = set(paths[CONVERT]["post"]["responses"])
    assert answers == {"201", "403", "404", "409", "422", "429", "503"}
