"""Layer-by-layer summary of a network, and the activations that training keeps in memory.

Networks run on torch's meta device, which computes shapes only and so needs no memory.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from wildlens.networks.receptive_field import LocalGraph, receptive_field


@dataclass(frozen=True)
class Layer:
    """One layer of a network.

    Attributes:
        shape: of its output, without the batch.
        field: receptive field of a pixel of the output, px; None if it is the whole image.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int
    field: int | None


def on_meta(build: Callable[[], nn.Module]) -> nn.Module:
    """Build a network on the meta device: shapes without values."""
    with torch.device("meta"):
        return build()


def layers(network: nn.Module, image: Tensor) -> list[Layer]:
    """Layers in the order of the forward pass of an image (1, C, H, W) on the network's device."""
    fields, found, hooks = _fields(network.eval()), [], []

    def note(name: str) -> Callable:
        def hook(module: nn.Module, _, output: Tensor) -> None:
            found.append(
                Layer(name, _kind(module), tuple(output.shape[1:]), count(module), fields.get(name))
            )

        return hook

    for name, module in network.named_modules():
        if not list(module.children()):
            hooks.append(module.register_forward_hook(note(name)))
    try:
        with torch.no_grad():
            network(image)
    finally:
        for hook in hooks:
            hook.remove()
    return found


def count(network: nn.Module) -> int:
    """Number of parameters."""
    return sum(parameter.numel() for parameter in network.parameters())


def kept_for_backward(forward: Callable[[], object], *networks: nn.Module) -> int:
    """Bytes that autograd saves for the backward pass, without the weights of the networks.

    Args:
        forward: computes a loss; each tensor that it saves counts once.
    """
    known = {_storage(t) for n in networks for t in (*n.parameters(), *n.buffers())}
    kept: dict[int, Tensor] = {}  # keeps the tensors: a freed address could be reused

    def pack(tensor: Tensor) -> Tensor:
        if _storage(tensor) not in known:
            kept.setdefault(_storage(tensor), tensor)
        return tensor

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        forward()
    return sum(tensor.untyped_storage().nbytes() for tensor in kept.values())


def _storage(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata


def _fields(network: nn.Module) -> dict[str, int]:
    """Receptive field of each layer that does not depend on the whole image, by name."""
    graph, prefix = _local(network)
    fields = {
        f"{prefix}{node.target}": receptive_field(graph, node)
        for node in graph.rules
        if node.op == "call_module"
    }
    return {"standardise": 1} | fields


def local_field(network: nn.Module) -> int:
    """Receptive field of the last layer that does not depend on the whole image, px."""
    graph, _ = _local(network.eval())
    return receptive_field(graph, graph.last_local)


def _local(network: nn.Module) -> tuple[LocalGraph, str]:
    """Graph of a network, and the prefix of its layers' names.

    Outside of `layers`, generators and discriminators work pixel by pixel.
    """
    if hasattr(network, "layers"):
        return LocalGraph(network.layers), "layers."
    return LocalGraph(network), ""


def _kind(module: nn.Module) -> str:
    """Type of a layer, with kernel size and stride."""
    words = [type(module).__name__]
    kernel = getattr(module, "kernel_size", None)
    if kernel is not None:
        height, width = kernel if isinstance(kernel, tuple) else (kernel, kernel)
        words.append(f"{height}x{width}")
        stride = module.stride[0] if isinstance(module.stride, tuple) else module.stride
        words += [f"stride {stride}"] * (stride != 1)
    if isinstance(module, nn.Upsample):
        words.append(module.mode)
    return " ".join(words)
