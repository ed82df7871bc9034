"""Search for the last convolution block of a network, whose output GradCAM uses."""

from collections import Counter

import torch
from torch import Tensor, nn

from wildlens.errors import WildLensError


def find_last_block(network: nn.Module, images: Tensor) -> nn.Module:
    """The last convolution of the forward pass, with the following modules of the same size.

    These are its normalisation, its activation or the residual block around them, if it is a module
    that is called once.

    Args:
        images: (N, C, H, W), a batch that the network takes.

    Raises:
        WildLensError: the network has no convolution.
    """
    calls: list[tuple[nn.Module, torch.Size]] = []

    def note(module: nn.Module, _, output) -> None:
        calls.append((module, output.shape if isinstance(output, Tensor) else torch.Size()))

    hooks = [module.register_forward_hook(note) for module in network.modules()]
    training = network.training
    try:
        with torch.inference_mode():
            network.eval()(images)
    finally:
        network.train(training)
        for hook in hooks:
            hook.remove()
    convolutions = [n for n, (module, _) in enumerate(calls) if isinstance(module, nn.Conv2d)]
    if not convolutions:
        raise WildLensError(
            f"the classifier ({type(network).__name__}) has no convolution, whose output GradCAM"
            " takes: explain it by occlusion or integrated_gradients"
        )
    counts = Counter(module for module, _ in calls)
    block, shape = calls[convolutions[-1]]
    for module, following in calls[convolutions[-1] + 1 :]:
        if len(following) != 4 or following[2:] != shape[2:]:
            break
        if counts[module] == 1:
            block = module
    return block
