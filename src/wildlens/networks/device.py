"""Where networks run."""

import os
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from wildlens.errors import WildLensError


def choose_device(name: str) -> torch.device:
    """The device of a name; `auto` is the GPU of the machine or of the job, or the CPU.

    Schedulers set CUDA_VISIBLE_DEVICES, so the first visible GPU is ours. Of several processes of
    one training each takes the GPU with its own number. Turns TF32 off: see `full_float32`.
    """
    full_float32()
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


def full_float32() -> None:
    """Compute float32 on GPUs with all 24 bits of the significand, as processors do.

    By default torch computes float32 convolutions on GPUs in TF32, with 11 bits.
    """
    cuda, cudnn = torch.backends.cuda, torch.backends.cudnn
    cuda.matmul.allow_tf32 = cudnn.allow_tf32 = False
    if hasattr(cudnn, "conv"):  # since torch 2.9; has priority over a global setting of others
        for operations in (cuda.matmul, cudnn.conv, cudnn.rnn):
            operations.fp32_precision = "ieee"


def in_precision(precision: str, where: torch.device) -> AbstractContextManager:
    """Compute convolutions and matrix products in bfloat16, if that is the `precision`.

    Weights, sums over a batch and results stay float32.
    """
    if precision == "float32":
        full_float32()
        return nullcontext()
    return torch.autocast(where.type, torch.bfloat16)


def on_device(images: Tensor, where: torch.device) -> Tensor:
    """Copy a batch to a device, channels last; from pinned memory the copy is asynchronous."""
    return images.to(where, memory_format=torch.channels_last, non_blocking=True)
