"""What is told of an experiment."""

import json
import math

import pytest

from phosphene.metrics.intervals import Effect, Interval
from phosphene.metrics.shift import Shift
from phosphene.studio.experiment_report import Finding, numbers_of, report_lines, write_report
from phosphene.studio.recipe import Incantation

NONE = Effect(0.001, 0.05, Interval(-0.2, 0.3), 8, 3142)
HUGE = Effect(0.001, 0.005, Interval(-0.2, 0.3), 8, 314_200)
CLEAR = Effect(0.5, math.inf, Interval(0.4, 0.6), 8, 6)
FEW = Effect(0.5, 2.0, Interval(0.4, 0.6), 3, 6)


def finding(look, score, count=2):
    return Finding(
        recipe=Incantation(words="neon ", prompts=("a", "b") * (count // 2), seeds="3,4"),
        judge="emoji-clip",
        shifts=[Shift(0.2, 0.4, 0.1)] * count,
        scores=[((0.1, 0.2), (0.3, 0.4))] * count,
        look=look,
        score=score,
    )


def test_sentences():
    assert report_lines(finding(NONE, CLEAR)) == (
        "perceptual distance: 0.2000 with and without the words, 0.4000 between two seeds, 0.50 of "
        "what another seed changes",
        "look, beyond chance: +0.0010 (95 % -0.2000 to +0.3000), d_z 0.05: no measurable effect; "
        "to tell an effect of this size takes 3142 prompts (80% power), these were 8",
        "score by emoji-clip: +0.5000 (95 % +0.4000 to +0.6000), d_z +inf: a measurable effect",
        "'neon': the words change the pictures",
    )
    assert "takes more than 10,000 prompts" in report_lines(finding(HUGE, NONE))[1]


@pytest.mark.parametrize(
    ("look", "score", "verdict"),
    [
        (NONE, NONE, "no measurable effect"),
        (NONE, CLEAR, "the words change the pictures"),
        (CLEAR, NONE, "the words change the pictures"),
        (FEW, NONE, "too few prompts to tell: 2 of at least 6"),
    ],
)
def test_the_verdict(look, score, verdict):
    assert finding(look, score).verdict == verdict


def test_pictures_that_chance_does_not_change():
    still = finding(NONE, NONE)
    lines = report_lines(
        Finding(**{**{k: getattr(still, k) for k in still.__slots__}, "shifts": [Shift(0, 0, 0)]})
    )
    assert lines[0].endswith("0.0000 between two seeds")


def test_all_numbers_are_written(tmp_path):
    path = write_report(finding(NONE, CLEAR), tmp_path)
    numbers = json.loads(path.read_text())
    assert numbers == json.loads(json.dumps(numbers_of(finding(NONE, CLEAR))))
    assert numbers["score"]["effect_size"] is None  # infinite
    assert numbers["look"]["prompts_needed"] == 3142
    assert numbers["seeds"] == [3, 4]
    assert numbers["prompts"][1] == {
        "prompt": "b",
        "distance_of_pairs": 0.2,
        "distance_of_seeds": 0.4,
        "beyond_chance": 0.1,
        "scores_without": [0.1, 0.2],
        "scores_with": [0.3, 0.4],
    }
