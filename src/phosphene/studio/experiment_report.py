"""What an experiment found: in sentences for whoever watches, and as JSON with all numbers."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phosphene.core.files import write_bytes
from phosphene.metrics.intervals import FEWEST, POWER, Effect
from phosphene.metrics.shift import Shift
from phosphene.studio.recipe import Incantation

MOST_NEEDED = 10_000  # prompts that anybody might try


@dataclass(frozen=True, slots=True)
class Finding:
    """All numbers of an experiment.

    Args:
        recipe: Complete.
        judge: Name of the perceptor that scored.
        shifts: Of each prompt.
        scores: Of each prompt, of its seeds: without the words, and with them.
        look: The shifts beyond chance.
        score: What the words add to the score.
    """

    recipe: Incantation
    judge: str
    shifts: Sequence[Shift]
    scores: Sequence[tuple[Sequence[float], Sequence[float]]]
    look: Effect
    score: Effect

    @property
    def verdict(self) -> str:
        """The answer in a few words."""
        effects = (self.look, self.score)
        if any(effect.measurable for effect in effects):
            return "the words change the pictures"
        if any(0.0 not in effect.interval for effect in effects):
            return f"too few prompts to tell: {len(self.shifts)} of at least {FEWEST}"
        return "no measurable effect"


def report_lines(finding: Finding) -> tuple[str, ...]:
    """What to tell, a line each."""
    pair = math.fsum(shift.pair for shift in finding.shifts) / len(finding.shifts)
    chance = math.fsum(shift.chance for shift in finding.shifts) / len(finding.shifts)
    share = f", {pair / chance:.2f} of what another seed changes" if chance else ""
    return (
        f"perceptual distance: {pair:.4f} with and without the words, {chance:.4f} between two "
        f"seeds{share}",
        _line("look, beyond chance", finding.look),
        _line(f"score by {finding.judge}", finding.score),
        f"{finding.recipe.words.strip()!r}: {finding.verdict}",
    )


def write_report(finding: Finding, folder: Path) -> Path:
    """Write all numbers as JSON.

    Raises:
        StorageError: disk full, folder not writable.
    """
    path = folder / "numbers.json"
    text = json.dumps(numbers_of(finding), indent=2, ensure_ascii=False, allow_nan=False)
    write_bytes(path, (text + "\n").encode())
    return path


def numbers_of(finding: Finding) -> dict[str, Any]:
    """All numbers by name; what is infinite is null."""
    recipe = finding.recipe
    by_prompt = [
        {
            "prompt": prompt,
            "distance_of_pairs": shift.pair,
            "distance_of_seeds": shift.chance,
            "beyond_chance": shift.beyond,
            "scores_without": list(without),
            "scores_with": list(spoken),
        }
        for prompt, shift, (without, spoken) in zip(
            recipe.prompts, finding.shifts, finding.scores, strict=True
        )
    ]
    return {
        "words": recipe.words,
        "verdict": finding.verdict,
        "look": _numbers(finding.look),
        "score": _numbers(finding.score),
        "judge": finding.judge,
        "seeds": list(recipe.all_seeds()),
        "prompts": by_prompt,
        "recipe": recipe.model_dump(mode="json"),
    }


def _line(name: str, effect: Effect) -> str:
    interval = f"95 % {effect.interval.low:+.4f} to {effect.interval.high:+.4f}"
    size = f"{effect.size:.2f}" if math.isfinite(effect.size) else f"{effect.size:+}"
    line = f"{name}: {effect.mean:+.4f} ({interval}), d_z {size}: {effect.verdict}"
    return line + _advice(effect)


def _advice(effect: Effect) -> str:
    """How many prompts would tell, where these are too few."""
    if effect.needed is None or effect.num_pairs >= effect.needed:
        return ""
    number = str(effect.needed) if effect.needed <= MOST_NEEDED else f"more than {MOST_NEEDED:,}"
    return (
        f"; to tell an effect of this size takes {number} prompts ({POWER:.0%} power), "
        f"these were {effect.num_pairs}"
    )


def _numbers(effect: Effect) -> Mapping[str, Any]:
    return {
        "mean": effect.mean,
        "effect_size": effect.size if math.isfinite(effect.size) else None,
        "low": effect.interval.low,
        "high": effect.interval.high,
        "num_prompts": effect.num_pairs,
        "prompts_needed": effect.needed,
        "verdict": effect.verdict,
    }
