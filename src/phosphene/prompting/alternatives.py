r"""Braces in a prompt: `{apple|heart|rose}` is one of the three.

    {a|b}:2            one of the two, at weight 2
    {|very }big cat    an alternative may be empty
    {a {red|blue} b|c} groups nest
    {fox \| neon|owl}  `\|` in a group is a `|` of the prompt: here the fox is neon, not the owl
    \{a|b\}            braces that are text

A group has at least one `|` of its own and lies within one scene: other braces, as in `{a}` or
`{a ^ b|c}`, are text. `^` always separates scenes, whatever stands around it. An alternative may
hold anything that may stand in its place: phrases, weights, brackets, the name of a picture.

What comes out is text, for `prompt.py` to read. Knows no randomness: who calls it chooses.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

OPEN, CLOSE, OR, SCENE, ESCAPE = "{", "}", "|", "^", "\\"

Choose = Callable[[int], int]
"""Which of so many to take, from 0."""


@dataclass(slots=True)
class _Sequence:
    """Texts and groups that follow one another."""

    parts: "list[str | _Group]" = field(default_factory=list)
    count: int = 1  # of combinations

    def add(self, part: "str | _Group") -> None:
        self.parts.append(part)
        if isinstance(part, _Group):
            self.count *= part.count


@dataclass(slots=True)
class _Group:
    """Sequences of which one is taken."""

    alternatives: list[_Sequence] = field(default_factory=lambda: [_Sequence()])

    @property
    def count(self) -> int:
        """Of combinations."""
        return sum(alternative.count for alternative in self.alternatives)


def has_alternatives(text: str) -> bool:
    """Whether a prompt has a group, so that its pictures have prompts of their own."""
    return any(isinstance(part, _Group) for part in _read(text).parts)


def num_combinations(text: str) -> int:
    """How many prompts a prompt stands for; equal ones count each."""
    return _read(text).count


def expand(text: str, choose: Choose) -> str:
    """The prompt with one alternative for each group.

    Args:
        choose: Asked once for each group that is met, from left to right and from outside in.
    """
    sequence = _read(text)
    written: list[str] = []
    going = [iter(sequence.parts)]
    while going:
        part = next(going[-1], None)
        if part is None:
            going.pop()
        elif isinstance(part, str):
            written.append(part)
        else:
            chosen = part.alternatives[choose(len(part.alternatives))]
            going.append(iter(chosen.parts))
    return "".join(written)


def combination(text: str, index: int) -> str:
    """One of all `num_combinations` prompts; the last group changes fastest.

    Raises:
        IndexError: there are not so many.
    """
    sequence = _read(text)
    if not 0 <= index < sequence.count:
        raise IndexError(f"combination {index} of {sequence.count}")
    written: list[str] = []
    # each sequence under way, which of its combinations is wanted, and how many its rest has
    going: list[tuple[Iterator[str | _Group], int, int]] = []
    going.append((iter(sequence.parts), index, sequence.count))
    while going:
        parts, wanted, count = going.pop()
        part = next(parts, None)
        if part is None:
            continue
        if isinstance(part, str):
            written.append(part)
            going.append((parts, wanted, count))
            continue
        count //= part.count
        mine, wanted = divmod(wanted, count)
        going.append((parts, wanted, count))
        for alternative in part.alternatives:
            if mine < alternative.count:
                going.append((iter(alternative.parts), mine, alternative.count))
                break
            mine -= alternative.count
    return "".join(written)


def num_scenes(text: str) -> int:
    """Scenes of a prompt, whatever is chosen; those without words in any case do not count."""
    return max(1, sum(bool(scene.strip(" |\t\r\n")) for scene in text.split(SCENE)))


def combinations(text: str) -> Iterator[str]:
    """All prompts that a prompt stands for."""
    return (combination(text, index) for index in range(num_combinations(text)))


def _read(text: str) -> _Sequence:
    """Read the groups of a prompt, without recursion: people paste anything."""
    groups = _groups(text)
    whole = _Sequence()
    stack: list[tuple[_Sequence, _Group]] = []  # what goes on after each open group
    here, begun = whole, 0

    def flush(end: int) -> None:
        if begun < end:
            here.add(text[begun:end])

    position = 0
    while position < len(text):
        role = groups.get(position)
        if role is None:
            position += 1
            continue
        flush(position)
        if role == OPEN:
            stack.append((here, _Group()))
            here = stack[-1][1].alternatives[-1]
        elif role == OR:
            stack[-1][1].alternatives.append(_Sequence())
            here = stack[-1][1].alternatives[-1]
        elif role == CLOSE:
            here, group = stack.pop()
            here.add(group)
        # of an escape the backslash goes, and what follows is text whatever it is
        position += 2 if role == ESCAPE else 1
        begun = position - 1 if role == ESCAPE else position
    flush(len(text))
    return whole


def _groups(text: str) -> dict[int, str]:
    """What belongs to groups: where each opens, closes and divides, and where escapes stand."""
    roles: dict[int, str] = {}
    opened: list[tuple[int, list[int]]] = []  # each open brace, and the bars of its own
    bars: list[int] = []  # `\|`, which are escapes inside of groups only
    position = 0
    while position < len(text):
        mark = text[position]
        if mark == ESCAPE and text[position + 1 : position + 2] in (OPEN, CLOSE):
            roles[position] = ESCAPE
            position += 1
        elif mark == ESCAPE and text[position + 1 : position + 2] != SCENE:
            if text[position + 1 : position + 2] == OR:
                bars.append(position)
            position += 1
        elif mark == SCENE:
            opened.clear()
        elif mark == OPEN:
            opened.append((position, []))
        elif mark == OR and opened:
            opened[-1][1].append(position)
        elif mark == CLOSE and opened:
            start, own = opened.pop()
            if own:
                roles |= {start: OPEN, position: CLOSE, **dict.fromkeys(own, OR)}
            while own and bars and bars[-1] > start:
                roles[bars.pop()] = ESCAPE
        position += 1
    return roles
