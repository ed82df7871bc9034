"""Tables that figures are drawn from: CSVs of the evaluation and of both trainings."""

import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import yaml

from wildlens.errors import WildLensError, one_line
from wildlens.settings import Evaluation, validate


@dataclass(frozen=True)
class Table:
    """A CSV in a folder, and the text and number columns that the figures need."""

    name: str
    texts: tuple[str, ...]
    numbers: tuple[str, ...]


SITE = ("site_id", "name", "category", "designation")  # together, they are unique

# fmt: off
METHODS = Table("methods.csv", ("method", "reference"), (
    "tiles", "blocks", "auroc", "average_precision", "iou", "iou_low", "iou_high", "iou_otsu",
    "target_share", "iou_minus_gan", "iou_minus_gan_low", "iou_minus_gan_high"))
TILES = Table("tiles.csv", ("method", "reference", "tile"), (
    "target_share", "average_precision"))
CLASSES = Table("classes.csv", ("method", "reference", "scene", "class_code", "class_name"), (
    "pixels", "relative_attribution"))
CLASSIFIER = Table("classifier/training.csv", (), (
    "epoch", "train_loss", "val_loss", "val_accuracy"))
ACCURACY = Table("classifier/accuracy.csv", ("split",), (
    "tiles", "accuracy", "auroc", "fgsm_accuracy"))
GAN = Table("gan/training.csv", (), (
    "step", "similarity_max", "similarity_min", "cycle", "adversarial", "discriminator",
    "score_max", "score_min"))
RELIABILITY = Table("reliability.csv", ("split", "scores"), (
    "bin_low", "bin_high", "tiles", "mean_score", "observed_share", "observed_share_low",
    "observed_share_high"))
CALIBRATION = Table("calibration.csv", ("split", "scores"), ("temperature", "ece"))
FILTERED = Table("filtered.csv", ("method", "reference", "measure"), (
    "share", "target_share", "auroc", "auroc_low", "auroc_high"))
AREAS = Table("area_statistics.csv", (*SITE, "zone"), (
    "covered_km2", "covered_share", "score_mean", "score_sd"))
# fmt: on


def read_table(folder: Path, table: Table, may_be_empty: bool = False) -> pd.DataFrame:
    """Read a table; one without a needed column or, unless it may be, without rows is refused."""
    path = folder / table.name
    try:
        frame = pd.read_csv(path, dtype=dict.fromkeys(table.texts, str))
    except (OSError, ValueError) as error:  # pandas' parser errors are ValueErrors
        raise WildLensError(f"{path}: cannot be read: {one_line(error)}") from None
    if problem := _flaw(frame, table, may_be_empty):
        raise WildLensError(f"{path}: {problem}; make it again with wildlens")
    return frame


def _flaw(frame: pd.DataFrame, table: Table, may_be_empty: bool) -> str | None:
    if lacking := [name for name in (*table.texts, *table.numbers) if name not in frame]:
        return f"lacks {', '.join(lacking)}"
    if frame.empty:
        return None if may_be_empty else "has no rows"
    wrong = [name for name in table.numbers if frame[name].dtype.kind not in "iuf"]
    return f"has no numbers in {', '.join(wrong)}" if wrong else None


def read_settings(evaluation: Path) -> Evaluation:
    """The settings of an evaluation, the target group among them."""
    path = evaluation / "provenance.json"
    try:
        text = json.loads(path.read_text(encoding="utf-8"))["wildlens_settings"]
        data = yaml.safe_load(text)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, yaml.YAMLError) as error:
        reason = one_line(error)
        raise WildLensError(
            f"{path}: lacks the settings of the evaluation ({reason}); run wildlens evaluate"
        ) from None
    return validate(data, Evaluation, str(path))
