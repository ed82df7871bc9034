"""Where the workflow is: in the installed package, or beside `src` in the repository."""

from pathlib import Path

from wildlens.errors import WildLensError

PACKAGE = Path(__file__).parents[1]
# setup.py copies the workflow there
FOLDERS = (PACKAGE / "pipeline", PACKAGE.parents[1])


def snakefile() -> Path:
    """The workflow's Snakefile.

    Raises:
        WildLensError: this installation has none.
    """
    for folder in FOLDERS:
        if (folder / "Snakefile").is_file() and (folder / "workflow/rules").is_dir():
            return folder / "Snakefile"
    raise WildLensError(f"{PACKAGE}: has no workflow; install the package again")
