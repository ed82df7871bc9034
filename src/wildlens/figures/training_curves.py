"""Figure of both trainings: losses, accuracy and scores."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from wildlens.figures.style import (
    BLUE,
    GREEN,
    INK,
    MUTED,
    NORMAL,
    PURPLE,
    SMALL,
    VERMILLION,
    Sheet,
    plain_axes,
)

PANEL, TALL, LEFT, ACROSS, DOWN, HEAD = 2.6, 1.95, 0.7, 3.4, 3.05, 1.2  # inches
KEY = 17  # points between axes and title, for the legend, which would hide curves inside
SMOOTHING = 0.05  # share of the steps that the bold line averages over
DOTS = {"marker": "o", "markersize": 3, "linewidth": 1.4}

# panel: title, label and scale of the y axis, and (column, colour, label) of its curves
GENERATOR_PANELS = (
    (
        "(d) Generators: distance to the image", "L1 loss", "log",
        (
            ("similarity_max", VERMILLION, "similarity, X+"),
            ("similarity_min", BLUE, "similarity, X−"),
            ("cycle", MUTED, "cycle"),
        ),
    ),
    (
        "(e) Generators against discriminators", "Loss, sum over both", "linear",
        (
            ("adversarial", PURPLE, "adversarial, generators"),
            ("discriminator", GREEN, "discriminators"),
        ),
    ),
    (
        "(f) Classifier's score of the images", "Score (1 = natural)", "linear",
        (("score_max", VERMILLION, "X+"), ("score", INK, "X"), ("score_min", BLUE, "X−")),
    ),
)  # fmt: skip


def draw_training(classifier: pd.DataFrame, gan: pd.DataFrame, accuracy: pd.DataFrame) -> Sheet:
    """Losses, accuracy and scores of both trainings.

    Args:
        classifier: classifier/training.csv, one row per epoch.
        gan: gan/training.csv, one row per step.
        accuracy: classifier/accuracy.csv, one row per split.
    """
    sheet = Sheet(
        LEFT + 3 * ACROSS - 0.6,
        HEAD + 2 * DOWN - 0.3,
        "Training of the classifier (above) and of the generators (below)",
        "Classifier: the training loss has all terms, and is of mixed tiles; the validation loss is"
        " the cross entropy.\nGenerators: one point per batch; bold lines are running means.",
    )
    first, second, third, *below = (
        sheet.axes(LEFT + column * ACROSS, HEAD + line * DOWN, PANEL, TALL)
        for line in range(2)
        for column in range(3)
    )
    _draw_epochs(first, second, classifier)
    _draw_accuracy(third, accuracy)
    for axes, panel in zip(below, GENERATOR_PANELS, strict=True):
        _draw_steps(axes, gan, *panel)
    below[0].set_ylabel(f"L1 loss{_unit(gan)}", fontsize=SMALL)
    below[2].set_ylim(-0.02, 1.02)
    return sheet


def _draw_epochs(loss: Axes, rate: Axes, table: pd.DataFrame) -> None:
    plain_axes(loss, "(a) Classifier: loss", "Epoch", "Loss (nat)")
    loss.plot(table["epoch"], table["train_loss"], color=BLUE, label="training (CutMix)", **DOTS)
    loss.plot(table["epoch"], table["val_loss"], color=VERMILLION, label="validation", **DOTS)
    plain_axes(rate, "(b) Classifier: validation accuracy", "Epoch", "Accuracy")
    rate.plot(table["epoch"], table["val_accuracy"], color=VERMILLION, **DOTS)
    best = table["epoch"][table["val_loss"].idxmin()]
    for axes in (loss, rate):
        axes.axvline(best, color=MUTED, linewidth=0.9, linestyle=":", label="epoch kept")
        axes.xaxis.get_major_locator().set_params(integer=True)
        _add_key(axes)


def _draw_accuracy(axes: Axes, table: pd.DataFrame) -> None:
    """Metrics of the kept epoch by split, as dots."""
    plain_axes(axes, "(c) Classifier: final accuracy", "", "Share (dotted: chance)")
    where = np.arange(len(table))
    for column, marker, colour, label in (
        ("auroc", "s", GREEN, "AUROC"),
        ("accuracy", "o", BLUE, "accuracy"),
        ("fgsm_accuracy", "x", VERMILLION, "under FGSM"),
    ):
        axes.plot(where, table[column], marker, color=colour, markersize=6, label=label)
    axes.axhline(0.5, color=MUTED, linewidth=0.9, linestyle=":")
    names = {"train": "training", "val": "validation"}
    labels = [f"{names.get(r.split, r.split)}\n{r.tiles} tiles" for r in table.itertuples()]
    axes.set_xticks(where, labels)
    axes.set(xlim=(-0.5, len(table) - 0.5), ylim=(-0.02, 1.05))
    _add_key(axes)


def _draw_steps(axes: Axes, table: pd.DataFrame, title: str, unit: str, scale: str, curves) -> None:
    plain_axes(axes, title, "Step", unit)
    for column, colour, label in curves:
        if column in table:
            values = table[column].where(table[column] > 0) if scale == "log" else table[column]
            axes.plot(table["step"], values, color=colour, linewidth=0.4, alpha=0.35)
            axes.plot(table["step"], smooth(values), color=colour, linewidth=1.6, label=label)
    axes.set_yscale(scale)
    _add_key(axes)


def _unit(table: pd.DataFrame) -> str:
    """Unit of the L1 losses, in brackets; empty for a table of an earlier version."""
    units = {"standardised": " (sd of each band)", "reflectance": " (reflectance)"}
    return units.get(str(table["loss_unit"].iloc[0]), "") if "loss_unit" in table else ""


def smooth(values: pd.Series) -> pd.Series:
    """Centred running mean over a twentieth of the steps."""
    window = max(1, round(SMOOTHING * len(values)))
    return values.rolling(window, center=True, min_periods=1).mean()


def _add_key(axes: Axes) -> None:
    """A legend of one line between the title and the axes."""
    axes.set_title(axes.get_title(loc="left"), fontsize=NORMAL, loc="left", color=INK, pad=KEY)
    axes.legend(
        fontsize=SMALL, frameon=False, borderpad=0, borderaxespad=0.3, loc="lower left",
        bbox_to_anchor=(0, 1), ncols=4, handlelength=1.2, handletextpad=0.5, columnspacing=1.2,
    )  # fmt: skip
