"""Judge text-to-image methods on docs/hundred.toml: `python docs/judge.py DATA FOLDER METHOD...`

For each METHOD (`diffusion`, `diffusion:MODEL`, `vqgan-clip,start=draft`, ...) paints the hundred
prompts with two seeds into FOLDER, and says

- retrieval: how often the perceptor finds a picture's own prompt first, and among five, of the
  hundred; by kind of prompt;
- Fréchet and kernel distance to held-out scenes of DATA (a set built by `phosphene data emoji`), on
  features of EfficientNet-Lite0, with real scenes of the training set as the yardstick;
- diversity: feature distance of the two seeds' pictures of a prompt, beside that of two prompts;
- seconds a picture, of this process.

It writes METHOD.png, a sheet, and METHOD-nearest.png: pictures above their nearest training scene,
so that memorised ones show. The perceptor here is the one that guided methods follow: its
retrieval flatters them.
"""

import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from phosphene.core.images import from_uint8, grid, open_image, resize, save_png
from phosphene.core.rng import Rng
from phosphene.metrics.features import features_of
from phosphene.metrics.scores import frechet_distance, kernel_distance
from phosphene.studio.craft import Painted
from phosphene.studio.recipe import Imagine
from phosphene.studio.run import run
from phosphene.training.data import Batches, open_source
from phosphene.zoo import Zoo
from phosphene.zoo.registry import home

HUNDRED = Path(__file__).with_name("hundred.toml")
SEEDS, SIDE, BATCH, COLUMNS = (1, 2), 128, 25, 20
NUM_REAL, NUM_SEARCHED = 200, 4000


def prompts() -> dict[str, list[str]]:
    """The prompts by kind."""
    kinds: dict[str, list[str]] = tomllib.loads(HUNDRED.read_text())
    return kinds


def painted(words: list[str], method: str, folder: Path, zoo: Zoo) -> tuple[Tensor, float]:
    """Pictures of every prompt, all of a seed together; and seconds a picture made now."""
    whole, *more = method.split(",")
    name, _, model = whole.partition(":")
    fields: dict[str, Any] = {"method": name, **({"model": model} if model else {})}
    fields |= dict(field.split("=", 1) for field in more)
    images, seconds = [], []
    for seed in SEEDS:
        for number, prompt in enumerate(words):
            path = folder / method.replace("/", "_") / f"{seed}-{number:03d}.png"
            if not path.exists():
                begun = time.monotonic()
                *_, last = run(Imagine(prompt=prompt, seed=seed, **fields), zoo)
                assert isinstance(last, Painted)
                assert last.artifact is not None
                seconds.append(time.monotonic() - begun)
                path.parent.mkdir(parents=True, exist_ok=True)
                last.artifact.save(path)
            images.append(resize(open_image(path)[None], SIDE, SIDE)[0])
    return torch.stack(images), sum(seconds) / max(1, len(seconds))


def scenes(data: str, split: str, count: int) -> Tensor:
    """Scenes of the set, as pictures."""
    return from_uint8(Batches(open_source(data, SIDE, 5, split), count).batch(0)["images"])


def batches(images: Tensor) -> Iterator[Tensor]:
    """A few pictures at a time."""
    return (images[start : start + BATCH] for start in range(0, len(images), BATCH))


@torch.no_grad()
def retrieval(images: Tensor, words: list[str], zoo: Zoo) -> Tensor:
    """Rank of each picture's own prompt among all, from 0."""
    perceptor = zoo.load("emoji-clip")
    seen = torch.cat([perceptor.encode_image(part) for part in batches(images)]).float()
    told = perceptor.encode_text(words).float()
    cosine = seen @ told.T
    own = torch.arange(len(words)).repeat(len(SEEDS))
    ranks: Tensor = (cosine > cosine.gather(1, own[:, None])).sum(dim=1)
    return ranks


def say(line: str) -> None:
    """A line of figures."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def judge(method: str, data: str, folder: Path, zoo: Zoo) -> None:
    """Print what there is to say of a method, and lay out its sheets."""
    kinds = prompts()
    words = [prompt for group in kinds.values() for prompt in group]
    images, seconds = painted(words, method, folder, zoo)
    save_png(grid(images[: len(words)], COLUMNS), folder / f"{method.replace('/', '_')}.png")
    ranks, start = retrieval(images, words, zoo), 0
    for kind, group in kinds.items():
        rows = torch.cat([ranks[s * len(words) + start :][: len(group)] for s in range(len(SEEDS))])
        first, five = float((rows == 0).float().mean()), float((rows < 5).float().mean())
        say(f"{method}, {kind}: own prompt first {first:.0%}, among five {five:.0%}")
        start += len(group)
    extractor = zoo.load("efficientnet-lite0")
    found = features_of(batches(images), extractor)
    truth = features_of(batches(scenes(data, "held-out", NUM_REAL)), extractor)
    for name, features in (
        (method, found),
        ("yardstick", features_of(batches(scenes(data, "train", NUM_REAL)), extractor)),
    ):
        kernel = kernel_distance(features, truth, Rng((0,), "/judge"))
        say(
            f"{name}: Fréchet {frechet_distance(features, truth):.1f}, kernel {kernel.value:.3f} "
            f"({kernel.low:.3f} to {kernel.high:.3f}) on {len(features)}"
        )
    one, other = found[: len(words)], found[len(words) :]
    same = (one - other).norm(dim=1).mean()
    different = (one - other.roll(1, dims=0)).norm(dim=1).mean()
    say(f"{method}: two seeds differ by {float(same / different):.2f} of what two prompts do")
    if seconds:
        say(f"{method}: {seconds:.1f} s a picture")
    nearest(images[: len(words)], one, data, extractor, folder / f"{method}-nearest.png")


def nearest(images: Tensor, features: Tensor, data: str, extractor: Any, path: Path) -> None:
    """A sheet of pictures, each above the training scene that looks most like it."""
    known = scenes(data, "train", NUM_SEARCHED)
    close = torch.cdist(features, features_of(batches(known), extractor)).argmin(dim=1)
    rows = [
        part
        for start in range(0, len(images), COLUMNS)
        for part in (images[start : start + COLUMNS], known[close[start : start + COLUMNS]])
    ]
    save_png(grid(torch.cat(rows), COLUMNS), path)


def main(data: str, folder: str, *methods: str) -> None:
    """Judge each method."""
    zoo = Zoo(home())
    for method in methods:
        judge(method, data, Path(folder), zoo)


if __name__ == "__main__":
    main(*sys.argv[1:])
