"""All architectures of classifiers by name, of this package and of other installed packages.

Another package adds an architecture by an entry point of the group `wildlens.classifiers`.
"""

import functools
from collections.abc import Mapping
from types import MappingProxyType

from wildlens.errors import WildLensError
from wildlens.registry.entry_points import load_records
from wildlens.registry.record import ClassifierRecord

GROUP = "wildlens.classifiers"

BUILT_IN = (
    ClassifierRecord(
        name="unet",
        title="U-Net with full-size maps and a small head (the paper's form)",
        factory="wildlens.networks.classifier:UNetClassifier",
        settings=("width", "depth", "maps", "strides", "dropout", "pixel_occlusion"),
        wrapped=False,
        full_size_maps=True,
    ),
    ClassifierRecord(
        name="local",
        title="mean of local logits",
        factory="wildlens.networks.classifier:LocalClassifier",
        settings=("width",),
        wrapped=False,
        any_size=True,
        local_logits=True,
    ),
)


@functools.cache
def records() -> Mapping[str, ClassifierRecord]:
    """All architectures by name: this package's first, then others' by name."""
    taken = {record.name for record in BUILT_IN} | {"generator"}
    found = [*BUILT_IN, *load_records(GROUP, ClassifierRecord, taken)]
    return MappingProxyType({record.name: record for record in found})


def find(name: str) -> ClassifierRecord:
    """The record of an architecture.

    Raises:
        WildLensError: there is none of this name.
    """
    if name not in records():
        raise WildLensError(f"unknown architecture '{name}'; known are {', '.join(records())}")
    return records()[name]
