"""Small BigGANs of every kind, for the tests."""

from phosphene.families.gan.biggan_config import BigGANConfig

BASE = BigGANConfig(
    resolution=16,
    num_classes=3,
    z_dim=12,
    embed_dim=6,
    width=4,
    channel_mults=(4, 2, 2),
    attention_resolutions=(16,),
)
PLAIN: dict[str, object] = {}
DEEP: dict[str, object] = {"deep": True, "depth": 2, "norm_rows": 11, "z_dim": 10}
KINDS: dict[str, dict[str, object]] = {
    "plain": PLAIN,
    "deep": DEEP,
    "two blocks a stage": {"depth": 2, "z_dim": 10},
    "flat z": {"hierarchical": False, "z_dim": 7},
    "no shared embedding": {"embed_dim": 0},
    "flat, no shared embedding": {"embed_dim": 0, "hierarchical": False},
    "no classes": {"num_classes": 0},
    "deep, no classes": {**DEEP, "num_classes": 0},
    "wide picture, grey": {"resolution": (8, 24), "channels": 1, "attention_resolutions": (4,)},
    "transparent": {"channels": 4},
}


def config(**changes: object) -> BigGANConfig:
    return BigGANConfig.from_dict({**BASE.to_dict(), **changes})
