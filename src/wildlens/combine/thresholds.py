"""Threshold of high attribution of one member, by the rule of the evaluation."""

import math
from pathlib import Path

import xarray as xr

from wildlens.evaluate.metrics import choose_thresholds
from wildlens.evaluate.samples import attribution_reader, build_sample
from wildlens.evaluate.target_groups import TARGETS, TargetGroup
from wildlens.settings import Evaluation


def member_thresholds(store: xr.Dataset, tiles: Path, settings: Evaluation) -> dict[str, float]:
    """Reference -> threshold with the highest pooled IoU on the member's validation tiles.

    In the method's unit; infinity if none separates. References without pixels of the target group
    there, or with nothing else, are left out.

    Args:
        store: attributions of the member. tiles: the training set; settings: the target group.
    """
    sample = build_sample("val", tiles, {store.attrs["wildlens_method"]: store})
    read = attribution_reader(store, sample.names)
    groups = [
        TargetGroup(reference, TARGETS, settings.targets, math.nan)
        for reference in sample.references
    ]
    groups = [group for group in groups if 0 < group.pixels(sample)[1] < group.pixels(sample)[0]]
    found = choose_thresholds(groups, sample, read)
    return {group.reference: float(t) for group, t in zip(groups, found, strict=True)}
