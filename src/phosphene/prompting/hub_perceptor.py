"""Published perceptors: any CLIP or SigLIP that the transformers library reads.

CLIP: Radford et al. 2021, "Learning Transferable Visual Models From Natural Language Supervision".
SigLIP: Zhai et al. 2023, "Sigmoid Loss for Language Image Pre-Training". The library's own image
processors work on PIL images and stop gradients, so the few lines they amount to are done here.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from safetensors import SafetensorError
from torch import Tensor, nn

from phosphene.core.errors import CheckpointError, MissingTool, Unsupported, WeightsError
from phosphene.core.images import Images, resize
from phosphene.core.runtime import painting_dtype
from phosphene.core.weights import Shelf
from phosphene.prompting.packed_vision import pack_vision
from phosphene.prompting.prompt import clean

SUPPORTED = ("clip", "siglip")
CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
SIGLIP_MEAN, SIGLIP_STD = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)
MAX_CHARACTERS = 20_000  # far beyond what 64 or 77 tokens hold


class TransformersPerceptor(nn.Module):
    """A `Perceptor` around a CLIP or SigLIP model, frozen; gradients reach the pictures only.

    Args:
        model: A `CLIPModel` or `SiglipModel`, in the dtype to compute in.
        tokenizer: The one that belongs to it.
        mean, std: Of the pixels it was trained on, in [0, 1], one number a channel.
    """

    model: Any  # transformers' classes share no type that says what is used here
    mean: Tensor
    std: Tensor

    def __init__(
        self, model: Any, tokenizer: Any, mean: Sequence[float], std: Sequence[float]
    ) -> None:
        super().__init__()
        self.model = model
        # bmm-softmax-bmm: at 50 to 200 tokens in bf16 the fused CPU kernel is 5 times slower
        self.model.set_attn_implementation("eager")
        self.requires_grad_(False)
        self.train(False)
        self.packed = pack_vision(self.model.vision_model)
        config = self.model.config
        self.input_size: int = config.vision_config.image_size
        self._tokenizer = tokenizer
        self._num_tokens: int = config.text_config.max_position_embeddings
        self._siglip: bool = config.model_type == "siglip"
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1), persistent=False)

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path,
        *,
        revision: str | None = None,
        dtype: torch.dtype = torch.bfloat16,
        allow_download: bool = False,
    ) -> "TransformersPerceptor":
        """Load a model from a folder, or by its hub name from transformers' cache.

        Args:
            name: A folder, or a hub name such as `openai/clip-vit-base-patch32`.
            revision: Branch, tag or commit on the hub.
            dtype: To compute in: bf16 is fastest on CPUs that have it.
            allow_download: Ask the hub for what is not in the cache.
        Raises:
            WeightsError: not on this computer, or not found.
            MissingTool: its tokenizer needs a package that is not installed.
            CheckpointError: its files are damaged, or do not hold the whole model.
            Unsupported: neither CLIP nor SigLIP.
        """
        from transformers import AutoConfig, AutoModel
        from transformers.image_processing_base import ImageProcessingMixin

        place = {"revision": revision, "local_files_only": not allow_download}
        with _readable_errors(str(name), allow_download), _no_progress_bar():
            config = AutoConfig.from_pretrained(name, trust_remote_code=False, **place)
            if config.model_type not in SUPPORTED:
                raise Unsupported(
                    f"{str(name)!r} is a model of type {config.model_type!r}; "
                    f"a perceptor is one of {', '.join(SUPPORTED)}"
                )
            tokenizer = _tokenizer(name, config.model_type, place)
            pixels = ImageProcessingMixin.get_image_processor_dict(str(name), **place)[0]
            model, report = AutoModel.from_pretrained(
                name,
                config=config,
                dtype=dtype,
                output_loading_info=True,
                use_safetensors=True,
                trust_remote_code=False,
                **place,
            )
        # transformers fills what a file lacks with random numbers, and only logs it
        if report["missing_keys"]:
            first = sorted(report["missing_keys"])[0]
            raise CheckpointError(
                f"{str(name)!r} lacks {len(report['missing_keys'])} tensors, the first is "
                f"{first!r}; fetch the model again"
            )
        siglip = config.model_type == "siglip"
        mean = pixels.get("image_mean", SIGLIP_MEAN if siglip else CLIP_MEAN)
        std = pixels.get("image_std", SIGLIP_STD if siglip else CLIP_STD)
        return cls(model, tokenizer, mean, std)

    def train(self, mode: bool = True) -> "TransformersPerceptor":
        """Stay in eval mode."""
        return super().train(False)

    @property
    def dtype(self) -> torch.dtype:
        dtype: torch.dtype = self.model.dtype
        return dtype

    def encode_image(self, images: Images) -> Float[Tensor, "b d"]:
        """Unit embeddings of pictures in [-1, 1], float32; differentiable.

        Pictures of another size are resampled to `input_size`, whole: oblong ones are squeezed.
        """
        sized = resize(images, self.input_size, self.input_size)
        # ((x + 1) / 2 - mean) / std in one pass
        pixels = torch.addcmul((0.5 - self.mean) / self.std, sized, 0.5 / self.std)
        if self.packed is None:
            seen = self.model.get_image_features(pixel_values=pixels.to(self.dtype)).pooler_output
        else:
            seen = self.packed(pixels)
            if not self._siglip:
                seen = self.model.visual_projection(seen)
        return F.normalize(seen.float(), dim=1)

    @torch.no_grad()
    def encode_text(self, texts: Sequence[str]) -> Float[Tensor, "b d"]:
        """Unit embeddings of texts, float32; what is longer than the model reads is cut off."""
        readable = [clean(text[:MAX_CHARACTERS]) for text in texts]
        if self._siglip:
            # it learned on lower case, always padded to full length and without a mask
            readable = [text.lower() for text in readable]
        tokens = self._tokenizer(
            readable,
            padding="max_length" if self._siglip else True,
            truncation=True,
            max_length=self._num_tokens,
            return_tensors="pt",
        )
        asked = {"input_ids": tokens["input_ids"].to(self.mean.device)}
        if not self._siglip:
            asked["attention_mask"] = tokens["attention_mask"].to(self.mean.device)
        return F.normalize(self.model.get_text_features(**asked).pooler_output.float(), dim=1)


def build(
    _tensors: Mapping[str, Tensor], _config: Mapping[str, Any], shelf: Shelf
) -> TransformersPerceptor:
    """Build a published perceptor for the zoo from its folder, in the precision that paints.

    Raises:
        WeightsError: its folder lacks a file, or one is damaged.
        Unsupported: neither CLIP nor SigLIP.
    """
    dtype = shelf.dtype or painting_dtype(shelf.device)
    return TransformersPerceptor.from_pretrained(shelf.folder(), dtype=dtype)


def _tokenizer(name: str | Path, model_type: str, place: Mapping[str, Any]) -> Any:
    """The tokenizer that belongs to a model."""
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    kind: Any = AutoTokenizer
    # SigLIP's own class needs the sentencepiece package; its tokenizer.json says the same without
    if model_type == "siglip" and (Path(name) / "tokenizer.json").is_file():
        kind = PreTrainedTokenizerFast
    return kind.from_pretrained(name, trust_remote_code=False, **place)


@contextmanager
def _readable_errors(name: str, allow_download: bool) -> Iterator[None]:
    """Turn what the library raises into one line that says what to do."""
    try:
        yield
    except WeightsError:
        raise
    except (SafetensorError, RuntimeError, EOFError) as error:
        raise CheckpointError(
            f"the files of {name!r} are damaged or of another architecture: "
            f"{_first_line(error)}; fetch the model again"
        ) from None
    except ImportError as error:
        raise MissingTool(
            f"the model {name!r} needs a package that is not installed: {_first_line(error)}"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, Unsupported):
            raise
        if Path(name).is_dir():
            raise WeightsError(
                f"the folder {name!r} holds no CLIP or SigLIP model: {_first_line(error)}"
            ) from None
        if allow_download:
            raise WeightsError(
                f"cannot fetch {name!r}: {_first_line(error)}; check the name and the network"
            ) from None
        raise WeightsError(
            f"the model {name!r} is not on this computer; fetch it with "
            f"`phosphene models pull {name}`, or give the folder it lies in"
        ) from None


@contextmanager
def _no_progress_bar() -> Iterator[None]:
    """Surfaces own the progress bars: keep transformers from drawing its own on stderr."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:160] if lines else type(error).__name__
