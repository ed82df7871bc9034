"""Where networks run."""

import os
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from wildlens.errors import WildLensError


def choose_device(name: str) -> torch.device:
    """`auto` takes the GPU that the machine (or the scheduler) gives, else the CPU.

    A scheduler gives GPUs by CUDA_VISIBLE_DEVICES: no others are seen, so the first is ours. Of
    several processes that train together, each takes the one of its own number.
    """
    if name == "auto":
        name = "mps" if torch.backends.mps.is_available() else "cpu"
        name = "cuda" if torch.cuda.is_available() else name
    available = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if not available[name]:
        raise WildLensError(f"device '{name}' is not available here; use 'auto' or 'cpu'")
    own = os.environ.get("LOCAL_RANK")
    if name != "cuda" or own is None:
        return torch.device(name)
    if int(own) >= torch.cuda.device_count():
        raise WildLensError(
            f"process {own} of this training finds no GPU: {torch.cuda.device_count()} are given; "
            "ask for more, or for fewer processes (--processes, gpu)"
        )
    return torch.device(name, int(own))


def in_precision(precision: str, where: torch.device) -> AbstractContextManager:
    """Where `precision` is bfloat16, convolutions and products of matrices are computed in it.

    Weights, sums over a batch and results of float32 stay as they are.
    """
    if precision == "float32":
        return nullcontext()
    return torch.autocast(where.type, torch.bfloat16)


def on_device(images: Tensor, where: torch.device) -> Tensor:
    """A batch where it is used, with the bands of a pixel side by side; from pinned memory, later.

    The copy runs beside the GPU's work, which waits for it where it is needed.
    """
    return images.to(where, memory_format=torch.channels_last, non_blocking=True)
