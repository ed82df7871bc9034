"""Partial forward passes: outputs for one image under many local changes.

The image passes the network once, and the output of every layer is kept. For a changed square each
layer recomputes only the part of its output that changes, and reads the surroundings from the kept
outputs. Occluder positions with the same alignment to strides and borders share a batch. The
results equal those of whole passes, within rounding.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, fx
from torch.nn import functional

from wildlens.networks.receptive_field import Enlargement, Interval, LocalGraph


@dataclass(frozen=True)
class Span:
    """Intervals along one axis of the input that a layer reads and the output that it computes.

    Attributes:
        read: part of the input, cut at its borders; pad: pixels that are missing there.
        crop: first pixel of `write` in the output of the layer for the padded `read`.
        write: the part of the output that changes; empty if nothing does.
    """

    read: Interval
    pad: tuple[int, int]
    crop: int
    write: Interval


Place = Mapping[fx.Node, Span]  # along one axis: a change, followed through all local layers


class PartialPass:
    """A network and one image that has passed it.

    Attributes:
        whole: the output for the unchanged image, (1, ...).
    """

    def __init__(self, graph: LocalGraph, image: Tensor):
        """Args: image: (C, H, W), as the network takes it."""
        self.graph = graph
        self.interpreter = fx.Interpreter(graph.module)
        values: dict[fx.Node, Tensor] = {}
        for node in graph.nodes:
            values[node] = self._compute(node, values) if node != graph.image else image[None]
        self.whole = values[graph.nodes[-1]]
        # channels last: a pixel is copied in one piece
        self.kept = {node: values[node][0].permute(1, 2, 0).contiguous() for node in graph.rules}

    def outputs(
        self, rows: Sequence[Interval], columns: Sequence[Interval], fill: Tensor, batch_size: int
    ) -> Tensor:
        """Outputs for the image with one square filled, for all pairs of rows and columns.

        Args:
            rows, columns: intervals of pixels inside the image.
            fill: (C, H, W), an image that is seen in the square.
            batch_size: squares computed at once.

        Returns:
            (len(rows), len(columns), ...).
        """
        height, width = self.kept[self.graph.image].shape[:2]
        row_groups, column_groups = self._groups(rows, height), self._groups(columns, width)
        found: dict[tuple[int, int], Tensor] = {}
        for row_group, column_group in itertools.product(row_groups, column_groups):
            step = max(1, batch_size // len(column_group))
            for first in range(0, len(row_group), step):
                part = row_group[first : first + step]
                places = [place for _, place in part], [place for _, place in column_group]
                pairs = itertools.product((r for r, _ in part), (c for c, _ in column_group))
                found.update(zip(pairs, self._batch(*places, fill), strict=True))
        lines = [[found[r, c] for c in range(len(columns))] for r in range(len(rows))]
        return torch.stack([torch.stack(line) for line in lines])

    def _groups(self, changes: Sequence[Interval], length: int) -> list[list[tuple[int, Place]]]:
        """Changes along an axis, numbered, in groups that differ by a shift only."""
        lengths = self.graph.lengths(length)
        groups: dict[tuple, list[tuple[int, Place]]] = {}
        for number, change in enumerate(changes):
            place = _place(self.graph, change, lengths)
            groups.setdefault(_form(place), []).append((number, place))
        return list(groups.values())

    def _batch(self, rows: list[Place], columns: list[Place], fill: Tensor) -> Tensor:
        """Outputs for all squares of rows x columns, each of one form: (squares, ...)."""
        parts: dict[fx.Node, Tensor | None] = {}  # changed parts of local nodes
        values: dict[fx.Node, Tensor] = {}  # whole values of other nodes and of their inputs
        for node in self.graph.nodes:
            if node in self.graph.rules:
                parts[node] = self._part(node, parts, rows, columns, fill)
                continue
            for other in node.all_input_nodes:
                if other not in values:
                    values[other] = self._pasted(other, parts[other], rows, columns)
            values[node] = self._compute(node, values)
        return values[self.graph.nodes[-1]]

    def _part(self, node, parts, rows, columns, fill) -> Tensor | None:
        """The changed part of a local node's output, (squares, C, h, w)."""
        row, column = rows[0][node], columns[0][node]
        if not (row.write.length and column.write.length):
            return None
        if node == self.graph.image:
            squares = [
                (slice(*r[node].write), slice(*c[node].write)) for r in rows for c in columns
            ]
            return torch.stack([fill[:, *square] for square in squares])
        inputs = {n: self._read(n, node, parts[n], rows, columns) for n in node.all_input_nodes}
        return self._layer(node, inputs, row, column)

    def _read(self, source, node, part: Tensor | None, rows, columns) -> Tensor:
        """Part of `source` that `node` reads: kept surroundings with the changed part inserted."""
        read = rows[0][node].read, columns[0][node].read
        if part is not None:
            cuts = [
                _common(place[source].write, r)
                for place, r in zip((rows[0], columns[0]), read, strict=True)
            ]
            (from_rows, to_rows), (from_columns, to_columns) = cuts
            part = part[:, :, from_rows, from_columns]
            if part.shape[2:] == (read[0].length, read[1].length):
                return part
        kept = self.kept[source]
        indices = [
            torch.tensor([place[node].read.start for place in places], device=kept.device)[:, None]
            + torch.arange(r.length, device=kept.device)
            for places, r in zip((rows, columns), read, strict=True)
        ]
        taken = kept[indices[0][:, None, :, None], indices[1][None, :, None, :]]
        taken = taken.flatten(0, 1).permute(0, 3, 1, 2)
        if part is not None:
            taken[:, :, to_rows, to_columns] = part
        return taken

    def _layer(self, node, inputs: dict[fx.Node, Tensor], row: Span, column: Span) -> Tensor:
        rule = self.graph.rules[node]
        if any((*row.pad, *column.pad)):
            pad = (*column.pad, *row.pad)
            inputs = {n: functional.pad(x, pad, rule.mode) for n, x in inputs.items()}
        if node.op == "call_module":
            module = self.graph.module.get_submodule(node.target)
            (taken,) = inputs.values()
            if isinstance(module, torch.nn.Conv2d):  # padded already
                result = functional.conv2d(
                    taken, module.weight, module.bias, module.stride, groups=module.groups
                )
            else:
                result = module(taken)
        else:
            result = self._compute(node, inputs)
        rows = slice(row.crop, row.crop + row.write.length)
        return result[:, :, rows, column.crop : column.crop + column.write.length]

    def _pasted(self, node, part: Tensor | None, rows, columns) -> Tensor:
        """The whole output of a local node for each square, (squares, C, H, W)."""
        whole = self.kept[node].permute(2, 0, 1).repeat(len(rows) * len(columns), 1, 1, 1)
        if part is not None:
            places = itertools.product(rows, columns)
            for copy, square, (row, column) in zip(whole, part, places, strict=True):
                copy[:, slice(*row[node].write), slice(*column[node].write)] = square
        return whole

    def _compute(self, node: fx.Node, values: Mapping[fx.Node, Tensor]) -> Tensor:
        """A node's output from the whole outputs of its inputs."""
        args, kwargs = (fx.node.map_arg(a, values.__getitem__) for a in (node.args, node.kwargs))
        return getattr(self.interpreter, node.op)(node.target, args, kwargs)


def _place(graph: LocalGraph, change: Interval, lengths: Mapping[fx.Node, int]) -> Place:
    changes = graph.changes(change, lengths)
    place = {}
    for node, rule in graph.rules.items():
        write = changes[node]
        if not write.length or not node.all_input_nodes:
            place[node] = Span(write, (0, 0), 0, write)
            continue
        needed, length = rule.needed(write), lengths[node.all_input_nodes[0]]
        pad = (max(0, -needed.start), max(0, needed.stop - length))
        # a kernel is wider than twice its padding, so that reflected pixels are inside `read`
        read = Interval(max(0, needed.start), min(length, needed.stop))
        if isinstance(rule, Enlargement):  # repeats the border itself
            place[node] = Span(read, (0, 0), write.start - 2 * read.start, write)
        else:
            place[node] = Span(read, pad, 0, write)
    return place


def _common(written: Interval, read: Interval) -> tuple[slice, slice]:
    """Intersection as slices of either interval; a stride may skip the last pixels."""
    start, stop = max(written.start, read.start), min(written.stop, read.stop)
    stop = max(start, stop)
    return tuple(slice(start - whole.start, stop - whole.start) for whole in (written, read))


def _form(place: Place) -> tuple:
    """Equal for positions that differ by a shift only."""
    form = []
    for node, span in place.items():
        inside = [
            (place[n].write.start - span.read.start, place[n].write.length)
            for n in node.all_input_nodes
            if place[n].write.length
        ]
        form.append((span.read.length, span.pad, span.crop, span.write.length, *inside))
    return tuple(form)
