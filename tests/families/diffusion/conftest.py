"""Folders of tiny pipelines, made once a session; tests that change one copy it."""

from pathlib import Path

import pytest

from tests.families.diffusion.tiny_pipelines import make_sd, make_sd3, make_xl


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A Stable Diffusion 1 with a safety checker, one for inpainting, an XL and a 3."""
    root = tmp_path_factory.mktemp("pipelines")
    return {
        "sd": make_sd(root / "sd", safety=True),
        "inpaint": make_sd(root / "inpaint", channels=9),
        "xl": make_xl(root / "xl"),
        "sd3": make_sd3(root / "sd3"),
    }
