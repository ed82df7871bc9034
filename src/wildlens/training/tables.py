"""Training curves and rates as CSV, and warnings that stand beside them."""

import csv
import logging
from pathlib import Path

import torch
from torch import Tensor

from wildlens.atomic import atomic, write_text

log = logging.getLogger(__name__)


def write_table(path: Path, rows: list[dict]) -> None:
    """Write rows with equal keys; the keys are the header."""
    with atomic(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def write_warnings(path: Path, step: str, warnings: list[str]) -> None:
    """Log warnings about a result, and write them for the report, a line each; none: no line."""
    for warning in warnings:
        log.warning("%s: WARNING: %s", step, warning)
    write_text(path, "".join(f"{warning}\n" for warning in warnings))


def to_columns(rows: list[dict]) -> dict[str, Tensor]:
    """Rows of whole and of floating-point numbers as int64 and float64 tensors, one a column."""
    kinds = {int: torch.int64, float: torch.float64}
    names = rows[0] if rows else ()
    return {
        name: torch.tensor([row[name] for row in rows], dtype=kinds[type(rows[0][name])])
        for name in names
    }


def from_columns(columns: dict[str, Tensor]) -> list[dict]:
    """The rows that `to_columns` took."""
    lists = [column.tolist() for column in columns.values()]
    return [dict(zip(columns, values, strict=True)) for values in zip(*lists, strict=True)]
