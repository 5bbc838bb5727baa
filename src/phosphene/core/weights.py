"""Weights. (Being written: reading and saving follow.)"""

from collections.abc import Mapping

from torch import Tensor, nn

from phosphene.core.errors import CheckpointError


def load_into(module: nn.Module, tensors: Mapping[str, Tensor], source_name: str) -> None:
    """Copy `tensors` into `module`, which must want exactly these names and shapes.

    Raises:
        CheckpointError: names the first missing, unexpected and mis-shaped tensors, in one line.
    """
    wanted = module.state_dict()
    missing = [name for name in wanted if name not in tensors]
    unexpected = [name for name in tensors if name not in wanted]
    misshaped = [
        f"{name} is {list(tensors[name].shape)}, not {list(wanted[name].shape)}"
        for name in wanted
        if name in tensors and tensors[name].shape != wanted[name].shape
    ]
    complaints = [
        _complain("lacks", missing),
        _complain("has unknown", unexpected),
        _complain("has mis-shaped", misshaped),
    ]
    if missing or unexpected or misshaped:
        reason = "; ".join(c for c in complaints if c)
        raise CheckpointError(
            f"{source_name!r} does not fit {type(module).__name__}: {reason}; "
            "it was made for another architecture or configuration"
        )
    module.load_state_dict(dict(tensors))


def _complain(verb: str, names: list[str], shown: int = 3) -> str:
    if not names:
        return ""
    rest = f" and {len(names) - shown} more" if len(names) > shown else ""
    return f"it {verb} {', '.join(names[:shown])}{rest}"
