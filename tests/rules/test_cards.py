"""Every model says whose it is and what it learnt from, and its weights are the ones promised."""

import hashlib
import re
import tomllib
from pathlib import Path
from typing import Any

from tests.rules.syntax import SRC, listed

CARDS = SRC / "zoo" / "cards.toml"
WEIGHTS = SRC / "zoo" / "weights"
REQUIRED = ("name", "family", "licence", "source", "trained_on")
MAX_TOTAL_BYTES = 105_000_000

Card = dict[str, Any]


def incomplete(card: Card) -> list[str]:
    """What a card fails to say."""
    name = card.get("name", "a card without a name")
    found = [f"{name}: no {key}" for key in REQUIRED if not str(card.get(key, "")).strip()]
    commit = card.get("hub", {}).get("revision", "")  # a commit is a hash of all its files
    if not re.fullmatch(r"[0-9a-f]{64}", card.get("sha256", "")) and len(commit) != 40:
        found.append(f"{name}: no sha256 (64 hexadecimal digits), nor a hub commit")
    return found


def mismatched(cards: list[Card], weights: Path) -> list[str]:
    """Embedded weights that are missing, changed, too many or too large in all."""
    found = []
    promised = {card["file"]: card for card in cards if "file" in card}
    for file, card in promised.items():
        path = weights / file
        if not path.is_file():
            found.append(f"{card['name']}: {file} is missing")
        elif hashlib.sha256(path.read_bytes()).hexdigest() != card.get("sha256"):
            found.append(f"{card['name']}: {file} is not the file of its sha256")
    present = [path for path in weights.rglob("*") if path.is_file()]
    for path in present:
        name = path.relative_to(weights).as_posix()
        if name not in promised or path.suffix != ".safetensors":
            found.append(f"weights/{name} belongs to no card, or is not safetensors")
    total = sum(path.stat().st_size for path in present)
    if total > MAX_TOTAL_BYTES:
        found.append(f"weights take {total:,} bytes, at most {MAX_TOTAL_BYTES:,}")
    return found


def read(text: str) -> list[Card]:
    return tomllib.loads(text).get("card", [])


def test_cards_are_complete():
    cards = read(CARDS.read_text()) if CARDS.exists() else []
    found = [complaint for card in cards for complaint in incomplete(card)]
    names = [card.get("name") for card in cards]
    found += [f"{name}: two cards" for name in set(names) if names.count(name) > 1]
    assert not found, listed(found)
    assert cards or not WEIGHTS.exists(), "no [[card]] in cards.toml, but there are weights"


def test_embedded_weights_are_the_promised_ones():
    found = mismatched(read(CARDS.read_text()) if CARDS.exists() else [], WEIGHTS)
    assert not found, listed(found)


def test_the_rule_finds_violations(tmp_path, monkeypatch):
    (tmp_path / "a.safetensors").write_bytes(b"weights")
    good = {
        **dict.fromkeys(REQUIRED, "x"),
        "file": "a.safetensors",
        "sha256": hashlib.sha256(b"weights").hexdigest(),
    }
    assert incomplete(good) == mismatched([good], tmp_path) == []
    for key in (*REQUIRED, "sha256"):
        assert incomplete({**good, key: ""}), key
        assert incomplete({k: v for k, v in good.items() if k != key}), key
    assert incomplete({**good, "sha256": "", "hub": {"revision": "0" * 40}}) == []
    assert mismatched([{**good, "sha256": "0" * 64}], tmp_path)
    assert mismatched([{**good, "file": "b.safetensors"}], tmp_path)
    assert mismatched([], tmp_path)
    assert mismatched([], tmp_path / "missing") == []
    monkeypatch.setitem(globals(), "MAX_TOTAL_BYTES", 6)
    assert mismatched([good], tmp_path)
