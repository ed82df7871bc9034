"""Receptive fields, derived from the layers of a network.

A network is traced into its graph (torch.fx). Along an axis a change is an interval of pixels. For
each layer the rules give the interval of its output that changes, and the part of its input that is
needed to compute it. Both axes have the same rules. Layers that depend on the whole image, such as
a mean or a flattening, end the local part of the graph.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import fx, nn

POINTWISE = (nn.BatchNorm2d, nn.ReLU, nn.LeakyReLU, nn.Tanh, nn.Dropout, nn.Dropout2d, nn.Identity)
ELEMENTWISE = ("cat", "add")  # functions of several inputs of one size, pixel by pixel


class Interval(NamedTuple):
    """Pixels start .. stop - 1 of an axis; empty where stop <= start."""

    start: int
    stop: int

    @property
    def length(self) -> int:
        return max(0, self.stop - self.start)


NOWHERE = Interval(0, 0)


@dataclass(frozen=True)
class Kernel:
    """A square kernel that slides: convolution, pooling, or (with size 1) a pointwise layer."""

    size: int = 1
    stride: int = 1
    padding: int = 0
    mode: str = "constant"

    def length(self, length: int) -> int:
        """Of the output, for the length of the input."""
        return (length + 2 * self.padding - self.size) // self.stride + 1

    def changed(self, change: Interval, length: int) -> Interval:
        """What changes of the output, given what changes of an input of this length."""
        start = -(-(change.start + self.padding - self.size + 1) // self.stride)
        stop = (change.stop - 1 + self.padding) // self.stride + 1
        return Interval(max(0, start), min(self.length(length), stop))

    def needed(self, change: Interval) -> Interval:
        """What is read of the input for an interval of the output; may reach beyond the input."""
        start = change.start * self.stride - self.padding
        return Interval(start, (change.stop - 1) * self.stride - self.padding + self.size)


@dataclass(frozen=True)
class Enlargement:
    """Enlargement by 2; `margin`: further pixels on each side that an output pixel depends on."""

    margin: int

    def length(self, length: int) -> int:
        """Of the output, for the length of the input."""
        return 2 * length

    def changed(self, change: Interval, length: int) -> Interval:
        """What changes of the output, given what changes of an input of this length."""
        start, stop = 2 * change.start - self.margin, 2 * change.stop + self.margin
        return Interval(max(0, start), min(2 * length, stop))

    def needed(self, change: Interval) -> Interval:
        """What is read of the input for an interval of the output; may reach beyond the input."""
        # of two neighbours inside an enlarged pixel only the nearer one counts
        return Interval((change.start - self.margin) // 2, -(-(change.stop + self.margin) // 2))


Rule = Kernel | Enlargement


class LocalGraph:
    """The graph of a network; with the rules of its local nodes.

    Attributes:
        module: the traced network.
        nodes: all nodes in their order.
        rules: node -> rule, for the nodes that depend on a finite neighbourhood of the input.
    """

    def __init__(self, network: nn.Module):
        """Raises what torch.fx raises where a network's path depends on its data."""
        graph = _Tracer().trace(network)
        self.module = fx.GraphModule(network, graph)
        self.nodes = list(graph.nodes)
        self.rules: dict[fx.Node, Rule] = {}
        for node in self.nodes:
            rule = self._rule(node)
            if rule is not None and all(n in self.rules for n in node.all_input_nodes):
                self.rules[node] = rule

    @property
    def image(self) -> fx.Node:
        """The node of the input."""
        return next(node for node in self.nodes if node.op == "placeholder")

    @property
    def last_local(self) -> fx.Node:
        """The last node that still depends on a finite neighbourhood."""
        return list(self.rules)[-1]

    def lengths(self, length: int) -> dict[fx.Node, int]:
        """Length of each local node's output along an axis, for the input's."""
        lengths = {}
        for node, rule in self.rules.items():
            inputs = node.all_input_nodes
            lengths[node] = rule.length(lengths[inputs[0]] if inputs else length)
        return lengths

    def changes(self, change: Interval, lengths: Mapping[fx.Node, int]) -> dict[fx.Node, Interval]:
        """Changed interval of each local node's output, for a changed interval of the input."""
        changes = {}
        for node, rule in self.rules.items():
            inputs = node.all_input_nodes
            present = [changes[n] for n in inputs if changes[n].length]
            if not inputs:
                changes[node] = change
            elif not present:
                changes[node] = NOWHERE
            else:
                union = Interval(min(c.start for c in present), max(c.stop for c in present))
                found = rule.changed(union, lengths[inputs[0]])
                changes[node] = found if found.length else NOWHERE
        return changes

    def _rule(self, node: fx.Node) -> Rule | None:
        if node.op == "placeholder":
            return Kernel()
        if node.op == "call_module":
            return _rule_of(self.module.get_submodule(node.target))
        name = getattr(node.target, "__name__", node.target)
        nodes_only = all(isinstance(part, fx.Node | list | tuple) for part in node.args[:1])
        if node.op == "call_function" and name in ELEMENTWISE and nodes_only:
            along_channels = name == "add" or _dimension(node) == 1
            return Kernel() if along_channels else None
        return None


def reach(network: nn.Module, multiple: int) -> int:
    """Pixels beyond which a change of the input changes no output of a local network.

    Args:
        network: its output has the size of its input.
        multiple: its total stride; pixels of a cell have different receptive fields.
    """
    graph = LocalGraph(network)
    output = graph.nodes[-1].all_input_nodes[0]
    if output not in graph.rules:
        raise ValueError(f"{type(network).__name__} depends on the whole image, not a part of it")
    length = multiple
    while True:  # a stretch so long that its borders do not cut the reach
        length *= 2
        middle = length // 2 // multiple * multiple
        lengths = graph.lengths(length)
        far = 0
        for pixel in range(middle, middle + multiple):
            change = graph.changes(Interval(pixel, pixel + 1), lengths)[output]
            if change.length:  # a stride may drop the pixel
                far = max(far, pixel - change.start, change.stop - 1 - pixel)
        if far + multiple < middle:
            return far


def receptive_field(graph: LocalGraph, node: fx.Node) -> int:
    """Pixels of the input, along an axis, that a pixel of a local node's output depends on.

    If pixels of an output differ, because layers enlarge, the largest number.
    """
    enlargements = sum(isinstance(rule, Enlargement) for rule in graph.rules.values())
    return max(_needed(graph, node, pixel).length for pixel in range(2**enlargements))


def _needed(graph: LocalGraph, node: fx.Node, pixel: int) -> Interval:
    """The part of an endless input that a pixel of a node's output is computed from."""
    needed = {node: Interval(pixel, pixel + 1)}
    for here in reversed(list(graph.rules)):
        if here not in needed:
            continue
        read = graph.rules[here].needed(needed[here])
        for source in here.all_input_nodes:
            known = needed.get(source, read)
            needed[source] = Interval(min(known.start, read.start), max(known.stop, read.stop))
    return needed[graph.image]


class _Tracer(fx.Tracer):
    """Tracer that also treats pointwise modules of this package as leaves."""

    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        return _pointwise(module) or super().is_leaf_module(module, name)


def _pointwise(module: nn.Module) -> bool:
    return isinstance(module, POINTWISE) or getattr(module, "pointwise", False)


def _rule_of(module: nn.Module) -> Rule | None:
    """Neighbourhood that a module reads; None if it is the whole image, or not known."""
    if _pointwise(module):
        return None if module.training else Kernel()
    if isinstance(module, nn.Upsample):
        doubled = module.scale_factor in (2, (2.0, 2.0)) and not module.align_corners
        margin = {"nearest": 0, "bilinear": 1}.get(module.mode)
        return Enlargement(margin) if doubled and margin is not None else None
    if isinstance(module, nn.Conv2d | nn.AvgPool2d | nn.MaxPool2d):
        return _kernel_of(module)
    return None


def _kernel_of(module: nn.Module) -> Kernel | None:
    sides = [_side(getattr(module, name)) for name in ("kernel_size", "stride", "padding")]
    dilation = _side(getattr(module, "dilation", 1))
    if None in sides or dilation != 1 or getattr(module, "ceil_mode", False):
        return None
    size, stride, padding = sides
    mode = {"zeros": "constant", "reflect": "reflect"}.get(getattr(module, "padding_mode", "zeros"))
    pooled_border = padding > 0 and not isinstance(module, nn.Conv2d)
    # a reflected pixel must be within the kernel's own reach, else distant pixels have an effect
    if mode is None or pooled_border or (mode == "reflect" and size < 2 * padding + 1):
        return None
    return Kernel(size, stride, padding, mode)


def _side(value) -> int | None:
    """The one number of a parameter of both axes; None if they differ."""
    if isinstance(value, int):
        return value
    numbers = set(value) if isinstance(value, tuple) else set()
    return numbers.pop() if len(numbers) == 1 else None


def _dimension(node: fx.Node) -> int | None:
    return node.kwargs.get("dim", node.args[1] if len(node.args) > 1 else 0)


def trace(network: nn.Module) -> LocalGraph | None:
    """The graph of a network; None if it cannot be traced, because its path depends on its data."""
    try:
        return LocalGraph(network)
    except (fx.proxy.TraceError, TypeError, RuntimeError, torch.jit.Error):
        return None
