"""What a network is made of: its layers one by one, and what training it keeps in memory.

Networks are run on torch's meta device: shapes without numbers, so that the largest network costs
neither memory nor time.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from wildlens.networks.receptive_field import LocalGraph, receptive_field


@dataclass(frozen=True)
class Layer:
    """One layer, in the order in which an image passes it.

    Attributes:
        shape: of its output, without the batch.
        field: side of the square of the image that a pixel of the output depends on, px; None
            where it depends on all of the image.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int
    field: int | None


def on_meta(build: Callable[[], nn.Module]) -> nn.Module:
    """A network that has shapes and no numbers."""
    with torch.device("meta"):
        return build()


def layers(network: nn.Module, image: Tensor) -> list[Layer]:
    """The layers that an image passes; its shape is (1, C, H, W), on the network's device."""
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
    """Bytes that autograd keeps for the way back, beside the weights of the networks.

    Args:
        forward: computes something that needs gradients; each tensor that it saves counts once.
    """
    known = {_storage(t) for n in networks for t in (*n.parameters(), *n.buffers())}
    kept: dict[int, Tensor] = {}  # the tensors themselves, or a freed place would be taken anew

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
    """Receptive field of the output of each layer that is local, by the layer's name."""
    graph, prefix = _local(network)
    fields = {
        f"{prefix}{node.target}": receptive_field(graph, node)
        for node in graph.rules
        if node.op == "call_module"
    }
    return {"standardise": 1} | fields


def local_field(network: nn.Module) -> int:
    """Receptive field of the last layer that does not look at the whole image, px."""
    graph, _ = _local(network.eval())
    return receptive_field(graph, graph.last_local)


def _local(network: nn.Module) -> tuple[LocalGraph, str]:
    """The graph of a network, and what stands before the names of its layers.

    What generators and discriminators do outside of `layers` is done pixel by pixel.
    """
    if hasattr(network, "layers"):
        return LocalGraph(network.layers), "layers."
    return LocalGraph(network), ""


def _kind(module: nn.Module) -> str:
    """The type, and what sets its size."""
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
