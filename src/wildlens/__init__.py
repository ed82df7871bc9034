"""WildLens: maps of the patterns that make protected nature look natural in satellite imagery."""

import importlib
from pathlib import Path

__version__ = "0.1.0"
__all__ = ["open_run"]


def open_run(folder: Path | str):
    """Open the results of a run; see `wildlens.run.run.Run`, which this returns.

    Args:
        folder: the folder `results`, a path or text.

    Raises:
        WildLensError: there is no such folder, or it has no results.
    """
    # by its name: `import wildlens` stays cheap, and digests of code do not follow this import
    return importlib.import_module("wildlens.run.run").open_run(folder)
