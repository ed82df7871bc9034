"""The device of tests/gpu: the GPU of this machine, or one that an environment variable names."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor

from wildlens.networks.device import choose_device, full_float32

VARIABLE = "WILDLENS_GPU_TEST_DEVICE"  # cuda: a missing GPU is an error; cpu: tests the tests
NAME = os.environ.get(VARIABLE, "")

needs_gpu = pytest.mark.skipif(
    not NAME and not torch.cuda.is_available(),
    reason=f"no GPU on this machine ({VARIABLE}=cpu runs the tests on the CPU)",
)


def device() -> torch.device:
    """The device that is compared with the CPU; turns TF32 off."""
    return choose_device(NAME or "cuda")


def processes_available() -> int:
    """Number of processes of one training that this machine can run."""
    return 2 if NAME == "cpu" else torch.cuda.device_count()


@contextmanager
def tf32() -> Iterator[None]:
    """Compute float32 on GPUs in TF32, which WildLens turns off."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    if hasattr(torch.backends.cudnn, "conv"):
        for operations in (torch.backends.cuda.matmul, torch.backends.cudnn.conv):
            operations.fp32_precision = "tf32"
    try:
        yield
    finally:
        full_float32()


def difference(found: Tensor, expected: Tensor) -> float:
    """Root mean square of the difference, as a share of that of the expected values."""
    found, expected = found.detach().cpu().double(), expected.detach().cpu().double()
    assert found.shape == expected.shape and found.isfinite().all()
    return ((found - expected).norm() / expected.norm().clamp(min=1e-30)).item()
