"""Checks that each class has tiles, in all and in each split."""

import logging
from collections.abc import Sequence

import pandas

from wildlens.areas.criteria import tally
from wildlens.errors import WildLensError
from wildlens.settings import TWO_CLASSES, Tiles, classes_in_order, share_of
from wildlens.tiles.labels import ANTHROPOGENIC, PROTECTED
from wildlens.tiles.splits import DROPPED, SPLITS

log = logging.getLogger(__name__)

_ADVICE = (
    "change tiles.seed, lower tiles.block_km or tiles.distance_m, or raise tiles.validation or"
    " tiles.test"
)


def check_labels(tiles: pandas.DataFrame, settings: Tiles) -> None:
    """Refuse candidate tiles if one of the labels does not occur."""
    if not (tiles["label"] == PROTECTED).any():
        raise WildLensError(
            f"none of {len(tiles)} tiles is protected: at most {tiles['protected_share'].max():.3g}"
            f" of one lies in protected areas, tiles.protected_min_share asks for"
            f" {settings.protected_min_share:g} ({_reasons(tiles)})"
        )
    if not (tiles["label"] == ANTHROPOGENIC).any():
        free = tiles[tiles["protected_share"] <= settings.unprotected_max_share]
        raise WildLensError(
            f"none of {len(tiles)} tiles is anthropogenic: {len(free)} are unprotected"
            f" (tiles.unprotected_max_share {settings.unprotected_max_share:g}), at most"
            f" {free['anthropogenic_share'].max():.3g} of one is anthropogenic land cover,"
            f" tiles.anthropogenic_min_share asks for {settings.anthropogenic_min_share:g}"
            f" ({_reasons(tiles)})"
        )
    for label, (name, other) in enumerate(settings.other_classes.items(), start=2):
        if not (tiles["label"] == label).any():
            free = tiles[tiles["protected_share"] <= settings.unprotected_max_share]
            raise WildLensError(
                f"none of {len(tiles)} tiles is of the class '{name}': {len(free)} are unprotected,"
                f" at most {free[share_of(name)].max():.3g} of one is of its codes,"
                f" tiles.other_classes.{name}.min_share asks for {other.min_share:g}"
                f" ({_reasons(tiles)})"
            )


def check_splits(
    tiles: pandas.DataFrame, classes: Sequence[str] = TWO_CLASSES, advice: str = _ADVICE
) -> None:
    """Log how many tiles of each class each split has; refuse a split that lacks one."""
    columns = [*SPLITS, DROPPED]
    labels, names = zip(*classes_in_order(classes), strict=True)
    counts = pandas.DataFrame(
        {
            split: [((tiles["split"] == split) & (tiles["label"] == n)).sum() for n in labels]
            for split in columns
        },
        index=names,
    )
    for line in counts.to_string().splitlines():
        log.info("%s", line)
    for split in SPLITS:
        for name, count in counts[split].items():
            if count == 0:
                row = ", ".join(f"{s} {counts.at[name, s]}" for s in columns)
                raise WildLensError(
                    f"no {name} tile in the split '{split}' ({name}: {row}); {advice}"
                )


def _reasons(tiles: pandas.DataFrame) -> str:
    return tally(tiles["reason"].replace("", "labelled"))
