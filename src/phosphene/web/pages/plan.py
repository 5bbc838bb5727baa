"""What a visitor of Breed has chosen: it becomes a recipe, an address, and is read from one."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from phosphene.core.errors import RecipeError
from phosphene.studio.recipe import Breed
from phosphene.studio.recipe_text import parse_recipe
from phosphene.studio.recipes.breed import MAX_PARENTS
from phosphene.studio.recipes.fields import MAX_SEED
from phosphene.studio.references import PREFIX, is_id

NUM_DREAMS = 12
OPERATORS = {"cross": "Each gene from one parent", "blend": "All genes between both"}


@dataclass
class Plan:
    """Generator, parents and sliders.

    Args:
        dreams: The seed of the first dream that is shown, while no children are.
        job: Whose children are shown; empty shows dreams.
        parents: Seeds, and `artifact:ID`.
        mixing: The share of the second parent's genes.
        siblings: Of how many each child is chosen by taste.
        seed: Of the first child; None draws one each time.
    """

    model: str
    dreams: int = 0
    job: str = ""
    parents: list[str] = field(default_factory=list)
    operator: str = "cross"
    mixing: float = 0.5
    mutation: float = 0.2
    children: float | None = 8
    siblings: int = 16
    seed: int | None = None

    def toggle(self, parent: str) -> None:
        """Take a parent, or leave it.

        Raises:
            RecipeError: there are too many already.
        """
        if parent in self.parents:
            self.parents.remove(parent)
        elif len(self.parents) == MAX_PARENTS:
            raise RecipeError(f"parents: {MAX_PARENTS} are enough; leave one out first")
        else:
            self.parents.append(parent)

    def recipe(self, liked: Sequence[str] = (), shown: Sequence[str] = ()) -> Breed:
        """The recipe of the next children.

        Args:
            liked: What taste is learnt from; none leaves it out.
            shown: What was seen beside them.
        Raises:
            RecipeError: nobody is chosen, or a value that is not allowed.
        """
        if not self.parents:
            raise RecipeError("parents: click one picture or more")
        if len(self.parents) == 1 and self.mutation == 0:
            raise RecipeError("mutation: children of one parent without it are like itself")
        fields: dict[str, Any] = {
            "kind": "breed",
            "model": self.model,
            "parents": self.parents,
            "operator": self.operator,
            "mutation": round(self.mutation, 4),
            "children": _whole(self.children),
            "seed": self.seed,
            "layout": "files",
        }
        if self.operator == "cross":
            fields["share"] = round(self.mixing, 4)
        if liked and self.siblings > 1:
            fields |= {"siblings": self.siblings, "liked": liked, "shown": shown}
        recipe = parse_recipe({k: v for k, v in fields.items() if v is not None})
        assert isinstance(recipe, Breed)
        return recipe

    def query(self) -> dict[str, str]:
        """The state of the page, as the query of its address."""
        plain = Plan(self.model)
        said = {"job": self.job} if self.job else {"dreams": str(self.dreams)}
        if self.parents:
            said["parents"] = ",".join(self.parents)
        for name in ("operator", "mixing", "mutation", "children", "siblings"):
            if (value := getattr(self, name)) != getattr(plain, name):
                said[name] = str(value)
        return {"model": self.model, **said}


def plan_from(query: Mapping[str, str], models: Sequence[str], recipe: Breed | None) -> Plan:
    """The plan of an address: of the page, or of a recipe as `wish.query_of` writes it.

    Args:
        models: Generators that are here, at least one; the first is the one that is not asked for.
        recipe: Of the job that is shown; the address may differ from it.
    Raises:
        RecipeError: a value that is not allowed, or a generator that is not here.
    """
    model = query.get("model") or (recipe.model if recipe is not None else None) or models[0]
    if model not in models:
        raise RecipeError(f"model: {model[:80]!r} is no generator that is here")
    plan = Plan(model, job=query.get("job", ""))
    if recipe is not None:
        plan.operator, plan.mutation = recipe.operator, recipe.mutation
        plan.mixing = 0.5 if recipe.share is None else recipe.share
        plan.children, plan.siblings = recipe.children, max(recipe.siblings, 1)
        if not recipe.liked:
            plan.siblings = Plan(model).siblings
    plan.parents = _parents(query.get("parents", ""))
    plan.dreams = int(_number(query, "dreams", 0, MAX_SEED - NUM_DREAMS, plan.dreams))
    plan.mutation = _number(query, "mutation", 0, 1, plan.mutation)
    plan.mixing = _number(query, "mixing", 0, 1, _number(query, "share", 0, 1, plan.mixing))
    plan.children = int(_number(query, "children", 1, 64, plan.children or 8))
    plan.siblings = int(_number(query, "siblings", 1, 64, plan.siblings))
    plan.operator = query.get("operator", plan.operator)
    if plan.operator not in OPERATORS:
        raise RecipeError(f"operator: {plan.operator[:40]!r}; use {' or '.join(OPERATORS)}")
    if "seed" in query:
        plan.seed = int(_number(query, "seed", 0, MAX_SEED, 0))
    return plan


def _parents(text: str) -> list[str]:
    """Read `3,artifact:ID`, or a list in JSON.

    Raises:
        RecipeError: neither seeds nor pictures of the gallery.
    """
    try:
        found = json.loads(text) if text.startswith("[") else text.split(",")
    except (ValueError, RecursionError):
        raise RecipeError(f"parents: {text[:60]!r} should be seeds and pictures") from None
    parents = list(dict.fromkeys(str(entry).strip() for entry in found if str(entry).strip()))
    for parent in parents:
        is_seed = parent.isascii() and parent.isdigit() and int(parent) <= MAX_SEED
        if not is_seed and not (parent.startswith(PREFIX) and is_id(parent[len(PREFIX) :])):
            raise RecipeError(f"parents: {parent[:60]!r} should be a seed, or `artifact:ID`")
    if len(parents) > MAX_PARENTS:
        raise RecipeError(f"parents: {len(parents)}; use up to {MAX_PARENTS}")
    return parents


def _number(query: Mapping[str, str], name: str, low: float, high: float, usual: float) -> float:
    text = query.get(name)
    if text is None:
        return usual
    try:
        value = int(text) if text.isascii() and text.isdigit() else float(text)
    except ValueError:
        value = high + 1
    if not low <= value <= high:
        raise RecipeError(f"{name}: {text[:40]!r}; use {low:g} to {high:g}")
    return value


def _whole(value: float | None) -> float | None:
    """A number field's value; one that is not whole stays, so that the recipe refuses it."""
    return int(value) if value is not None and value == int(value) else value
