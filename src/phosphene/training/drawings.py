"""The emoji drawings one by one, without scenes or words: what a GAN of objects learns from."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from phosphene.core.errors import RecipeError
from phosphene.training.example import Example
from phosphene.training.pictures import MODES, Size, chosen_classes, demand_split, sides_of
from phosphene.training.sprites import SpriteShelf, read_subjects

MARGIN = 0.04  # of the shorter side, left free all around


class DrawingSource:
    """Each concept in each style alone, in the middle; its class is its Unicode subgroup.

    Args:
        root: A set built by `build_emoji`.
        size: Side in pixels, or height and width.
        split: "train" leaves out held-out concepts, "held-out" shows only those, "all" shows all.
        channels: 3 lays the drawing on white, 1 does so in grey, 4 keeps it transparent.
        classes: Only these subgroups; all if empty.
        styles: Only these drawing styles; all if empty.
    Raises:
        RecipeError: no set at `root`, an unknown subgroup, style or split, or nothing left.
    """

    def __init__(
        self,
        root: Path,
        size: Size = 128,
        split: str = "train",
        channels: int = 3,
        *,
        classes: tuple[str, ...] = (),
        styles: tuple[str, ...] = (),
    ) -> None:
        demand_split(split, size)
        self.size, self.channels = size, channels
        subjects = read_subjects(root).values()
        known = {style for subject in subjects for style in subject.styles}
        unknown = [style for style in styles if style not in known]
        if unknown:
            raise RecipeError(
                f"the set at {str(root)!r} has no style {unknown[0][:40]!r}; "
                f"it has {', '.join(sorted(known))}"
            )
        self.class_names = chosen_classes({subject.subgroup for subject in subjects}, classes)
        self.drawings = [
            (subject, style)
            for subject in subjects
            if subject.subgroup in self.class_names
            and (split == "all" or subject.held_out == (split == "held-out"))
            for style in subject.styles
            if not styles or style in styles
        ]
        if not self.drawings:
            raise RecipeError(f"the set at {str(root)!r} has no such drawings in split {split!r}")
        self._shelf = SpriteShelf(root)

    def __len__(self) -> int:
        return len(self.drawings)

    def example(self, index: int) -> Example:
        """Drawing `index`, its name as the caption.

        Raises:
            IndexError: out of range.
        """
        subject, style = self.drawings[index]
        height, width = sides_of(self.size)
        sprite = self._shelf.sprite(style, subject.name).image
        room = round(min(height, width) * (1 - 2 * MARGIN))
        scale = room / max(sprite.size)
        wide, tall = (max(1, round(side * scale)) for side in sprite.size)
        drawn = sprite.resize((wide, tall), Image.Resampling.LANCZOS, reducing_gap=3.0)
        # invisible white, so that blending at the edges does not darken them
        canvas = Image.new("RGBA", (width, height), (255, 255, 255, 0))
        canvas.paste(drawn, ((width - wide) // 2, (height - tall) // 2), drawn)
        if self.channels != 4:
            ground = Image.new("RGBA", canvas.size, "white")
            canvas = Image.alpha_composite(ground, canvas)
        pixels = np.array(canvas.convert(MODES[self.channels])).reshape(height, width, -1)
        image = torch.from_numpy(pixels).permute(2, 0, 1).contiguous()
        label = self.class_names.index(subject.subgroup)
        return Example(image, f"{subject.label} | {style}", subject.name, label)
