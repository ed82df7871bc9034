"""A classifier that has learnt nothing: what its maps still show comes from method and image."""

import copy

import torch
from torch import nn


def randomised(classifier: nn.Module, seed: int) -> nn.Module:
    """A copy with weights drawn anew by each layer's own initialiser (Adebayo et al. 2018).

    Band statistics stay: they describe the images, not what was learnt of them. Batch statistics
    start anew with the weights they belong to.
    """
    network = copy.deepcopy(classifier)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        for module in network.modules():
            if hasattr(module, "reset_parameters"):
                module.reset_parameters()
    return network
