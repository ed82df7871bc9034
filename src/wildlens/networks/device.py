"""Where networks run."""

import torch

from wildlens.errors import WildLensError


def choose_device(name: str) -> torch.device:
    """`auto` takes the GPU that the machine (or the scheduler) gives, else the CPU."""
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    available = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if not available[name]:
        raise WildLensError(f"device '{name}' is not available here; use 'auto' or 'cpu'")
    return torch.device(name)
