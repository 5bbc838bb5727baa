"""The picture of a tree: everybody once, below their parents, with lines to both."""

import pytest
import torch

from phosphene.core.images import to_uint8
from phosphene.explore.family_tree import FamilyTree, Individual
from phosphene.studio.family_picture import MOST, family_picture


def grown(*members):
    return FamilyTree("x", tuple(members))


FAMILY = grown(
    Individual("ann", seed=1),
    Individual("bob", seed=2),
    Individual("cem", "cross", 3, ("ann", "bob")),
    Individual("dot", "mutate", 4, ("cem",)),
)
COLOURS = {"ann": (200, 0, 0), "bob": (0, 200, 0), "cem": (0, 0, 200), "dot": (200, 200, 0)}


def faces(colours, side=32):
    return {
        name: (torch.tensor(rgb).float() / 127.5 - 1)[:, None, None].expand(3, side, side)
        for name, rgb in colours.items()
    }


def where(sheet, rgb):
    """Middle of what has a colour, x and y."""
    found = (to_uint8(sheet) == torch.tensor(rgb, dtype=torch.uint8)[:, None, None]).all(0)
    assert int(found.sum()) >= 32 * 32
    rows, columns = found.nonzero().float().mean(0).tolist()
    return columns, rows


def test_everybody_stands_below_the_parents():
    sheet = family_picture(FAMILY, faces(COLOURS))
    place = {name: where(sheet, rgb) for name, rgb in COLOURS.items()}
    assert place["ann"][1] == place["bob"][1] < place["cem"][1] < place["dot"][1]
    middle = (place["ann"][0] + place["bob"][0]) / 2
    assert place["cem"][0] == pytest.approx(middle, abs=2)
    assert place["dot"][0] == pytest.approx(middle, abs=2)


def test_lines_lead_to_both_parents():
    pixels = to_uint8(family_picture(FAMILY, faces(COLOURS))).int()
    red, _, blue = pixels
    assert ((red - blue > 100) & (red != 200)).any()
    assert ((blue - red > 80) & (blue != 200)).any()
    founders = grown(*FAMILY.members[:2])
    plain = to_uint8(family_picture(founders, faces(dict(list(COLOURS.items())[:2])))).int()
    assert not ((plain[2] - plain[0] > 80) & (plain[2] != 200)).any()


def test_a_large_litter_stays_a_picture():
    many = [Individual(str(i), seed=i) for i in range(250)]
    sheet = family_picture(grown(*many), {m.id: torch.zeros(3, 64, 64) for m in many})
    assert sheet.shape[2] <= MOST + 64


@pytest.mark.parametrize("channels", [1, 4])
def test_grey_and_transparent_faces(channels):
    sheet = family_picture(grown(Individual("a")), {"a": torch.ones(channels, 32, 48)})
    assert sheet.shape[0] == 3
