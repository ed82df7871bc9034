"""Attribution by land-cover class on whole scenes: rows of classes.csv from maps."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from wildlens.errors import WildLensError
from wildlens.evaluate.class_attribution import ClassTotals, map_totals
from wildlens.evaluate.metrics import Comparison
from wildlens.evaluate.target_groups import TARGETS, group_title
from wildlens.files.raster import open_raster
from wildlens.progress import track
from wildlens.settings import Evaluation

log = logging.getLogger(__name__)


def scene_rows(
    maps: Sequence[Path],
    covers: Mapping[str, Mapping[str, Path]],
    comparisons: Sequence[Comparison],
    settings: Evaluation,
) -> list[dict]:
    """Rows of all mapped scenes that have land cover; the others are named in the log.

    Args:
        covers: reference -> scene -> land cover on the scene's grid.
    """
    thresholds = {
        (c.group.reference, c.method): c.threshold for c in comparisons if c.group.name == TARGETS
    }
    rows, seen, without = [], {}, set()
    for path in track(maps, "scenes", unit="map"):
        scene, method = scene_and_method(path)
        if (scene, method) in seen:
            raise WildLensError(
                f"{path}: a second map of scene '{scene}' by '{method}' "
                f"beside {seen[scene, method]}; give one"
            )
        seen[scene, method] = path
        if scene not in covers["corine"]:
            without.add(scene)
        if ("corine", method) not in thresholds:
            log.info("evaluate: %s: left out, no attributions of '%s' were given", path, method)
            continue
        for reference, cover_of in covers.items():
            if scene in cover_of and (reference, method) in thresholds:
                totals = map_totals(path, cover_of[scene], thresholds[reference, method])
                rows += class_rows(method, reference, scene, totals, settings)
    if without:
        log.info(
            "evaluate: scenes without land cover, left out of classes.csv: %s",
            ", ".join(sorted(without)),
        )
    return rows


def scene_and_method(path: Path) -> tuple[str, str]:
    """Scene and method of a map, from its tags."""
    with open_raster(path) as dataset:
        tags = dataset.tags()
    try:
        return tags["wildlens_scene"], tags["wildlens_method"]
    except KeyError as error:
        raise WildLensError(f"{path}: has no tag {error}; give a map of `wildlens map`") from None


def class_rows(
    method: str, reference: str, scene: str, totals: ClassTotals, settings: Evaluation
) -> list[dict]:
    """Rows of classes.csv for one method on one scene (or on the test tiles)."""
    head = {"method": method, "reference": reference, "scene": scene}
    return [head | row for row in totals.rows(settings.targets, group_title(settings.targets))]
