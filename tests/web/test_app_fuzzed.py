"""Requests of every kind that the document of the APIs allows, and some that it does not: whatever
comes, no answer is a fault of ours.
"""

import pytest
from hypothesis import HealthCheck, given, settings

from phosphene.web.limits import Limits
from tests.web.live import live

schemathesis = pytest.importorskip("schemathesis")

EXAMPLES = 12  # of each operation
ENDLESS = ("/api/events",)  # its answer has no end


def fuzz(operation, tried: list[str]) -> None:
    """Make requests of one kind."""

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    @given(case=operation.as_strategy())
    def no_fault(case):
        response = case.call(timeout=30)
        tried.append(operation.label)
        said = (operation.label, response.status_code, response.content[:500])
        assert response.status_code < 500, said
        if response.status_code >= 400:
            assert set(response.json()) == {"error"}, said

    no_fault()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of schemathesis' own libraries
# the server lives in this process: its libraries draw numbers while hypothesis watches the state
@pytest.mark.filterwarnings("ignore:Do not use the .random. module")
def test_no_request_is_a_fault_of_ours(tmp_path, monkeypatch):
    monkeypatch.setattr("phosphene.web.streams.LOOK_SECONDS", 0.01)
    monkeypatch.setattr("phosphene.web.streams.BEAT_SECONDS", 0.02)
    tried: list[str] = []
    (tmp_path / "open").mkdir()
    opened = (tmp_path / "open",)
    with live(tmp_path, limits=Limits(0, 0, 0), checkpoints=opened) as server:
        schema = schemathesis.openapi.from_url(f"{server.url}/openapi.json")
        for found in schema.get_all_operations():
            if (operation := found.ok()).path not in ENDLESS:
                fuzz(operation, tried)
    assert len(set(tried)) > 60
    assert len(tried) > 300
