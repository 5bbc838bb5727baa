"""What one client may ask for, and that it is told when to come back."""

import pytest

from phosphene.core.errors import RecipeError
from phosphene.web import limits
from phosphene.web.failures import Refused
from phosphene.web.limits import Ledger, Limits, client_of, read_limits
from tests.studio.studios import Clock
from tests.web.served import FOX, error_of, served


def test_limits_are_read():
    assert read_limits("") == Limits()
    assert read_limits("jobs=3, waiting=0") == Limits(jobs=3, waiting=0)
    for wrong in ("job=3", "jobs", "jobs=-1", "jobs=x", "jobs=1e3", "jobs=²"):
        with pytest.raises(RecipeError, match="--limits"):
            read_limits(wrong)


@pytest.mark.parametrize(
    ("host", "client"),
    [
        ("192.168.1.5", "192.168.1.5"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2::9", "2001:db8:1:2::"),
        ("testclient", "testclient"),
        (None, "-"),
    ],
)
def test_a_client_is_an_address_or_a_network_of_ipv6(host, client):
    assert client_of(host) == client


def test_what_is_spent_comes_back_in_time():
    clock = Clock(0.0)
    ledger = Ledger(Limits(jobs=6), clock)
    for _ in range(6):
        ledger.spend("a", "jobs")
    with pytest.raises(Refused) as said:
        ledger.spend("a", "jobs")
    assert (said.value.status, said.value.retry_after) == (429, pytest.approx(10.0))
    ledger.spend("b", "jobs")  # another client has its own
    clock.now = 9.9
    with pytest.raises(Refused):
        ledger.spend("a", "jobs")
    clock.now = 10.1
    ledger.spend("a", "jobs")
    clock.now = 10_000.0  # no more than a minute's worth is saved up
    for _ in range(6):
        ledger.spend("a", "jobs")
    with pytest.raises(Refused):
        ledger.spend("a", "jobs")
    nothing = Ledger(Limits(jobs=0), clock)
    for _ in range(1000):
        nothing.spend("a", "jobs")


def test_clients_are_forgotten_when_there_are_many(monkeypatch):
    monkeypatch.setattr(limits, "MAX_CLIENTS", 100)
    ledger = Ledger(Limits())
    for number in range(1000):
        ledger.spend(str(number), "requests")
    assert len(ledger._accounts) == 100


def test_jobs_are_limited_and_what_is_known_is_none(tmp_path):
    with served(tmp_path, limits=Limits(jobs=2)) as client:
        headers = {"Idempotency-Key": "mine"}
        first = client.post("/api/recipes", json=FOX, headers=headers)
        for _ in range(5):
            again = client.post("/api/recipes", json=FOX, headers=headers)
            assert again.json()["id"] == first.json()["id"]
        assert client.post("/api/recipes", json=FOX).status_code == 202
        refused = client.post("/api/recipes", json=FOX)
        assert (refused.status_code, error_of(refused)["code"]) == (429, "rate_limited")
        assert 1 <= int(refused.headers["retry-after"]) <= 30
        assert len(client.get("/api/jobs").json()) == 2


def test_a_clients_share_of_the_queue(tmp_path):
    with served(tmp_path, limits=Limits(waiting=2)) as client:
        ids = [client.post("/api/recipes", json=FOX).json()["id"] for _ in range(2)]
        refused = client.post("/api/recipes", json=FOX)
        assert (refused.status_code, error_of(refused)["code"]) == (429, "queue_share_full")
        assert "retry-after" in refused.headers
        client.post(f"/api/jobs/{ids[0]}/cancel")
        assert client.post("/api/recipes", json=FOX).status_code == 202
        assert client.post("/api/recipes", json=FOX).status_code == 429


def test_requests_are_limited_before_anything_looks_at_them(tmp_path):
    with served(tmp_path, limits=Limits(requests=3)) as client:
        for _ in range(3):
            assert client.get("/nothing", headers={"host": "evil.example"}).status_code == 421
        refused = client.get("/api/jobs")
        assert (refused.status_code, error_of(refused)["code"]) == (429, "rate_limited")
        assert refused.headers["x-content-type-options"] == "nosniff"
        assert int(refused.headers["retry-after"]) >= 1
        assert client.get("/healthz").status_code == 200  # whoever restarts us is not fooled
