"""States of a training's random generators and optimizers, as stored in checkpoints."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor


def random_states(numpy_state: dict, device: torch.device) -> dict:
    """States of the random generators of numpy, of torch and of the device.

    Args:
        numpy_state: after the last used batch was drawn; the generator itself may have
            advanced further, because later batches are prefetched.
    """
    states = {"numpy": numpy_state, "cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        states["mps"] = torch.mps.get_rng_state()
    return states


def set_random_states(
    states: Mapping, generator: np.random.Generator, device: torch.device
) -> None:
    """Restore `random_states`; a device without a saved state keeps its own."""
    generator.bit_generator.state = states["numpy"]
    torch.set_rng_state(states["cpu"])
    if device.type in states and device.type == "cuda":
        torch.cuda.set_rng_state(states["cuda"], device)
    elif device.type in states and device.type == "mps":
        torch.mps.set_rng_state(states["mps"])


def load_optimizer(optimizer: torch.optim.Optimizer, state: dict) -> None:
    """Load an optimizer's state such that the next step has the same bits.

    Files store tensors row by row. Moments must have the memory layout of their weights again:
    with another layout torch runs other kernels, which round differently.
    """
    optimizer.load_state_dict(state)
    for parameter, values in optimizer.state.items():
        for key, value in values.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape:
                values[key] = torch.empty_like(parameter).copy_(value)
