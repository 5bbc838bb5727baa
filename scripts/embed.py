"""Take the weights of a finished training run into the package: `python scripts/embed.py FILE`.

Copies NAME.safetensors to src/phosphene/zoo/weights and brings sha256, bytes and parameters of the
card of that name in cards.toml up to date. The rest of the card is written by hand.
"""

import re
import shutil
import sys
from pathlib import Path

from phosphene.core.checksum import sha256_of
from phosphene.core.weights import read_weights

ZOO = Path(__file__).parents[1] / "src" / "phosphene" / "zoo"


def main(source: Path) -> None:
    """Copy the weights, then rewrite the three fields."""
    name = source.stem
    tensors, _ = read_weights(source)
    fields = {
        "parameters": f"{sum(t.numel() for t in tensors.values()):_}",
        "sha256": f'"{sha256_of(source)}"',
        "bytes": f"{source.stat().st_size:_}",
    }
    cards = ZOO / "cards.toml"
    parts = re.split(
        rf'(?ms)(^name = "{re.escape(name)}"\n.*?)(?=^\[\[card\]\]|\Z)',
        cards.read_text(),
        maxsplit=1,
    )
    if len(parts) != 3:
        raise SystemExit(f"no card is called {name}; write one in {cards} first")
    before, card, after = parts
    for key, value in fields.items():
        card, count = re.subn(rf"(?m)^{key} = .*$", f"{key} = {value}", card)
        if count != 1:
            raise SystemExit(f"the card of {name} needs one line `{key} = ...` to be filled in")
    target = ZOO / "weights" / source.name
    target.parent.mkdir(exist_ok=True)
    shutil.copyfile(source, target)
    cards.write_text(before + card + after)
    sys.stdout.write(f"{name}: {fields}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
