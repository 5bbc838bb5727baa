"""Picture files without torch; hostile ones are in test_images_hostile.py."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from phosphene.core.errors import ImageError
from phosphene.core.image_files import RECIPE_KEY, opaque, open_pil, read_recipe

PROGRAM = """
import sys
from pathlib import Path
from phosphene.core.image_files import open_pil, read_recipe
print(open_pil(Path(sys.argv[1])).size, read_recipe(Path(sys.argv[1])), "torch" in sys.modules)
"""


def test_a_file_is_read_without_torch(tmp_path):
    info = PngImagePlugin.PngInfo()
    info.add_itxt(RECIPE_KEY, json.dumps({"seed": 7}), zip=True)
    Image.new("RGB", (3, 2)).save(tmp_path / "x.png", pnginfo=info)
    said = subprocess.run(
        [sys.executable, "-c", PROGRAM, tmp_path / "x.png"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert said == '(3, 2) {"seed": 7} False\n'


def test_sixteen_bits_become_eight(tmp_path):
    Image.fromarray(np.array([[0, 257, 65535]], dtype=np.uint16)).save(tmp_path / "x.png")
    assert list(open_pil(tmp_path / "x.png").get_flattened_data()) == [0, 1, 255]


def test_transparency_is_laid_on_white():
    assert opaque(Image.new("RGBA", (1, 1), (9, 9, 9, 0))).getpixel((0, 0)) == (255, 255, 255)


def test_a_picture_of_somebody_else_has_no_recipe(tmp_path):
    Image.new("RGB", (1, 1)).save(tmp_path / "x.png")
    with pytest.raises(ImageError, match="no phosphene recipe"):
        read_recipe(tmp_path / "x.png")
