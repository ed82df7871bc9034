"""A classifier with random weights, whose maps depend on the method and the image only."""

import copy

import torch
from torch import nn


def randomised(classifier: nn.Module, seed: int) -> nn.Module:
    """A copy with weights redrawn by each layer's own initialiser (Adebayo et al. 2018).

    Band statistics are kept: they describe the images. Batch statistics are reset with the weights.
    """
    network = copy.deepcopy(classifier)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        for module in network.modules():
            if hasattr(module, "reset_parameters"):
                module.reset_parameters()
    return network
