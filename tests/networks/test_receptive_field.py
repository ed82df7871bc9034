"""Tests of receptive fields against naive counts of pixels read and outputs changed."""

import numpy as np
import pytest
import torch
from torch import nn

from wildlens.networks.receptive_field import (
    Enlargement,
    Interval,
    Kernel,
    LocalGraph,
    reach,
    receptive_field,
)


def pixels(interval) -> set[int]:
    return set(range(*interval))


def test_interval_length_is_not_negative():
    assert [Interval(2, 5).length, Interval(3, 3).length, Interval(5, 2).length] == [3, 0, 0]


@pytest.mark.parametrize("seed", range(60))
def test_kernel_intervals_equal_naive_sliding_window(seed):
    random = np.random.default_rng(seed)
    size, stride = (int(n) for n in random.integers(1, 7, 2))
    padding = int(random.integers(0, size // 2 + 1))
    length = int(random.integers(size, size + 20))
    kernel = Kernel(size, stride, padding)
    convolution = nn.Conv1d(1, 1, size, stride, padding)
    outputs = convolution(torch.zeros(1, 1, length)).shape[-1]
    assert kernel.length(length) == outputs
    read = [set(range(i * stride - padding, i * stride - padding + size)) for i in range(outputs)]
    start, stop = sorted(int(n) for n in random.choice(length + 1, 2, replace=False))
    changed = {i for i in range(outputs) if read[i] & set(range(start, stop))}
    assert pixels(kernel.changed(Interval(start, stop), length)) == changed
    first, last = sorted(int(n) for n in random.integers(0, outputs, 2))
    needed = kernel.needed(Interval(first, last + 1))
    assert needed == (min(read[first]), max(read[last]) + 1)


@pytest.mark.parametrize("mode, margin", [("nearest", 0), ("linear", 1)])
@pytest.mark.parametrize("width", [1, 2, 3])
def test_upsampling_intervals_equal_torch(mode, margin, width):
    length, rule = 9, Enlargement(margin)
    weights = nn.Upsample(scale_factor=2, mode=mode)(torch.eye(length)[:, None])[:, 0] != 0
    assert rule.length(length) == weights.shape[1]
    for start in range(length - width + 1):
        changed = np.flatnonzero(weights[start : start + width].any(dim=0))
        assert pixels(rule.changed(Interval(start, start + width), length)) == set(changed)
    for start in range(2 * length - width + 1):
        read = np.flatnonzero(weights[:, start : start + width].any(dim=1))
        needed = pixels(rule.needed(Interval(start, start + width)))
        assert needed & set(range(length)) == set(read)
        assert needed - set(range(length)) <= {-1, length}


class Whole(nn.Module):
    """Identity that is not declared pointwise, and so counts as a whole-image layer."""

    def forward(self, images):
        return images


class Marked(Whole):
    pointwise = True


def enlarged(factor=2, **options) -> nn.Module:
    return nn.Upsample(scale_factor=factor, **options)


RULES = [
    (nn.Conv2d(1, 1, 3, 2, 1), Kernel(3, 2, 1)),
    (nn.Conv2d(1, 1, 1, 3), Kernel(1, 3, 0)),
    (nn.Conv2d(1, 1, 5, padding=2, padding_mode="reflect"), Kernel(5, 1, 2, "reflect")),
    (nn.Conv2d(1, 1, 4, padding=2, padding_mode="reflect"), None),
    (nn.Conv2d(1, 1, 4, padding=2), Kernel(4, 1, 2)),
    (nn.Conv2d(1, 1, 3, padding=1, padding_mode="circular"), None),
    (nn.Conv2d(1, 1, 3, padding=1, padding_mode="replicate"), None),
    (nn.Conv2d(1, 1, 3, padding="same"), None),
    (nn.Conv2d(1, 1, 3, dilation=2), None),
    (nn.Conv2d(1, 1, (3, 1)), None),
    (nn.Conv2d(1, 1, 3, stride=(1, 2)), None),
    (nn.Conv2d(1, 1, 3, padding=(1, 0)), None),
    (nn.MaxPool2d(3, 2), Kernel(3, 2, 0)),
    (nn.MaxPool2d(2), Kernel(2, 2, 0)),
    (nn.AvgPool2d((2, 2), (3, 3)), Kernel(2, 3, 0)),
    (nn.MaxPool2d(3, 2, padding=1), None),
    (nn.AvgPool2d(3, 2, padding=1), None),
    (nn.MaxPool2d(3, 2, ceil_mode=True), None),
    (nn.MaxPool2d(3, 2, dilation=2), None),
    (nn.AdaptiveAvgPool2d(4), None),
    (nn.ConvTranspose2d(1, 1, 2, 2), None),
    (nn.InstanceNorm2d(1), None),
    (nn.Linear(8, 8), None),
    (nn.Flatten(), None),
    (nn.Softmax(1), None),
    (enlarged(), Enlargement(0)),
    (enlarged((2.0, 2.0)), Enlargement(0)),
    (enlarged(mode="bilinear"), Enlargement(1)),
    (enlarged(mode="bilinear", align_corners=False), Enlargement(1)),
    (enlarged(mode="bilinear", align_corners=True), None),
    (enlarged(mode="bicubic"), None),
    (enlarged(3), None),
    (enlarged((2.0, 3.0)), None),
    (nn.Upsample(size=16), None),
    (Marked(), Kernel()),
    *((layer, Kernel()) for layer in (nn.BatchNorm2d(1), nn.ReLU(), nn.LeakyReLU(), nn.Tanh())),
    *((layer, Kernel()) for layer in (nn.Dropout(), nn.Dropout2d(), nn.Identity())),
]


@pytest.mark.parametrize("module, rule", RULES, ids=[str(module) for module, _ in RULES])
def test_rule_of_each_layer(module, rule):
    found = list(LocalGraph(nn.Sequential(module).eval()).rules.values())
    assert found == [Kernel()] if rule is None else found == [Kernel(), rule]


def test_pointwise_layers_in_training_mode_are_not_local():
    """In training mode, batch statistics and dropout depend on more than one pixel."""
    for module in (nn.BatchNorm2d(1), nn.Dropout(), Marked()):
        assert list(LocalGraph(nn.Sequential(module).train()).rules.values()) == [Kernel()]


class Function(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, images):
        return self.function(images)


@pytest.mark.parametrize(
    "function, local",
    [
        (lambda x: x + x, True),
        (lambda x: torch.add(x, x), True),
        (lambda x: x + 1, True),
        (lambda x: 1 + x, False),
        (lambda x: x * x, False),
        (lambda x: torch.cat([x, x], 1), True),
        (lambda x: torch.cat((x, x), dim=1), True),
        (lambda x: torch.cat(tensors=[x, x], dim=1), True),
        (lambda x: torch.cat([x, x]), False),
        (lambda x: torch.cumsum(x, 1), False),
        (lambda x: torch.cat([x, x], 2), False),
        (lambda x: torch.cat([x, x], dim=3), False),
        (lambda x: torch.mean(x), False),
        (lambda x: x.add(x), False),
    ],
)
def test_only_known_functions_are_local(function, local):
    assert len(LocalGraph(Function(function)).rules) == 1 + local


class Block(nn.Module):
    """Two branches of different reach, added, then smoothed, enlarged and smoothed again."""

    def __init__(self, one, other, *after):
        super().__init__()
        self.one, self.other, self.after = one, other, nn.Sequential(*after)

    def forward(self, images):
        return self.after(self.one(images) + self.other(images))


def layer(size, stride=1, padding=0) -> nn.Module:
    return nn.Conv2d(1, 1, size, stride, padding)


NETWORKS = {
    "one side": (lambda: nn.Sequential(layer(4, 2, 1), enlarged()), 2),
    "branches": (lambda: Block(layer(1, 2), layer(3, 2, 1), enlarged(mode="bilinear")), 2),
    "shifted": (lambda: Block(layer(2, 2), layer(4, 2, 1), layer(3, 1, 1), enlarged()), 2),
    "skipping": (lambda: nn.Sequential(layer(1, 2), layer(3, 1, 1), enlarged()), 2),
    "deep": (
        lambda: nn.Sequential(
            layer(4, 2, 1), layer(2, 2), enlarged(mode="bilinear"), enlarged(), layer(5, 1, 2)
        ),
        4,
    ),
    "plain": (lambda: nn.Sequential(layer(7, 1, 3), layer(3, 1, 1)), 1),
    "unlike sides": (lambda: Block(layer(5, 1, 2), layer(3, 1, 1), layer(3, 1, 1)), 1),
}


def dependence(network, length: int) -> np.ndarray:
    """Whether output row i depends on input row j, from gradients with positive weights."""
    for parameter in network.parameters():
        parameter.data = torch.rand(parameter.shape, dtype=torch.float64) + 0.5
    image = torch.rand(1, 1, length, length, dtype=torch.float64)
    rows = lambda x: network(x)[0, 0].sum(dim=1)  # noqa: E731
    found = torch.autograd.functional.jacobian(rows, image)
    return found[:, 0, 0].sum(dim=-1).numpy() != 0


@pytest.mark.parametrize("name", NETWORKS)
def test_reach_changes_and_fields_equal_gradients(name):
    torch.manual_seed(3)
    build, multiple = NETWORKS[name]
    network, length = build().eval(), 32
    depends = dependence(network, length)
    graph = LocalGraph(network)
    output, lengths = graph.last_local, graph.lengths(length)
    assert output is graph.nodes[-1].all_input_nodes[0]
    assert lengths[graph.image] == lengths[output] == length
    for start, stop in [(0, 1), (1, 2), (7, 8), (12, 17), (13, 20), (31, 32), (16, 16 + multiple)]:
        changed = graph.changes(Interval(start, stop), lengths)[output]
        naive = np.flatnonzero(depends[:, start:stop].any(axis=1))
        # an interval is the hull of the changed outputs
        assert changed == ((naive[0], naive[-1] + 1) if len(naive) else (0, 0))
    middle = range(12, 12 + 8)
    i, j = np.nonzero(depends[:, middle])
    assert reach(network, multiple) == np.abs(i - (j + 12)).max()
    fields = [np.flatnonzero(depends[i]) for i in middle]
    assert receptive_field(graph, output) == max(f[-1] - f[0] + 1 for f in fields)


def test_receptive_field_is_largest_over_pixels():
    # of four pixels that are enlarged from one, only the last is averaged with a neighbour's
    graph = LocalGraph(nn.Sequential(enlarged(), enlarged(), layer(2)).eval())
    assert receptive_field(graph, graph.last_local) == 2


def test_reach_of_pointwise_network_is_zero():
    assert reach(nn.Sequential(layer(1), nn.ReLU()).eval(), 1) == 0


def test_output_lengths_of_shrinking_network_equal_torch():
    network = nn.Sequential(layer(5, 3, 2), nn.MaxPool2d(3, 2), layer(2, 2, 1)).eval()
    graph = LocalGraph(network)
    for length in (41, 50, 63):
        sizes, image = [length], torch.zeros(1, 1, length, length)
        for module in network:
            image = module(image)
            sizes.append(image.shape[-1])
        assert list(graph.lengths(length).values()) == sizes


def test_layers_after_whole_image_layer_are_not_local():
    network = nn.Sequential(layer(3, 1, 1), nn.InstanceNorm2d(1), layer(3, 1, 1)).eval()
    graph = LocalGraph(network)
    assert list(graph.rules.values()) == [Kernel(), Kernel(3, 1, 1)]
    assert graph.last_local.target == "0"
    with pytest.raises(ValueError, match="Sequential depends on the whole image"):
        reach(network, 1)
