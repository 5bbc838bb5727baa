"""Names of the 1,000 ImageNet classes, for published networks that know them by number."""

import functools
from importlib.resources import files

CLASSES_FILE = "imagenet_classes.txt"


@functools.cache
def imagenet_synsets() -> tuple[tuple[str, tuple[str, ...]], ...]:
    """WordNet id and words of each class, in the order networks number them."""
    text = files("phosphene.zoo").joinpath(CLASSES_FILE).read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    split = (line.partition(" ") for line in lines)
    return tuple((synset, tuple(words.split(", "))) for synset, _, words in split)


def imagenet_names() -> tuple[str, ...]:
    """One name for each class: the first of its words, such as "goldfish"; all differ."""
    return tuple(words[0] for _, words in imagenet_synsets())
