"""Warnings about an evaluation: a comparison that means little, or a map that is not sound."""

import pandas as pd

from wildlens.evaluate.tables import PAIRED_WITH
from wildlens.evaluate.texture import PEAK
from wildlens.legend import CORINE
from wildlens.registry import methods as registry

INVERTED = 0.5  # AUROC below which a map is lower on the target group than beside it
FEW_BLOCKS = 30  # with fewer, intervals rest on few independent samples
LOOK_ALIKES = (322, 324, 331)  # of the simulation: heath, clear-cut and sand occur in both classes
HIGHLIGHTED = 1.5  # multiple of the mean above which a look-alike class counts as highlighted
PERIODIC = 2 / 80  # share of tiles by which a map may exceed the images
MOVED = 0.5  # share of tiles below which a generator hardly moves the score
CLEARLY = 0.01  # difference of the IoU below which no method is called better


def warnings_of(
    methods: pd.DataFrame, classes: pd.DataFrame, scores: pd.DataFrame, texture: pd.DataFrame
) -> list[str]:
    """One line per problem in the tables of these names, with what to change."""
    return [
        *_few_blocks(methods),
        *_inverted(methods),
        *_no_evidence(methods),
        *_ahead(methods),
        *_look_alikes(classes),
        *_periodic(texture),
        *_idle(scores),
    ]


def _few_blocks(methods: pd.DataFrame) -> list[str]:
    blocks = int(methods["blocks"].min()) if len(methods) else FEW_BLOCKS
    if blocks >= FEW_BLOCKS:
        return []
    return [
        f"the test tiles lie in {blocks} spatial blocks, fewer than {FEW_BLOCKS}: intervals are "
        "wide and rest on few independent samples; use more land, or a larger share of it "
        "(tiles.test), or smaller blocks (tiles.block_km)"
    ]


def _inverted(methods: pd.DataFrame) -> list[str]:
    inverted = methods[
        methods["method"].isin(registry.names("paper")) & (methods["auroc"] < INVERTED)
    ]
    return [
        f"{row.method} against {row.reference} is inverted (AUROC {row.auroc:.2f}): its map is "
        "lower on the target group than beside it; see in scores.csv whether X+ scores above X-, "
        "train longer (gan.steps) if not, and else ask whether evaluation.targets are what the "
        "classifier finds natural (classes.csv)"
        for row in inverted.itertuples()
    ]


def _no_evidence(methods: pd.DataFrame) -> list[str]:
    empty = methods[(methods["note"] != "") & ~methods["method"].isin(registry.names("control"))]
    return [
        f"{row.method} against {row.reference}: {row.note}; its IoU is not a result: look at the "
        "map for a constant or saturated tile"
        for row in empty.itertuples()
    ]


def _ahead(methods: pd.DataFrame) -> list[str]:
    """Explanations (not controls) clearly above the paper's map in IoU, interval and all."""
    ahead = methods[
        (methods[f"iou_minus_{PAIRED_WITH}_low"] > 0)
        & (methods[f"iou_minus_{PAIRED_WITH}"] >= CLEARLY)
        & ~methods["method"].isin(registry.names("control"))
    ]
    return [
        f"{row.method} finds the target group better than {PAIRED_WITH} against {row.reference} "
        f"(IoU {row.iou:.2f}, higher by {row.iou_minus_gan:.2f}, 95 % interval "
        f"{row.iou_minus_gan_low:.2f} to {row.iou_minus_gan_high:.2f}): use its map, or train the "
        "generators longer (gan.steps)"
        for row in ahead.itertuples()
    ]


def _look_alikes(classes: pd.DataFrame) -> list[str]:
    """Covers of both classes that the paper's map highlights; known for simulated land only."""
    if classes.empty:
        return []
    codes = list(map(str, LOOK_ALIKES))
    highlighted = classes[
        (classes["method"] == PAIRED_WITH)
        & (classes["reference"] == "truth")
        & classes["class_code"].astype(str).isin(codes)
        & (classes["relative_attribution"] > HIGHLIGHTED)
    ]
    return [
        f"{PAIRED_WITH} gives {CORINE.of_code(int(row.class_code)).name} "
        f"{row.relative_attribution:.2f} times its mean attribution ({row.scene}), though this "
        "cover occurs in protected and in anthropogenic land alike: see classes.csv, and train "
        "classifier and generators with another seed to see whether it stays"
        for row in highlighted.itertuples()
    ]


def _periodic(texture: pd.DataFrame) -> list[str]:
    """Maps (not controls) with a periodic texture in clearly more tiles than the images."""
    by_method = texture.set_index("method")
    if "image" not in by_method.index:
        return []
    image = by_method.loc["image"]
    controls = registry.names("control")
    allowed = image["periodic_tiles"] / max(image["tiles"], 1) + PERIODIC
    return [
        f"{method}: {row['periodic_tiles']:.0f} of {row['tiles']:.0f} map tiles have a periodic "
        f"texture (autocorrelation peak above {PEAK}), of the images "
        f"{image['periodic_tiles']:.0f} of {image['tiles']:.0f}: the map shows stripes or a grid "
        f"of its own; look at it at full size{_smoother(method)}"
        for method, row in by_method.drop(index="image").iterrows()
        if method not in controls
        and row["tiles"]
        and row["periodic_tiles"] / row["tiles"] > allowed + 1e-9
    ]


def _smoother(method: str) -> str:
    """What makes the maps of a method less periodic: known of those of the generators."""
    record = registry.records().get(method)
    if record is None or "generators" not in record.needs:
        return ""
    return ", and train the generators with a larger total variation (gan.lambda_tv)"


def _idle(scores: pd.DataFrame) -> list[str]:
    """Generators that move the score of fewer than half of the tiles by the margin."""
    by_image = scores.set_index("image")
    first, moved = by_image.iloc[0], by_image["share_beyond_margin"]
    margin, tiles = first["order_margin"], first["tiles"]
    found = []
    if moved["X-"] < MOVED:
        found.append(
            f"the pattern-minimizer lowers the score of only {100 * moved['X-']:.0f} % of {tiles} "
            f"test tiles by {margin:g}: where it does not, the map shows little of the classifier; "
            "train longer (gan.steps) or raise gan.lambda_am"
        )
    if moved["X+"] < MOVED:
        found.append(
            f"the pattern-maximizer raises the score of only {100 * moved['X+']:.0f} % of {tiles} "
            f"test tiles by {margin:g} (mean score of X {first['mean_score']:.2f}): |X+ - X-| is "
            "then about |X - X-|"
        )
    return found
