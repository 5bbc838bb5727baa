import pytest
import torch

from phosphene.training.example import Example, Source


def test_examples_are_frozen():
    example = Example(torch.zeros(3, 4, 4, dtype=torch.uint8), "a dog", "dog")
    with pytest.raises(AttributeError):
        example.caption = "a cat"


def test_a_source_is_anything_with_a_length_and_examples():
    class One:
        def __len__(self):
            return 1

        def example(self, index):
            return Example(torch.zeros(3, 4, 4, dtype=torch.uint8), "a dog", "dog")

    assert isinstance(One(), Source)
    assert not isinstance([], Source)
