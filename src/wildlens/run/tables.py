"""The tables of a run, by name."""

from pathlib import Path

import pandas

from wildlens.errors import WildLensError, one_line
from wildlens.run.names import check_name


def list_tables(folder: Path) -> dict[str, Path]:
    """Name -> file of all tables of a folder of results.

    Those of the evaluation have the name of their file, such as `methods`; those of a training that
    of its folder, too, such as `classifier/accuracy`, and so have those of the confidence, such as
    `confidence/tiles`, and that of two dates: `{before}_{after}/areas`.
    """
    found = [*sorted(folder.glob("evaluation/*.csv")), *sorted(folder.glob("*.csv"))]
    patterns = ("metrics/*/*.csv", "confidence/*.csv", "compare/*/*.csv")
    inside = [path for pattern in patterns for path in sorted(folder.glob(pattern))]
    named = {f"{path.parent.name}/{path.stem}": path for path in inside}
    return {path.stem: path for path in found} | named


def read_table(folder: Path, name: str) -> pandas.DataFrame:
    """A table by its name.

    Raises:
        WildLensError: there is no such table, or it cannot be read.
    """
    tables = list_tables(folder)
    check_name(name, tables, str(folder), "table", "snakemake")
    try:
        return pandas.read_csv(tables[name])
    except (OSError, ValueError) as error:  # of a table without columns, too
        raise WildLensError(
            f"{tables[name]}: cannot be read as a table: {one_line(error)}"
        ) from None
