"""Attribution by land-cover class on whole scenes: rows of classes.csv from maps."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from wildlens.evaluate.class_attribution import ClassTotals, map_totals
from wildlens.evaluate.comparison import Comparison
from wildlens.evaluate.metrics import target_thresholds
from wildlens.evaluate.target_groups import group_title
from wildlens.progress import track
from wildlens.settings import Evaluation

log = logging.getLogger(__name__)


def scene_rows(
    maps: Mapping[str, Mapping[str, Path]],
    covers: Mapping[str, Mapping[str, Path]],
    comparisons: Sequence[Comparison],
    settings: Evaluation,
) -> list[dict]:
    """Rows of all mapped scenes that have land cover; the others are named in the log.

    Args:
        maps: scene -> method -> map. covers: reference -> scene -> land cover on the scene's grid.
    """
    thresholds = target_thresholds(comparisons)
    listed = [(scene, *one) for scene, of_scene in maps.items() for one in of_scene.items()]
    rows = []
    for scene, method, path in track(listed, "scenes", unit="map"):
        if ("corine", method) not in thresholds:
            log.info("evaluate: %s: left out, no attributions of '%s' were given", path, method)
        for reference, cover_of in covers.items():
            if scene in cover_of and (reference, method) in thresholds:
                totals = map_totals(path, cover_of[scene], thresholds[reference, method])
                rows += class_rows(method, reference, scene, totals, settings)
    without = sorted(maps.keys() - covers["corine"].keys())
    if without:
        log.info(
            "evaluate: scenes without land cover, left out of classes.csv: %s", ", ".join(without)
        )
    return rows


def class_rows(
    method: str, reference: str, scene: str, totals: ClassTotals, settings: Evaluation
) -> list[dict]:
    """Rows of classes.csv for one method on one scene (or on the test tiles)."""
    head = {"method": method, "reference": reference, "scene": scene}
    return [head | row for row in totals.rows(settings.targets, group_title(settings.targets))]
