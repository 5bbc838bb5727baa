"""`phosphene mix`."""

from pathlib import Path

import pytest

from tests.studio.gan_zoo import save_generator, save_styled


@pytest.fixture
def styled(phosphene):
    save_styled(Path("styled.safetensors"))
    return "styled.safetensors"


def test_a_sheet(phosphene, styled):
    said = phosphene("mix", styled, "--rows", "1,2", "--columns", "3", "--layers", "0-1")
    assert (said.code, said.out) == (0, "styled-mix-0-1-1.png\n")
    assert phosphene("replay", "styled-mix-0-1-1.png").out == "identical\n"
    said = phosphene("mix", styled, "--psi", "0.5", "-o", "x.png", "--set", "rows=7")
    assert (said.code, said.out) == (0, "x.png\n")
    assert "layers = coarse" in phosphene("mix", styled, "--set", "help").out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--layers", "corse"), "no styles 'corse'"),
        (("--rows", "x"), "rows: should be seeds and ranges"),
        (("--psi", "-1"), "truncation_psi: -1.0 should be"),
        (("--set", "classes=fox"), "knows no classes"),
        (("--set", "model=animals.safetensors"), "has no styles to mix"),
    ],
)
def test_mistakes(phosphene, styled, arguments, message):
    save_generator(Path("animals.safetensors"))
    said = phosphene("mix", styled, *arguments)
    assert said.code == 2
    assert message in said.err
    assert not list(Path().glob("*.png"))
