"""Measure the embedded models on concepts they never saw: `python docs/report.py DATA`.

DATA is a set built by `phosphene data emoji`. Prints the figures that docs/families/vqgan.md quotes
and writes originals over reconstructions to docs/pictures/emoji-vqgan.png.
"""

import sys
from pathlib import Path

import torch
import torch.nn.functional as F

from phosphene.core.images import from_uint8, grid, save_png
from phosphene.core.latent import Space
from phosphene.training.data import Batches, open_source
from phosphene.zoo import Zoo
from phosphene.zoo.registry import home

NUM_PICTURES = 256
PICTURES = Path(__file__).parent / "pictures"


def autoencoder(zoo: Zoo, data: Path) -> None:
    """PSNR, L1 and codebook use of emoji-vqgan on held-out scenes."""
    model = zoo.load("emoji-vqgan")
    images = from_uint8(
        Batches(open_source(data, 128, 0, "held-out"), NUM_PICTURES).batch(0)["images"]
    )
    painted, used = [], set()
    with torch.no_grad():
        for part in images.chunk(NUM_PICTURES // 32):
            codes = model.encode(part)
            used |= set(model.tokens(codes).expect(Space.TOKENS).flatten().tolist())
            painted.append(model.decode(model.snap(codes)).clamp(-1, 1))
    output = torch.cat(painted)
    mse = (output - images).square().mean(dim=(1, 2, 3))
    psnr = (10 * torch.log10(4 / mse)).mean()
    sys.stdout.write(
        f"emoji-vqgan, {NUM_PICTURES} held-out scenes: PSNR {psnr:.1f} dB, "
        f"L1 {(output - images).abs().mean():.3f} of a range of 2, "
        f"{len(used)} of {model.config.codebook_size} codes used\n"
    )
    rows = [image for i in range(0, 48, 16) for image in (*images[i : i + 16], *output[i : i + 16])]
    save_png(grid(torch.stack(rows), columns=16), PICTURES / "emoji-vqgan.png")


def perceptor(zoo: Zoo, data: Path) -> None:
    """Zero-shot retrieval of held-out concepts: which name belongs to which drawing."""
    model = zoo.load("emoji-clip")
    source = open_source(data, 128, 0, "held-out")
    names = [subject.label for subject in source.subjects]  # type: ignore[attr-defined]
    drawings, labels = [], []
    for label, subject in enumerate(source.subjects):  # type: ignore[attr-defined]
        for style in subject.styles:
            drawings.append(source.portrait(subject, style))  # type: ignore[attr-defined]
            labels.append(label)
    with torch.no_grad():
        texts = model.encode_text(names)
        images = from_uint8(torch.stack(drawings))
        seen = torch.cat([model.encode_image(part) for part in images.chunk(-(-len(images) // 64))])
    ranks = (seen @ texts.T).argsort(dim=1, descending=True)
    hits = ranks == torch.tensor(labels)[:, None]
    top1, top5 = (hits[:, :k].any(dim=1).float().mean() for k in (1, 5))
    sys.stdout.write(
        f"emoji-clip, {len(images)} drawings of {len(names)} held-out concepts: top-1 {top1:.1%}, "
        f"top-5 {top5:.1%} (chance {1 / len(names):.1%} and {5 / len(names):.1%}); "
        f"mean cosine of pairs {F.cosine_similarity(seen, texts[labels]).mean():.2f}\n"
    )


if __name__ == "__main__":
    autoencoder(Zoo(home()), Path(sys.argv[1]))
    perceptor(Zoo(home()), Path(sys.argv[1]))
