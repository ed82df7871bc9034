"""Warnings about an evaluation whose comparison is not meaningful."""

import pandas as pd

INVERTED = 0.5  # AUROC below which a map is lower on the target group than beside it
GENERATED = ("gan", "minimizer")  # methods by generators, whose sign training decides


def warnings_of(methods: pd.DataFrame) -> list[str]:
    """One line for each problem seen in methods.csv, with what to change."""
    inverted = methods[methods["method"].isin(GENERATED) & (methods["auroc"] < INVERTED)]
    return [
        f"{row.method} against {row.reference} is inverted (AUROC {row.auroc:.2f}): its map is "
        "lower on the target group than beside it; see in scores.csv whether X+ scores above X-, "
        "train longer (gan.steps) if not, and else ask whether evaluation.targets are what the "
        "classifier finds natural (classes.csv)"
        for row in inverted.itertuples()
    ]
