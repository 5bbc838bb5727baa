"""What a flow paints after: drawings that are near, by seed, put where the words say."""

import torch
import torch.nn.functional as F
from torch import Tensor

from phosphene.core.latent import Latent, Space
from phosphene.core.rng import Rng
from phosphene.families.diffusion.flow import read
from phosphene.nn.layout import FULL, HALF, SMALL, Thing
from phosphene.nn.sketching import Book, Region, Sketches, direction, pasted
from tests.reader import Reader
from tests.sketchbook import sketchbook, sketches

NAMES = ("fox", "owl", "bow and arrow")


def named() -> Sketches:
    """Twelve drawings, of which the first three have names."""
    shown = sketches()
    assert isinstance(shown.book, torch.nn.Module)
    told = direction(Reader().tokens(NAMES)[0])
    shown.book.embeddings[: len(NAMES)] = told
    return shown


def drawing(shown: Sketches, row: int) -> Tensor:
    tokens = Latent(Space.TOKENS, shown.book.tokens[row : row + 1].long())
    return shown.autoencoder.decode(tokens).float().clamp(-1, 1)


def test_a_sketchbook_will_do() -> None:
    assert isinstance(sketchbook(), Book)


def test_one_thing_is_its_drawing() -> None:
    shown = named()
    assert torch.equal(
        shown.draw("fox").images, torch.minimum(drawing(shown, 0), torch.tensor(1.0))
    )


def test_two_things_stand_where_the_words_say() -> None:
    shown = named()
    got = shown.draw("fox next to owl").images
    canvas = torch.ones(1, 3, 16, 16)
    for row, x in ((0, 0.25), (1, 0.75)):
        canvas = pasted(canvas, drawing(shown, row), Thing("", HALF, x, 0.5))
    assert torch.equal(got, canvas)
    assert not torch.equal(shown.draw("owl next to fox").images, got)


def test_an_and_within_a_name_parts_nothing() -> None:
    shown = named()
    assert [thing.words for thing in shown.layout("bow and arrow | neon")[0]] == ["bow and arrow"]
    assert [thing.words for thing in shown.layout("fox beside owl")[0]] == ["fox", "owl"]
    assert [thing.side for thing in shown.layout("a small dog")[0]] == [SMALL]


def test_each_seed_chooses_and_the_same_one_the_same() -> None:
    shown = named()
    shown.book.embeddings[:] = F.normalize(torch.ones(shown.book.embeddings.shape[1]), dim=0)
    many = [shown.draw("fox", Rng((seed,), "/test")).images for seed in range(24)]
    assert len(torch.unique(torch.cat(many).flatten(1), dim=0)) > 6
    assert torch.equal(shown.draw("fox", Rng((3,), "/test")).images, many[3])


def test_without_a_seed_the_nearest_is_taken() -> None:
    shown = named()
    near = shown.draw("owl").images
    assert all(torch.equal(near, shown.draw("owl").images) for _ in range(2))
    assert torch.equal(near, drawing(shown, 1))


def test_a_pasted_drawing_is_where_it_should_be() -> None:
    dark = torch.full((1, 3, 16, 16), -1.0)
    got = pasted(torch.ones(1, 3, 16, 16), dark, Thing("", FULL / 2, 0.25, 0.75))
    assert (got[..., 8:, :8] == -1).all()
    assert (got[..., :8, :] == 1).all()
    assert (got[..., 8:, 8:] == 1).all()


def test_what_stands_out_is_cut_off() -> None:
    dark = torch.full((1, 3, 16, 16), -1.0)
    got = pasted(torch.ones(1, 3, 16, 16), dark, Thing("", FULL / 2, 0.0, 1.0))
    assert (got[..., 12:, :4] == -1).all()
    assert (got == -1).float().mean() == 4 * 4 / 256


def test_a_white_ground_hides_nothing() -> None:
    grey, white = torch.zeros(1, 3, 16, 16), torch.ones(1, 3, 16, 16)
    assert torch.equal(pasted(grey, white, Thing("")), grey)


def test_a_texts_direction_is_that_of_its_words_mean_however_padded() -> None:
    states, mask = Reader().tokens(["red fox", "owl"])
    mean = states.sum(dim=1) / mask.sum(dim=1, keepdim=True)
    torch.testing.assert_close(direction(states), F.normalize(mean, dim=1))
    longer = read(Reader(), ["red fox", "owl"], 9).states
    torch.testing.assert_close(direction(longer), direction(states))


def test_each_of_two_things_has_its_words_and_where_it_is_drawn() -> None:
    shown = named()
    left, right = shown.draw("a sketch of fox next to owl, oil painting | neon").regions
    assert left.words == "a sketch of fox, oil painting | neon"
    assert right.words == "a sketch of owl, oil painting | neon"
    for region, columns in ((left, slice(8, None)), (right, slice(None, 8))):
        assert set(region.share.unique().tolist()) <= {0.0, 1.0}
        assert not region.share[..., columns].any()
    assert shown.draw("fox").regions == ()


def test_a_region_in_a_grid_has_all_that_it_touches() -> None:
    share = torch.zeros(1, 1, 8, 8)
    share[..., 3, 4] = 1
    pooled = Region("fox", share).pooled(2, 0.5)
    assert pooled.share.tolist() == [[[[0.0, 0.5], [0.0, 0.0]]]]
