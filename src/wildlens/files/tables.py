"""Training curves and rates as CSV."""

import csv
import math
from pathlib import Path

import torch
from torch import Tensor

from wildlens.files.atomic import atomic


def write_table(path: Path, rows: list[dict]) -> None:
    """Write rows with equal keys; the keys are the header, undefined numbers are empty cells."""
    with atomic(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)


def _cell(value):
    return "" if isinstance(value, float) and not math.isfinite(value) else value


def to_columns(rows: list[dict]) -> dict[str, Tensor]:
    """Rows of whole and of floating-point numbers as int64 and float64 tensors, one per column."""
    kinds = {int: torch.int64, float: torch.float64}
    names = rows[0] if rows else ()
    return {
        name: torch.tensor([row[name] for row in rows], dtype=kinds[type(rows[0][name])])
        for name in names
    }


def from_columns(columns: dict[str, Tensor]) -> list[dict]:
    """The rows from which `to_columns` made the tensors."""
    lists = [column.tolist() for column in columns.values()]
    return [dict(zip(columns, values, strict=True)) for values in zip(*lists, strict=True)]
