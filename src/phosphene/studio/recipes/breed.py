"""The recipe `Breed`: parents have children, and a family tree grows."""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, JsonValue, model_validator

from phosphene.studio.recipes.base import Painting
from phosphene.studio.recipes.fields import (
    Location,
    Names,
    Seed,
    demand_room,
    drawn_seed,
    model_title,
)

MAX_PARENTS = 16
MAX_CHILDREN = 256
MAX_SIBLINGS = 64
MAX_SEEN = 256
SHOWN_NAMES = 24  # letters of the parents in a file's name


def _plain_space(value: object) -> object:
    """`w+` is how people write it."""
    return "w_plus" if value == "w+" else value


Share = Annotated[float, Field(ge=0, le=1)]
BreedingSpace = Annotated[Literal["z", "w", "w_plus", "class"], BeforeValidator(_plain_space)]
GeneSpace = Annotated[Literal["z", "w", "w_plus"], BeforeValidator(_plain_space)]
GenePsi = Annotated[
    float,
    Field(
        ge=0,
        le=4,
        description="how far from the mean: styles become w_avg + psi (w - w_avg), z becomes "
        "psi z; 1 changes nothing",
    ),
]


class Breed(Painting):
    """Parents have children: genes are crossed and mutated, and who descends from whom is kept."""

    kind: Literal["breed"] = "breed"
    model: Location | None = Field(
        None, description="the generator; none = that of the parents' pictures or of the tree"
    )
    parents: Names = Field(
        (),
        max_length=MAX_PARENTS,
        description="seeds, pictures that phosphene made (of a sheet `sheet.png:3`), or names in "
        "the tree; each two of them have children in turn",
    )
    children: int = Field(8, ge=1, le=MAX_CHILDREN, description="how many")
    seed: Seed | None = Field(
        None, description="of the first child; none = one is drawn and written down"
    )
    operator: Literal["cross", "blend"] = Field(
        "cross", description="each gene from one parent, or all between both"
    )
    share: Share | None = Field(
        None,
        description="of the second parent's genes; none = half when crossed, and what is mixed "
        "(classes, blends) goes evenly from one parent to the other",
    )
    mutation: Share = Field(
        0.2, description="how far children turn towards a stranger: 1 leaves nothing of the parents"
    )
    space: BreedingSpace | None = Field(
        None,
        description="where genes are crossed: z, w, w+ (a style a layer), or class alone; none = "
        "that of the parents, else w, and z for models without styles",
    )
    classes: Names = Field(
        (),
        max_length=MAX_PARENTS,
        description="classes of the parents that are seeds, in turn; none = drawn by their seeds",
    )
    psi: GenePsi = 1.0
    siblings: int = Field(
        1,
        ge=1,
        le=MAX_SIBLINGS,
        description="each child is the one of so many siblings that taste likes best",
    )
    liked: Names = Field(
        (),
        max_length=MAX_SEEN,
        description="what taste is learnt from: seeds or pictures as for parents; none = no taste",
    )
    shown: Names = Field(
        (), max_length=MAX_SEEN, description="what was seen beside them, and not liked"
    )
    layout: Literal["sheet", "files", "tree"] = Field(
        "sheet",
        description="one sheet of parents and children, a file a child, or the whole "
        "tree, which is also what is painted without parents",
    )
    columns: int | None = Field(None, ge=1, le=64, description="of the sheet; none = near square")
    tree: Location | None = Field(
        None, description="a family tree (JSON) to go on with, or to paint again"
    )
    family: dict[str, JsonValue] = Field(
        {}, description="filled in: the tree with everyone in it, which is all that is needed"
    )
    born: Names = Field((), description="filled in: the names of the children in the tree")

    @model_validator(mode="after")
    def _somebody_is_there(self) -> Self:
        demand_room(self.seed, self.children * self.siblings)
        if not self.parents and self.tree is None and not self.family:
            raise ValueError("parents: should be two or more, for example 3,8")
        return self

    @property
    def has_children(self) -> bool:
        """Whether anybody is born, or a tree is only painted."""
        return bool(self.parents or self.born)

    @property
    def title(self) -> str:
        """The generator, and the parents."""
        names = [_name(parent) for parent in self.parents] or ["tree"]
        model = model_title(self.model) if self.model else ""
        return f"{model} {'x'.join(names)[:SHOWN_NAMES]}".strip()

    def all_seeds(self) -> tuple[int, ...]:
        """The seed of each child, as it was chosen from its siblings."""
        seeds = tuple((self.seed or 0) + i for i in range(self.children))
        if self.siblings == 1 or len(self.born) != self.children:
            return seeds
        members = self.family.get("members")
        known = {
            str(m.get("id")): m.get("seed")
            for m in (members if isinstance(members, list) else [])
            if isinstance(m, dict)
        }
        chosen = (known.get(name) for name in self.born)
        return tuple(c if isinstance(c, int) else s for c, s in zip(chosen, seeds, strict=True))

    def sibling_seeds(self, child: int) -> tuple[int, ...]:
        """The seeds of a child and of those it is chosen from; no two children share one."""
        first = (self.seed or 0) + child
        return tuple(first + i * self.children for i in range(self.siblings))

    def labels(self) -> list[str]:
        """The children's numbers, or what the picture shows of them."""
        if self.layout == "files" and self.has_children:
            return [str(number + 1) for number in range(self.children)]
        return ["tree" if self.layout == "tree" or not self.has_children else "children"]

    @property
    def leaves_files(self) -> bool:
        """The tree lies beside the first picture."""
        return True

    def with_seed(self) -> Self:
        """The recipe with a seed for its children: its own, or one drawn now."""
        if self.seed is not None or not self.has_children:
            return self
        return self.model_copy(update={"seed": drawn_seed()})


def _name(parent: str) -> str:
    """What of a parent is said in a file's name."""
    return parent.replace("\\", "/").rpartition("/")[2].removesuffix(".png")
