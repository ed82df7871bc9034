"""Tables of a result as CSV."""

from pathlib import Path

import pandas as pd

from wildlens.files.atomic import write_text


def write_frame(path: Path, table: pd.DataFrame) -> None:
    """Write a table without its index: six significant digits, missing numbers as empty cells."""
    write_text(path, table.to_csv(index=False, float_format="%.6g"))
