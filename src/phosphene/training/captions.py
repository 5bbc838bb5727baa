"""The wording of captions: many ways to say what is in a picture, none of them untrue."""

from random import Random

from phosphene.training.emoji_names import COLOURS
from phosphene.training.renderings import RENDERINGS
from phosphene.training.sprites import Subject

DRAWING_STYLES: dict[str, tuple[str, ...]] = {
    "3d": ("3D render", "3D", "glossy", "clay"),
    "flat": ("flat", "flat design", "vector art"),
    "noto": ("gradient", "emoji"),
    "blob": ("blob", "gooey"),
    "twemoji": ("cartoon", "sticker"),
    "fxemoji": ("clip art", "icon"),
}
_PLURAL_HEADS = frozenset(
    {
        "people",
        "men",
        "women",
        "children",
        "fireworks",
        "scissors",
        "trousers",
        "jeans",
        "shorts",
        "dishes",
        "fish-sticks",
        "hands",
        "sparkles",
        "maracas",
        "footprints",
        "dice",
        "money",
        "rice",
        "bread",
        "bacon",
        "butter",
        "salt",
        "ice",
        "sushi",
        "tofu",
        "broccoli",
        "garlic",
        "ginger",
        "spaghetti",
        "fog",
        "fire",
        "lightning",
        "luggage",
        "corn",
        "honey",
        "popcorn",
        "sake",
        "soap",
        "cheese",
        "badminton",
        "sunrise",
        "sunset",
        "tennis",
        "golf",
        "mount",
        "shrimp",
    }
)


def with_article(noun: str, dice: Random) -> str:
    """Put "a", "an", "the" or nothing before a noun, as grammar allows."""
    roll = dice.random()
    if roll < 0.42 or noun[0].isupper():
        return noun
    if roll > 0.92:
        return f"the {noun}"
    head = noun
    for stop in (" with ", " in ", " of ", " on ", " showing ", " behind ", " without "):
        head = head.split(stop)[0]
    last = head.split()[-1]
    plural = last.endswith("s") and not last.endswith(("ss", "us", "is", "as", "lens"))
    if plural or last in _PLURAL_HEADS or head.split()[0] in _PLURAL_HEADS:
        return noun
    return (
        f"an {noun}"
        if noun[0] in "aeiou" and not noun.startswith(("uni", "ewe", "euro"))
        else (f"a {noun}")
    )


def naming(subject: Subject, dice: Random, adjectives: tuple[str, ...]) -> str:
    """Name one thing: its label or a synonym, with adjectives and maybe an article."""
    name = subject.label
    if subject.names and dice.random() < 0.25:
        name = dice.choice(subject.names)
    return with_article(" ".join((*adjectives, name)), dice)


def elaborate(subject: Subject, noun: str, dice: Random, coloured: bool) -> str:
    """Sometimes add keywords to the noun, rarely say only keywords."""
    keywords = [k for k in subject.keywords if not (coloured and set(k.split()) & COLOURS)]
    roll = dice.random()
    if len(keywords) < 2 or roll > 0.17:
        return noun
    chosen = dice.sample(keywords, min(len(keywords), dice.randint(1, 3)))
    if roll < 0.03 and not coloured:
        return ", ".join(dice.sample(keywords, min(len(keywords), dice.randint(2, 3))))
    return f"{noun}, {', '.join(chosen)}"


def relate(nouns: list[str], layout: str, dice: Random) -> str:
    """Say how two or three things stand; `layout` is "row" (from the left) or "column"."""
    if len(nouns) == 3:
        first, second, third = nouns
        if layout == "row" and dice.random() < 0.3:
            return f"{first} on the left, {second} in the middle and {third} on the right"
        return f"{first}, {second} and {third}"
    first, second = nouns
    forms = {
        "row": (
            f"{first} next to {second}",
            f"{second} next to {first}",
            f"{first} beside {second}",
            f"{first} and {second}",
            f"{first} and {second}",
            f"{first} to the left of {second}",
            f"{second} to the right of {first}",
            f"{first} on the left and {second} on the right",
        ),
        "column": (
            f"{first} above {second}",
            f"{first} above {second}",
            f"{first} on top of {second}",
            f"{second} below {first}",
            f"{second} under {first}",
            f"{first} and {second}",
        ),
    }
    return dice.choice(forms[layout])


def in_style(text: str, rendering: str | None, drawing: str | None, dice: Random) -> str:
    """Name the rendering, the drawing style, both or neither around a description."""
    if drawing is not None:
        word = dice.choice(DRAWING_STYLES[drawing])
        text = _tagged(text, word, dice)
    if rendering is None:
        return text
    style = RENDERINGS[rendering]
    if style.medium and dice.random() < 0.45:
        medium = dice.choice(style.medium)
        article = "an" if medium[0] in "aeio" else "a"
        return dice.choice((f"{article} {medium} of {text}", f"{medium} of {text}"))
    return _tagged(text, dice.choice(style.tags), dice)


def _tagged(text: str, word: str, dice: Random) -> str:
    forms = [f"{text} | {word}", f"{text}, {word}"] * 2
    if " on " not in word and " in " not in word:
        forms += [f"{text} in the style of {word}", f"{text}, {word} style"]
    return dice.choice(forms)
