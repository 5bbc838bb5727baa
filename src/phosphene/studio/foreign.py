"""What other programs write into their pictures, as a recipe of ours, as far as that goes.

AUTOMATIC1111 writes a text `parameters`; ComfyUI writes its graph as JSON, `prompt` (what ran) and
`workflow` (what was on the screen). Prompt, negative prompt, steps, seed and size have a meaning
here; what has none is kept and named. The picture cannot be painted again: it is another model's.
Imports no torch.

Sources: the format of `parameters` as AUTOMATIC1111/stable-diffusion-webui documents it; ComfyUI's
API format of a graph: {node: {"class_type", "inputs": {name: value or [node, output]}}}.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from phosphene.core.errors import RecipeError
from phosphene.studio.recipe import Imagine
from phosphene.studio.recipe_text import parse_recipe
from phosphene.studio.recipes.fields import MAX_SEED

NEGATIVE_WEIGHT = -0.5  # of a negative prompt, as a phrase that pushes away
MAX_DEPTH = 30  # links that are followed in a graph
MAX_PROMPT = 9_000
KEPT_TEXT = 100_000  # characters of what another program wrote that are kept
KEYWORDS = ("parameters", "prompt", "workflow")
_NEGATIVE = "Negative prompt:"
_SETTING = re.compile(r'\s*([\w /+-]+?):\s*("(?:\\.|[^"\\])*"|[^,]*)(?:,|$)')


@dataclass(frozen=True, slots=True)
class Foreign:
    """A picture of another program.

    Args:
        program: Its name.
        recipe: What it comes to here.
        unmapped: What has no meaning here, by the name that it has there.
        texts: All that the program wrote, by keyword.
    """

    program: str
    recipe: Imagine
    unmapped: Mapping[str, Any] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)

    @property
    def model(self) -> str:
        """The model that painted, as the program calls it; empty if it does not say."""
        name = self.unmapped.get("Model") or self.unmapped.get("ckpt_name") or ""
        return str(name)[:200]


def read_foreign_picture(texts: Mapping[str, str]) -> Foreign | None:
    """Find what a picture's texts say; None if no program that is known here wrote them.

    Args:
        texts: By keyword, as in the PNG.
    """
    kept = {
        key: texts[key][:KEPT_TEXT] for key in ("parameters", "prompt", "workflow") if key in texts
    }
    if "parameters" in texts and "Steps:" in texts["parameters"]:
        recipe, unmapped = _automatic1111(texts["parameters"])
        return Foreign("AUTOMATIC1111", recipe, unmapped, kept)
    for key, reader in (("prompt", _api_nodes), ("workflow", _screen_nodes)):
        graph = _json(texts.get(key, ""))
        nodes = reader(graph) if isinstance(graph, dict) else {}
        if nodes:
            recipe, unmapped = _comfy(nodes)
            return Foreign("ComfyUI", recipe, unmapped, kept)
    return None


def _automatic1111(text: str) -> tuple[Imagine, dict[str, Any]]:
    """Prompt, perhaps over several lines; the same of what is not wanted; settings in one line."""
    head, _, last = text.strip().rpartition("\n")
    if "Steps:" not in last:
        head, _, last = text.partition("Steps:")
        last = f"Steps:{last}"
    positive, _, negative = head.partition(_NEGATIVE)
    settings = {m[1].strip(): m[2].strip().strip('"') for m in _SETTING.finditer(last)}
    width, _, height = settings.pop("Size", "").partition("x")
    known = {
        "iterations": settings.pop("Steps", None),
        "seed": settings.pop("Seed", None),
        "width": width,
        "height": height,
    }
    return _recipe(positive, negative, known, settings)


def _comfy(nodes: Mapping[str, Mapping[str, Any]]) -> tuple[Imagine, dict[str, Any]]:
    """Find what samples, and follow its links to the words and to the empty picture."""
    samplers = [
        n for n in nodes.values() if "positive" in n["inputs"] and "Sampler" in n["class_type"]
    ]
    inputs: Mapping[str, Any] = samplers[0]["inputs"] if samplers else {}
    if samplers:
        positive = _words(nodes, inputs.get("positive"))
        negative = _words(nodes, inputs.get("negative"))
    else:
        encoded = [
            n["inputs"].get("text") for n in nodes.values() if "TextEncode" in n["class_type"]
        ]
        positive, negative = next((t for t in encoded if isinstance(t, str)), ""), ""
    size = _first_with(nodes, inputs.get("latent_image"), "width")
    known = {
        "iterations": _value(nodes, inputs.get("steps")),
        "seed": _value(nodes, inputs.get("seed", inputs.get("noise_seed"))),
        "width": _value(nodes, size.get("width")),
        "height": _value(nodes, size.get("height")),
    }
    unmapped: dict[str, Any] = {
        name: value
        for name, value in inputs.items()
        if name not in ("seed", "noise_seed", "steps") and not isinstance(value, list)
    }
    loader = _first_with(nodes, inputs.get("model"), "ckpt_name")
    if loader:
        unmapped["ckpt_name"] = loader["ckpt_name"]
    unmapped["nodes"] = sorted({str(n["class_type"]) for n in nodes.values()})
    return _recipe(positive, negative, known, unmapped)


def _recipe(
    positive: str, negative: str, known: Mapping[str, Any], unmapped: Mapping[str, Any]
) -> tuple[Imagine, dict[str, Any]]:
    """Take what is allowed; what is not joins what has no meaning here."""
    rest = dict(unmapped)
    prompt = phrase_of(positive) or "..."
    if pushed := phrase_of(negative):
        prompt = f"{prompt} | {pushed}:{NEGATIVE_WEIGHT}"
    recipe = parse_recipe({"kind": "imagine", "prompt": prompt})
    assert isinstance(recipe, Imagine)
    for name, value in known.items():
        number = _whole(value)
        if number is None or (name == "seed" and not 0 <= number <= MAX_SEED):
            if value not in (None, ""):
                rest[name] = value
            continue
        try:
            changed = parse_recipe({**recipe.model_dump(), name: number})
        except RecipeError:
            rest[name] = value
            continue
        assert isinstance(changed, Imagine)
        recipe = changed
    return recipe, rest


def phrase_of(text: str) -> str:
    """Text as one phrase of ours: marks that separate phrases and scenes become commas, and an
    ending that would name a picture stops doing so."""
    text = " ".join(re.sub(r"[|^]", ",", text).split())[:MAX_PROMPT].rstrip(" ,")
    # a number at the end would be a weight; so would one that follows a picture's name
    text = re.sub(r":(?=[\d.+-]*$)", " ", text)
    return re.sub(r"\.(?=(png|jpe?g|webp)$)", " ", text, flags=re.IGNORECASE)


def _whole(value: object) -> int | None:
    try:
        return int(str(value))
    except ValueError:
        return None


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _api_nodes(graph: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        str(key): node
        for key, node in graph.items()
        if isinstance(node, dict)
        and isinstance(node.get("class_type"), str)
        and isinstance(node.get("inputs"), dict)
    }


# what stands in `widgets_values` of a node on the screen, in order
_WIDGETS = {
    "KSampler": ("seed", "", "steps", "cfg", "sampler_name", "scheduler", "denoise"),
    "KSamplerAdvanced": ("", "noise_seed", "", "steps", "cfg", "sampler_name", "scheduler"),
    "CLIPTextEncode": ("text",),
    "EmptyLatentImage": ("width", "height", "batch_size"),
    "CheckpointLoaderSimple": ("ckpt_name",),
}


def _screen_nodes(graph: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """A graph as it was drawn, in the form of one that ran."""
    nodes, links = graph.get("nodes"), graph.get("links")
    if not isinstance(nodes, list) or not isinstance(links, list):
        return {}
    source = {
        str(link[0]): [str(link[1]), link[2]]
        for link in links
        if isinstance(link, list) and len(link) > 2
    }
    found: dict[str, dict[str, Any]] = {}
    for node in nodes:
        if not isinstance(node, dict) or not isinstance(node.get("type"), str):
            continue
        values = node.get("widgets_values")
        values = values if isinstance(values, list) else []
        names = _WIDGETS.get(node["type"], ())
        inputs = {n: v for n, v in zip(names, values, strict=False) if n}
        plugs = node.get("inputs")
        for plug in plugs if isinstance(plugs, list) else ():
            if isinstance(plug, dict) and (link := str(plug.get("link"))) in source:
                inputs[str(plug.get("name"))] = source[link]
        found[str(node.get("id"))] = {"class_type": node["type"], "inputs": inputs}
    return found


def _upstream(nodes: Mapping[str, Any], value: object) -> Iterator[Mapping[str, Any]]:
    """The inputs of the node that a link leads to, and of those behind it, near ones first."""
    waiting, seen = [(value, 0)], set()
    while waiting:
        link, depth = waiting.pop(0)
        if not isinstance(link, list) or not link or depth > MAX_DEPTH:
            continue
        key = str(link[0])
        if key in seen or key not in nodes:
            continue
        seen.add(key)
        inputs = nodes[key]["inputs"]
        yield inputs
        waiting += [(inner, depth + 1) for inner in inputs.values()]


def _words(nodes: Mapping[str, Any], value: object) -> str:
    for inputs in _upstream(nodes, value):
        for name in ("text", "text_g", "string", "value", "prompt"):
            if isinstance(inputs.get(name), str):
                return str(inputs[name])
    return ""


def _first_with(nodes: Mapping[str, Any], value: object, name: str) -> Mapping[str, Any]:
    return next((i for i in _upstream(nodes, value) if name in i), {})


def _value(nodes: Mapping[str, Any], value: object) -> Any:
    """A number, also one that another node holds."""
    if not isinstance(value, list):
        return value
    for inputs in _upstream(nodes, value):
        for inner in inputs.values():
            if isinstance(inner, int) and not isinstance(inner, bool):
                return inner
    return None
