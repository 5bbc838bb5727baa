"""Recipes and jobs over HTTP."""

import json

import pytest

from phosphene.studio.job_events import tell
from phosphene.studio.leases import Pace
from phosphene.studio.tables import made
from tests.web.served import FOX, error_of, served, studio_of


def post(client, recipe=FOX, **more):
    response = client.post("/api/recipes", json=recipe, **more)
    assert response.status_code == 202, response.text
    return response.json()


def finish(client, steps: int = 3) -> str:
    """Do what a worker does, without painting."""
    studio = studio_of(client)
    job, held = studio.leases.claim("elsewhere:1:a")
    for step in range(1, steps + 1):
        with studio.database.writing() as connection:
            studio.leases.hold(connection, held, step=step, total=steps)
            data = {"step": step, "total": steps, "text": "é\n\n"}
            tell(connection, job.id, "step", data, 0.0, b"webp" if step == 2 else None)
    studio.leases.finish(held, Pace(1.0, 0.5))
    return job.id


def events_of(text: str) -> list[dict[str, str]]:
    """Parse a stream as a browser does."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if line[:1] != ":")
        if "data" in fields:
            found.append(fields)
    return found


def test_a_recipe_becomes_a_job(client):
    job = post(client)
    assert (job["state"], job["kind"], job["recipe"]["prompt"]) == ("queued", "imagine", "fox")
    assert client.get(f"/api/jobs/{job['id']}").json() == job
    assert [j["id"] for j in client.get("/api/queue").json()] == [job["id"]]
    assert [j["id"] for j in client.get("/api/jobs?state=queued&limit=1").json()] == [job["id"]]
    assert client.get("/api/jobs?state=done").json() == []


def test_a_list_has_each_jobs_own_pictures(client):
    ids = [post(client)["id"] for _ in range(2)]
    with studio_of(client).database.writing() as connection:
        connection.execute(made.insert().values(job=ids[0], number=0, artifact="a" * 64))
    listed = {job["id"]: job["pictures"] for job in client.get("/api/jobs").json()}
    assert listed == {ids[0]: ["a" * 64], ids[1]: []}


def test_the_same_key_is_the_same_job(client):
    headers = {"Idempotency-Key": "mine"}
    first = post(client, {"kind": "sample", "model": "digits-cgan"}, headers=headers)
    assert post(client, {"kind": "sample", "model": "digits-cgan"}, headers=headers) == first
    response = client.post("/api/recipes", json=FOX, headers=headers)
    assert (response.status_code, error_of(response)["code"]) == (409, "wrong_state")


def test_the_queue_is_changed(client):
    a, b, c = (post(client)["id"] for _ in range(3))
    urgent = post(client, FOX, params={"priority": 5})["id"]

    def order():
        return [j["id"] for j in client.get("/api/queue").json()]

    assert order() == [urgent, a, b, c]
    moved = client.post(f"/api/jobs/{c}/move", json={"before": a})
    assert (moved.status_code, order()) == (200, [urgent, c, a, b])
    client.post(f"/api/jobs/{b}/move", json={"priority": 9})
    assert order() == [b, urgent, c, a]
    assert client.post(f"/api/jobs/{c}/pause").json()["state"] == "paused"
    assert order() == [b, urgent, a]
    assert client.post(f"/api/jobs/{c}/resume").json()["state"] == "queued"
    assert client.post(f"/api/jobs/{a}/cancel").json()["state"] == "cancelled"
    response = client.post(f"/api/jobs/{a}/resume")
    assert (response.status_code, error_of(response)["code"]) == (409, "wrong_state")


def test_what_happens_is_streamed_and_taken_up_again(client):
    post(client)
    job = finish(client)
    with client.stream("GET", f"/api/jobs/{job}/events") as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        whole = events_of(response.read().decode())
    assert [e["event"] for e in whole] == ["state", "state", "step", "step", "step", "state"]
    assert json.loads(whole[-1]["data"])["state"] == "done"
    assert json.loads(whole[2]["data"])["text"] == "é\n\n"
    for header in ({"Last-Event-ID": whole[2]["id"]}, None):
        url = f"/api/jobs/{job}/events" + ("" if header else f"?after={whole[2]['id']}")
        assert events_of(client.get(url, headers=header).text) == whole[3:]
    # who has seen the end is not kept waiting
    last = {"Last-Event-ID": whole[-1]["id"]}
    assert events_of(client.get(f"/api/jobs/{job}/events", headers=last).text) == []
    shown = json.loads(whole[3]["data"])["preview"]
    preview = client.get(shown)
    assert (preview.content, preview.headers["content-type"]) == (b"webp", "image/webp")
    assert client.get(shown[:-1] + "99").status_code == 404


def test_a_forecast_before_the_run(client):
    assert client.post("/api/recipes/forecast", json=FOX).json() is None
    post(client)
    finish(client)
    said = client.post("/api/recipes/forecast", json=FOX).json()
    assert said["seconds"] == pytest.approx(1 + 3 * 0.5)
    assert post(client)["forecast"] == said


@pytest.mark.slow
def test_a_training_is_asked_for_where_it_is_allowed(client, tmp_path):
    training = {"kind": "train", "learner": "gan", "steps": 3, "data": "folder:cats"}
    for path in ("/api/recipes", "/api/recipes/forecast"):
        response = client.post(path, json=training)
        assert (response.status_code, error_of(response)["param"]) == (400, "kind")
    (tmp_path / "open" / "cats").mkdir(parents=True)
    with served(tmp_path / "other", data=tmp_path / "open") as other:
        job = other.post("/api/recipes", json=training)
        assert job.status_code == 202
        assert str(tmp_path) not in job.text
        for data in (
            "folder:../open",
            "folder:..",
            str(tmp_path / "open" / "cats"),
            "artifact:" + "a" * 64,
        ):
            response = other.post("/api/recipes", json={**training, "data": data})
            assert (response.status_code, error_of(response)["param"]) == (400, "data")
            assert str(tmp_path) not in error_of(response)["message"].replace(data, "")


def test_kinds_are_described(client):
    kinds = client.get("/api/recipes/kinds").json()
    assert "prompt" in kinds["imagine"]["properties"]
    assert "train" not in kinds


@pytest.mark.parametrize(
    ("recipe", "said", "param"),
    [
        ({}, "'kind' is missing", None),
        ({"kind": "imagin", "prompt": "x"}, "did you mean", "kind"),
        ({"kind": "imagine"}, "'prompt' is missing", None),
        ({**FOX, "iterations": 0}, "iterations: 0", "iterations"),
        ({**FOX, "width": 10**30}, "width", "width"),
        ({**FOX, "x": 1}, "unknown key", None),
        ({**FOX, "model": "emoji-vqgam"}, "did you mean 'emoji-vqgan'", "model"),
    ],
)
def test_a_wrong_recipe_is_one_line(client, recipe, said, param):
    response = client.post("/api/recipes", json=recipe)
    assert response.status_code == 400
    error = error_of(response)
    assert said in error["message"]
    assert error["param"] == param


def test_what_is_not_there(client):
    for method, url in (
        ("GET", "/api/jobs/nobody"),
        ("POST", "/api/jobs/nobody/cancel"),
        ("GET", "/api/jobs/nobody/events"),
        ("GET", "/nothing"),
    ):
        response = client.request(method, url)
        assert response.status_code == 404
        error_of(response)
    assert error_of(client.post("/api/queue"))["code"] == "method_not_allowed"
    assert client.get("/api/jobs?limit=0").status_code == 422


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{", b'"x"', b"[" * 100_000, b'{"kind": NaN}', b'{"a":' * 50_000, b"\xff\xfe"],
)
def test_what_is_no_json_object_is_refused(client, body):
    response = client.post(
        "/api/recipes", content=body, headers={"content-type": "application/json"}
    )
    assert 400 <= response.status_code < 500
    error_of(response)
