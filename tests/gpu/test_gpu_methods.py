"""Tests that every attribution method gives its CPU map on a GPU, in float32 and in bfloat16.

The controls on random weights are the same code with other weights, and are not repeated.
"""

from functools import cache

import pytest
import torch
from benchmarks.in_memory import ModelsInMemory, training_set
from gpu_device import device, difference, needs_gpu

from wildlens.attribution.create import create, precision
from wildlens.networks.device import in_precision
from wildlens.registry import classifiers, methods
from wildlens.registry.record import RANDOMISED
from wildlens.settings import Attribution, Classifier, Gan

pytestmark = needs_gpu

SIDE, BANDS = 48, ["B04", "B08"]
SETTINGS = Attribution(
    baseline="mean", occlusion_stride=16, expected_tiles=2, expected_steps=4, gradient_steps=8,
    activation_tiles=4, activation_bins=4, batch_size=4,
)  # fmt: skip
CLASSIFIERS = {
    "local": Classifier(architecture="local", width=8),
    "unet": Classifier(architecture="unet", width=4, depth=2, strides=[2, 2, 2]),
}
GAN = Gan(width=4, blocks=2)
METHODS = [name for name in methods.records() if not name.endswith(RANDOMISED)]
CASES = [
    (name, kind)
    for name in METHODS
    for kind in CLASSIFIERS
    if methods.find(name).can_explain(classifiers.find(kind))
]
# largest relative difference (root mean square) from float32 on the CPU
BOUNDS = {"float32": 2e-3, "bfloat16": 0.15}
CELLS = 0.2  # activation occlusion: rounding moves single pixels to other cells of its histogram


@cache
def attributed(method: str, kind: str, where: torch.device, name: str) -> torch.Tensor:
    """The maps of four tiles by a method on a device."""
    settings = SETTINGS.model_copy(update={"precision": name})
    data = training_set(BANDS, SIDE, 8, stored=8)
    models = ModelsInMemory.of(CLASSIFIERS[kind], GAN, data, where)
    with in_precision(precision(method, settings), where):
        return models.inputs(4).attribute(create(method, models, settings)).float().cpu()


@pytest.mark.parametrize("name", BOUNDS)
@pytest.mark.parametrize(("method", "kind"), CASES)
def test_method_near_cpu(method, kind, name):
    found = attributed(method, kind, device(), name)
    exact = attributed(method, kind, torch.device("cpu"), "float32")
    assert exact.std() > 0 or method == "score"
    distance = difference(found, exact)
    print(f"{method} {kind} {name}: {distance:.1e}")
    assert distance <= (CELLS if method == "activation_occlusion" else BOUNDS[name])
