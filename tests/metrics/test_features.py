"""Features of batches: order, sizes, channels, and what is refused."""

import pytest
import torch

from phosphene.core.errors import RecipeError
from phosphene.metrics.features import features_of


class Means:
    """Extracts the mean of each channel, and remembers the sizes it saw."""

    def __init__(self):
        self.seen = []

    def pooled(self, images):
        self.seen.append(tuple(images.shape))
        return images.mean(dim=(2, 3))


def test_rows_come_in_order_whatever_the_batches():
    images = torch.linspace(-1, 1, 5)[:, None, None, None].expand(-1, 3, 64, 64)
    whole = features_of([images], Means())
    parts = features_of(iter([images[:2], images[:0], images[2:]]), Means())
    assert whole.shape == (5, 3)
    torch.testing.assert_close(parts, whole)
    torch.testing.assert_close(whole[:, 0], torch.linspace(-1, 1, 5))


def test_all_sizes_are_seen_alike():
    extractor = Means()
    features_of([torch.zeros(1, 3, 64, 96), torch.zeros(2, 3, 300, 200)], extractor, 128)
    assert extractor.seen == [(1, 3, 128, 192), (2, 3, 192, 128)]


def test_grey_is_seen_as_colours_and_transparency_on_white():
    grey = features_of([torch.full((1, 1, 32, 32), -0.5)], Means(), 32)
    torch.testing.assert_close(grey, torch.full((1, 3), -0.5))
    black = torch.full((1, 4, 32, 32), -1.0)  # and wholly transparent
    torch.testing.assert_close(features_of([black], Means(), 32), torch.ones(1, 3))
    black[:, 3] = 1
    torch.testing.assert_close(features_of([black], Means(), 32), -torch.ones(1, 3))


def test_louder_than_white_is_white():
    loud = features_of([torch.full((1, 3, 32, 32), 3.0)], Means(), 32)
    torch.testing.assert_close(loud, torch.ones(1, 3))


def test_mistakes():
    with pytest.raises(RecipeError, match="no pictures"):
        features_of([], Means())
    with pytest.raises(RecipeError, match="at least 32"):
        features_of([torch.zeros(1, 3, 64, 64)], Means(), 16)
