"""`/person.png`: a new one each time, the same for the same seed, and not for other sites."""

import pytest

from phosphene.core.errors import DeviceError
from tests.studio.studios import plain_png
from tests.web.served import error_of


@pytest.fixture
def asked(client, monkeypatch):
    recipes = []

    def ask(recipe):
        recipes.append(recipe)
        return plain_png("red", seed=str(recipe.seed))

    monkeypatch.setattr(client.app.state.house.live, "ask", ask)
    return recipes


def test_a_seed_is_a_picture(client, asked):
    first, again, other = (client.get(f"/person.png?seed={s}") for s in (7, 7, 8))
    assert first.headers["content-type"] == "image/png"
    assert first.content == again.content != other.content
    assert first.headers["etag"] == again.headers["etag"] != other.headers["etag"]
    assert (asked[0].model, asked[0].seed) == ("faces-dcgan", 7)
    client.get("/person.png?seed=7&model=emoji-stylegan2")
    assert asked[-1].model == "emoji-stylegan2"


def test_without_a_seed_there_is_a_new_one_each_time(client, asked):
    answers = [client.get("/person.png") for _ in range(3)]
    assert len({recipe.seed for recipe in asked}) == 3
    assert {a.headers["cache-control"] for a in answers} == {"no-store"}
    assert client.get(answers[0].headers["content-location"]).content == answers[0].content


def test_what_is_not_painted(client, asked, monkeypatch):
    for path, status in (
        ("/person.png?seed=-1", 422),
        ("/person.png?seed=9223372036854775808", 422),
        ("/person.png?model=../secret.safetensors", 404),
        ("/person.png?model=nobody", 404),
    ):
        response = client.get(path)
        assert response.status_code == status, path
        error_of(response)
    elsewhere = client.get("/person.png", headers={"sec-fetch-site": "cross-site"})
    assert (elsewhere.status_code, error_of(elsewhere)["code"]) == (403, "wrong_origin")
    assert asked == []

    def dies(_):
        raise DeviceError("the process that paints at once died; ask again")

    monkeypatch.setattr(client.app.state.house.live, "ask", dies)
    assert client.get("/person.png").status_code == 503
