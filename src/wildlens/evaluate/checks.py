"""Signs that an evaluation compares something that means nothing."""

import pandas as pd

INVERTED = 0.5  # AUROC below which a map is lower on the target group than beside it
GENERATED = ("gan", "minimizer")  # methods by generators, whose sign training decides


def doubts(methods: pd.DataFrame) -> list[str]:
    """What is doubtful in methods.csv, and what to change, in one line each."""
    inverted = methods[methods["method"].isin(GENERATED) & (methods["auroc"] < INVERTED)]
    return [
        f"{row.method} against {row.reference} is inverted (AUROC {row.auroc:.2f}): its map is "
        "lower on the target group than beside it; see in scores.csv whether X+ scores above X-, "
        "train longer (gan.steps) if not, and else ask whether evaluation.targets are what the "
        "classifier finds natural (classes.csv)"
        for row in inverted.itertuples()
    ]
