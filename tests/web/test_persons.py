"""`/person.png` and `/wander.png`: an address is a picture, and not for other sites."""

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


def test_truncation_is_psi_where_there_are_styles_else_a_threshold(client, asked):
    answer = client.get("/person.png?seed=7&model=emoji-stylegan2&truncation=0.7")
    assert (asked[-1].truncation_psi, asked[-1].truncation_threshold) == (0.7, None)
    assert answer.headers["content-location"].endswith(
        "?seed=7&model=emoji-stylegan2&truncation=0.7"
    )
    client.get("/person.png?seed=7&truncation=1.5")
    assert (asked[-1].truncation_psi, asked[-1].truncation_threshold) == (None, 1.5)
    client.get("/person.png?seed=7")
    assert (asked[-1].truncation_psi, asked[-1].truncation_threshold) == (None, None)


def test_what_is_not_painted(client, asked, monkeypatch):
    for path, status in (
        ("/person.png?seed=-1", 422),
        ("/person.png?seed=9223372036854775808", 422),
        ("/person.png?truncation=x", 422),
        ("/person.png?truncation=-0.1", 422),
        ("/person.png?truncation=nan", 422),
        ("/person.png?truncation=101", 422),
        ("/person.png?truncation=0", 400),  # psi may be 0, a threshold not
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


def test_a_place_is_a_picture(client, asked):
    first, again = (client.get("/wander.png?path=z %3D 0.6*7 %2B 0.8*8&seed=3") for _ in range(2))
    assert first.headers["content-type"] == "image/png"
    assert first.content == again.content
    assert first.headers["etag"] == again.headers["etag"]
    assert first.headers["cache-control"] == "private, max-age=3600"
    recipe = asked[0]
    assert (recipe.kind, recipe.model, recipe.seed) == ("walk", "faces-dcgan", 3)
    assert (recipe.path, recipe.num_frames, recipe.times) == ("z = 0.6*7 + 0.8*8", 1, (0.0,))
    client.get("/wander.png?path=z=7&model=emoji-stylegan2")
    assert asked[-1].model == "emoji-stylegan2"


def test_what_is_no_place(client, asked):
    for query, status in (
        ("", 422),
        ("path=", 422),
        ("path=z=7&seed=-1", 422),
        (f"path={'z' * 2001}", 422),
        ("path=z=7&model=../secret.safetensors", 404),
        ("path=z=secret.png", 400),
        (f"path=z=artifact:{'ab' * 32}", 400),
    ):
        response = client.get(f"/wander.png?{query}")
        assert response.status_code == status, query
        error_of(response)
    elsewhere = client.get("/wander.png?path=z=7", headers={"sec-fetch-site": "cross-site"})
    assert (elsewhere.status_code, error_of(elsewhere)["code"]) == (403, "wrong_origin")
    assert asked == []
