"""BigGAN's config: the published shapes, and what cannot be built."""

import json

import pytest

from phosphene.core.errors import CheckpointError, RecipeError
from phosphene.families.gan.biggan_config import BigGANConfig
from tests.families.gan.biggan_shapes import DEEP, KINDS, config


@pytest.mark.parametrize("changes", KINDS.values())
def test_config_survives_json(changes: dict[str, object]) -> None:
    made = config(**changes)
    assert BigGANConfig.from_dict(json.loads(json.dumps(made.to_dict()))) == made


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"resolution": 18}, "resolution 18 is not a multiple of 4"),
        ({"resolution": 2}, "resolution is 2"),
        ({"channels": 2}, "channels is '2'; it can be 1, 3, 4"),
        ({"num_classes": -1}, "num_classes is -1"),
        ({"z_dim": 13}, "z_dim is 13; 3 equal pieces"),
        ({"z_dim": 0}, "z_dim is 0"),
        ({"width": 0}, "width is 0"),
        ({"width": 2048, "channel_mults": [64, 2, 2]}, "beyond 65,536 channels"),
        ({"channel_mults": [4]}, "channel_mults is too short"),
        ({"channel_mults": "4"}, "channel_mults"),
        ({"channel_mults": [4, 0, 2]}, "channel_mults is 0"),
        ({"attention_resolutions": [64]}, "attention_resolutions has 64; .* heights 8, 16"),
        ({"width": 3}, "attention over 6 channels"),
        ({"deep": 1}, "deep"),
        ({**DEEP, "channel_mults": [2, 4, 2]}, "must not rise"),
        ({**DEEP, "width": 1, "attention_resolutions": []}, "multiples of 4"),
        ({**DEEP, "hierarchical": False}, "always hierarchical"),
        ({"hierarchical": False, "num_classes": 0}, "without classes must be hierarchical"),
        ({"norm_rows": 0}, "norm_rows is 0"),
        ({"norm_eps": 0.0}, "norm_eps is 0.0"),
        ({"embed_dim": -1}, "embed_dim is -1"),
        ({"colour": 1}, "unexpected keyword argument 'colour'"),
    ],
)
def test_config_out_of_range(changes: dict[str, object], reason: str) -> None:
    with pytest.raises(CheckpointError, match=reason) as caught:
        config(**changes)
    assert "\n" not in str(caught.value)


def test_only_the_papers_resolutions_are_published() -> None:
    with pytest.raises(RecipeError, match="resolution is '64'; it can be 128, 256, 512"):
        BigGANConfig.published(64)


def test_pieces_of_z_are_twenty_long() -> None:
    """Appendix B: z is split into pieces of 20."""
    for resolution, pieces in ((128, 6), (256, 7), (512, 8)):
        shape = BigGANConfig.published(resolution)
        assert (shape.piece_dim, shape.num_pieces) == (20, pieces)
        assert shape.condition_dim == 128 + 20
