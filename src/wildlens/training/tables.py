"""Training curves and rates as CSV."""

import csv
from pathlib import Path

from wildlens.atomic import atomic


def write_table(path: Path, rows: list[dict]) -> None:
    """Write rows with equal keys; the keys are the header."""
    with atomic(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
