"""Search for the convolution blocks of a network, whose outputs GradCAM can use."""

from collections import Counter

import torch
from torch import Tensor, nn

from wildlens.errors import WildLensError


def find_blocks(network: nn.Module, images: Tensor) -> list[nn.Module]:
    """The convolutions of the forward pass in order, each with the following modules of its size.

    These are its normalisation, its activation or the residual block around them, if it is a module
    that is called once.

    Args:
        images: (N, C, H, W), a batch that the network takes.

    Raises:
        WildLensError: the network has no convolution.
    """
    calls = module_calls(network, images)
    counts = Counter(module for module, _ in calls)
    blocks: list[nn.Module] = []
    for position, (module, shape) in enumerate(calls):
        if isinstance(module, nn.Conv2d):
            block = _extended(module, shape, calls[position + 1 :], counts)
            if block not in blocks:
                blocks.append(block)
    if not blocks:
        raise WildLensError(
            f"the classifier ({type(network).__name__}) has no convolution, whose output GradCAM"
            " takes: explain it by occlusion or integrated_gradients"
        )
    return blocks


def module_calls(network: nn.Module, images: Tensor) -> list[tuple[nn.Module, torch.Size]]:
    """Modules in the order in which they return, with the shapes of their outputs."""
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
    return calls


def _extended(
    block: nn.Module,
    shape: torch.Size,
    following: list[tuple[nn.Module, torch.Size]],
    counts: Counter[nn.Module],
) -> nn.Module:
    """The last module after a convolution that keeps its size, up to the next convolution."""
    for module, size in following:
        if len(size) != 4 or size[2:] != shape[2:] or isinstance(module, nn.Conv2d):
            break
        if counts[module] == 1:
            block = module
    return block
