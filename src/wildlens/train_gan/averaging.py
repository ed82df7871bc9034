"""Exponential moving average of a network's weights, to smooth adversarial training."""

import copy

import torch
from torch import nn


class RunningMean:
    """Exponential moving average of all floating-point weights and buffers of a network."""

    def __init__(self, network: nn.Module, decay: float):
        self.decay = decay
        self.network = copy.deepcopy(network).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Move towards the current state of `network`."""
        present = network.state_dict()
        for name, value in self.network.state_dict().items():
            if value.is_floating_point():
                value.lerp_(present[name], 1 - self.decay)
            else:
                value.copy_(present[name])
