"""The parts of a published pipeline, loaded from a folder as diffusers saves it.

`model_index.json` names classes. They are looked up in the closed tables below, never imported by
the name that a file gives; weights are safetensors, and all of them must be there.
"""

import json
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from phosphene.core.errors import (
    CheckpointError,
    MissingTool,
    PhospheneError,
    Unsupported,
    WeightsError,
)
from phosphene.families.diffusion.schedulers import scheduler_class

MODEL_INDEX = "model_index.json"
HALF = "fp16"  # what files of half precision have in their names
Classes = Mapping[str, str]  # by task: of "words" alone, from an "init", into a "mask"

_SD: Classes = {
    "words": "StableDiffusionPipeline",
    "init": "StableDiffusionImg2ImgPipeline",
    "mask": "StableDiffusionInpaintPipeline",
}
_XL: Classes = {
    "words": "StableDiffusionXLPipeline",
    "init": "StableDiffusionXLImg2ImgPipeline",
    "mask": "StableDiffusionXLInpaintPipeline",
}
_SD3: Classes = {
    "words": "StableDiffusion3Pipeline",
    "init": "StableDiffusion3Img2ImgPipeline",
    "mask": "StableDiffusion3InpaintPipeline",
}
_CLIP, _CHECKER = "CLIPTextModelWithProjection", "StableDiffusionSafetyChecker"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of pipeline.

    Args:
        classes: Of diffusers, for each task.
        network: The part that denoises.
        parts: Those with weights: the classes that each may have.
        tokenizers: Likewise.
        optional: Parts that a folder may leave out.
        settings: Which of the constructor's arguments `model_index.json` sets, with defaults.
    """

    classes: Classes
    network: str
    parts: Mapping[str, tuple[str, ...]]
    tokenizers: Mapping[str, tuple[str, ...]]
    optional: tuple[str, ...] = ()
    settings: Mapping[str, bool] | None = None


SD = Kind(
    classes=_SD,
    network="unet",
    parts={
        "vae": ("AutoencoderKL",),
        "text_encoder": ("CLIPTextModel",),
        "unet": ("UNet2DConditionModel",),
        "safety_checker": (_CHECKER,),
    },
    tokenizers={"tokenizer": ("CLIPTokenizer", "CLIPTokenizerFast")},
    optional=("safety_checker",),
)
XL = Kind(
    classes=_XL,
    network="unet",
    parts={
        "vae": ("AutoencoderKL",),
        "text_encoder": ("CLIPTextModel",),
        "text_encoder_2": (_CLIP,),
        "unet": ("UNet2DConditionModel",),
    },
    tokenizers={
        "tokenizer": ("CLIPTokenizer", "CLIPTokenizerFast"),
        "tokenizer_2": ("CLIPTokenizer", "CLIPTokenizerFast"),
    },
    settings={"force_zeros_for_empty_prompt": True},
)
SD3 = Kind(
    classes=_SD3,
    network="transformer",
    parts={
        "vae": ("AutoencoderKL",),
        "text_encoder": (_CLIP,),
        "text_encoder_2": (_CLIP,),
        "text_encoder_3": ("T5EncoderModel",),
        "transformer": ("SD3Transformer2DModel",),
    },
    tokenizers={
        "tokenizer": ("CLIPTokenizer", "CLIPTokenizerFast"),
        "tokenizer_2": ("CLIPTokenizer", "CLIPTokenizerFast"),
        "tokenizer_3": ("T5Tokenizer", "T5TokenizerFast"),
    },
    optional=("text_encoder_3", "tokenizer_3"),
)
# What a folder may say that it is. A model that paints into pictures only says the last of SD.
KINDS: Mapping[str, Kind] = {
    **{_SD[task]: SD for task in ("words", "mask")},
    **{_XL[task]: XL for task in ("words", "mask")},
    _SD3["words"]: SD3,
}
OF_TRANSFORMERS = {
    *("CLIPTextModel", _CLIP, "T5EncoderModel"),
    *("CLIPTokenizer", "CLIPTokenizerFast", "T5Tokenizer", "T5TokenizerFast"),
}


@dataclass(frozen=True, slots=True)
class Parts:
    """What a pipeline is made of.

    Args:
        modules: Networks by the name that diffusers gives them.
        others: Tokenizers, the scheduler and the like; None for what the folder leaves out.
        settings: Further arguments of the pipeline's constructors.
    """

    kind: Kind
    modules: Mapping[str, Any]
    others: Mapping[str, Any]
    settings: Mapping[str, Any]


def load_parts(folder: Path, dtype: torch.dtype, *, safety: bool = True) -> Parts:
    """Load all parts of a pipeline, in one dtype.

    Args:
        safety: Whether the safety checker is loaded where the folder has one.
    Raises:
        Unsupported: a class that phosphene does not know.
        WeightsError: a part is missing, or its weights are no safetensors.
        CheckpointError: damaged files, or some that lack tensors.
    """
    index = _read_index(folder)
    kind = kind_of(index, str(folder))
    modules: dict[str, Any] = {}
    others: dict[str, Any] = dict.fromkeys(kind.optional)
    # what networks are drawn with before they are filled is nobody's business
    with _readable_errors(folder), quiet(), torch.random.fork_rng(devices=[]):
        for part, allowed in {**kind.parts, **kind.tokenizers}.items():
            if part == "safety_checker" and not safety:
                continue
            named = _class_of(index, part, allowed, optional=part in kind.optional)
            if named is None:
                continue
            if part in kind.tokenizers:
                others[part] = _library(named).from_pretrained(folder / part, **_SAFE)
            else:
                modules[part] = _network(_library(named), folder / part, dtype)
        name = _class_of(index, "scheduler", None) or ""
        others["scheduler"] = scheduler_class(name).from_pretrained(folder / "scheduler", **_LOCAL)
        if "safety_checker" in modules:
            others["feature_extractor"] = _pixels(folder)
    defaults = kind.settings or {}
    settings = {name: bool(index.get(name, value)) for name, value in defaults.items()}
    return Parts(kind, modules, others, settings)


def kind_of(index: Mapping[str, Any], name: str) -> Kind:
    """The kind of pipeline that a `model_index.json` names.

    Raises:
        Unsupported: not one that phosphene knows.
    """
    found = KINDS.get(str(index.get("_class_name")))
    if found is None:
        raise Unsupported(
            f"{name!r} is a pipeline of class {str(index.get('_class_name'))[:60]!r}; "
            f"phosphene knows {', '.join(KINDS)}"
        )
    return found


def pipeline_class(kind: Kind, task: str) -> Any:
    """The class of diffusers that does a task."""
    import diffusers

    return getattr(diffusers, kind.classes[task])


class quiet:  # noqa: N801  used as a context manager, like a function
    """Keep the libraries from writing to stderr: surfaces own progress bars and warnings."""

    def __enter__(self) -> "quiet":
        self._inside = _quiet()
        self._inside.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._inside.__exit__(None, None, None)

    @contextmanager
    def lifted(self) -> Iterator[None]:
        """As it was before, for a while: what is changed belongs to the whole program."""
        self.__exit__()
        try:
            yield
        finally:
            self.__enter__()


@contextmanager
def _quiet() -> Iterator[None]:
    from diffusers.utils import logging as of_diffusers
    from transformers.utils import logging as of_transformers

    libraries: tuple[Any, ...] = (of_diffusers, of_transformers)
    before = [library.get_verbosity() for library in libraries]
    bars = of_transformers.is_progress_bar_enabled()
    of_transformers.disable_progress_bar()
    for library in libraries:
        library.set_verbosity_error()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for library, level in zip(libraries, before, strict=True):
            library.set_verbosity(level)
        if bars:
            of_transformers.enable_progress_bar()


_LOCAL: Mapping[str, Any] = {"local_files_only": True}
_SAFE: Mapping[str, Any] = {**_LOCAL, "trust_remote_code": False}


def _network(kind: Any, folder: Path, dtype: torch.dtype) -> Any:
    """Load one network, whole."""
    if not folder.is_dir():
        raise WeightsError(f"the folder {str(folder)!r} is missing; fetch the model again")
    half = any(folder.glob(f"*.{HALF}.safetensors")) or any(folder.glob(f"*.{HALF}-*.safetensors"))
    if not any(folder.glob("*.safetensors")):
        raise WeightsError(
            f"the folder {str(folder)!r} holds no safetensors; pickles are not read: save the "
            "model with `save_pretrained(..., safe_serialization=True)`"
        )
    model, report = kind.from_pretrained(
        folder,
        dtype=dtype,
        variant=HALF if half else None,
        use_safetensors=True,
        low_cpu_mem_usage=False if "diffusers" in kind.__module__ else None,
        output_loading_info=True,
        **_LOCAL,
    )
    # both libraries fill what a file lacks with random numbers, and only log it
    if missing := sorted(report["missing_keys"]):
        raise CheckpointError(
            f"{str(folder)!r} lacks {len(missing)} tensors, the first is {missing[0]!r}; "
            "fetch the model again"
        )
    return model.to(dtype=dtype).eval()  # diffusers does not cast every class


def _library(name: str) -> Any:
    """A class of the tables above."""
    if name == _CHECKER:
        from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker

        return StableDiffusionSafetyChecker
    if name in OF_TRANSFORMERS:
        import transformers

        return getattr(transformers, name)
    import diffusers

    return getattr(diffusers, name)


def _pixels(folder: Path) -> Any:
    """What prepares pictures for the safety checker, on PIL: torchvision is not needed."""
    from transformers import CLIPImageProcessorPil

    return CLIPImageProcessorPil.from_pretrained(folder / "feature_extractor", **_LOCAL)


def _class_of(
    index: Mapping[str, Any], part: str, allowed: tuple[str, ...] | None, optional: bool = False
) -> str | None:
    """The class that an index names for a part, if it is allowed."""
    entry = index.get(part)
    name = entry[1] if isinstance(entry, list) and len(entry) == 2 else None
    if name is None and optional:
        return None
    if not isinstance(name, str):
        raise CheckpointError(f"{MODEL_INDEX} names no {part!r}; fetch the model again")
    if allowed is not None and name not in allowed:
        raise Unsupported(
            f"{MODEL_INDEX} names the class {name[:60]!r} for {part!r}; "
            f"phosphene knows {', '.join(allowed)}"
        )
    return name


def _read_index(folder: Path) -> dict[str, Any]:
    path = folder / MODEL_INDEX
    try:
        found = json.loads(path.read_bytes())
    except OSError as error:
        raise WeightsError(f"cannot read {str(path)!r}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{str(path)!r} is damaged: {str(error)[:100]}") from None
    if not isinstance(found, dict):
        raise CheckpointError(f"{str(path)!r} is damaged: it holds no table")
    return found


@contextmanager
def _readable_errors(folder: Path) -> Iterator[None]:
    """Turn what the libraries raise into one line that says what to do."""
    try:
        yield
    except PhospheneError:
        raise
    except ImportError as error:
        raise MissingTool(
            f"the model {str(folder)!r} needs a package that is not installed: {_first_line(error)}"
        ) from None
    except OSError as error:
        if "Unable to load weights" in str(error):
            raise CheckpointError(
                f"weights in {str(folder)!r} are damaged; fetch the model again"
            ) from None
        raise WeightsError(
            f"the folder {str(folder)!r} lacks a file: {_first_line(error)}; fetch the model again"
        ) from None
    except (SafetensorError, RuntimeError, ValueError, KeyError, TypeError, AttributeError) as e:
        raise CheckpointError(
            f"the files of {str(folder)!r} are damaged or of another architecture: "
            f"{_first_line(e)}; fetch the model again"
        ) from None


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:160] if lines else type(error).__name__
