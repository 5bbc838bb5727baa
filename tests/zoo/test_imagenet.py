"""The ImageNet names: whole, distinct, and numbered as published networks number them."""

import re
import sys

from phosphene.zoo.imagenet import imagenet_names, imagenet_synsets
from tests.zoo.biggan_reference import published_package


def test_a_thousand_names_in_the_order_of_their_ids() -> None:
    synsets = [synset for synset, _ in imagenet_synsets()]
    assert len(synsets) == len(set(synsets)) == 1000
    assert synsets == sorted(synsets)
    assert all(re.fullmatch(r"n\d{8}", synset) for synset in synsets)
    names = imagenet_names()
    assert len(set(names)) == 1000
    assert (names[0], names[1], names[281], names[999]) == (
        "tench", "goldfish", "tabby", "toilet tissue",
    )  # fmt: skip
    assert {names[134], names[517]} == {"crane (bird)", "crane (machine)"}


def test_numbers_are_those_of_the_published_package() -> None:
    """Its table of WordNet offsets; read as text, since the module wants scipy."""
    published_package()
    folder = sys.modules["pytorch_pretrained_biggan"].__path__[0]
    with open(f"{folder}/utils.py", encoding="utf-8") as file:
        table = re.search(r"^IMAGENET = \{(.*?)\}", file.read(), re.MULTILINE | re.DOTALL)
    assert table is not None
    pairs = dict(re.findall(r"(\d+): (\d+)", table[1]))
    for number, (synset, _) in enumerate(imagenet_synsets()):
        assert int(pairs[str(int(synset[1:]))]) == number
