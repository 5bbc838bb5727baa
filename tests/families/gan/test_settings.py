"""The settings of a GAN's training say which value is out of range."""

import pytest

from phosphene.core.errors import RecipeError
from phosphene.families.gan.settings import GANTraining


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"d_steps": 0}, "d_steps is 0; it must be from 1 to 1000"),
        ({"mirror_prob": 1.5}, "mirror_prob is 1.5; it must be from 0 to 1"),
        ({"r1_gamma": -1.0}, "r1_gamma is -1.0; it must be 0 or above"),
        ({"g_rate": float("nan")}, "g_rate is nan; it must be 0 or above"),
    ],
)
def test_ranges(wrong: dict[str, float], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        GANTraining(**wrong)  # type: ignore[arg-type]


def test_defaults_are_in_range() -> None:
    assert GANTraining().loss == "non-saturating"
