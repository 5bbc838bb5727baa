"""Figures, in the format that Prometheus reads."""

import re

from tests.studio.studios import hang, picture
from tests.web.served import FOX, studio_of

LINE = re.compile(r'[a-z_]+(\{[a-z]+="[a-z0-9:]+"\})? \d+')


def test_figures(client):
    client.post("/api/recipes", json={**FOX, "prompt": "secret words"})
    hang(studio_of(client), picture("secret words"))
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = answer.text.splitlines()
    assert all(line.startswith("# ") or LINE.fullmatch(line) for line in lines)
    assert 'phosphene_jobs{state="queued"} 1' in lines
    assert "phosphene_pictures 1" in lines
    assert f"phosphene_pictures_bytes {len(picture('secret words'))}" in lines
    assert "secret" not in answer.text
