"""Recognises the folder of an earlier comparison, which a new one replaces as a whole."""

import re
from contextlib import suppress
from pathlib import Path

from wildlens.files.map_tags import CHANGE_OF, tags_of

TABLE = "areas.csv"
COLUMN = b"change_mean"  # of the table, to distinguish it from other files of that name
STYLES = (".qml", ".qmd")  # replace .tif
# of a GIS and of `provenance.remember`; and a style that a killed process did not finish
SIDECAR = re.compile(r".+\.tif(\.aux\.xml|\.ovr|\.digest(\.\d+)?)|\..+\.part\.qml")


def is_comparison(folder: Path) -> bool:
    """Whether a folder holds the table of a comparison, or nothing but maps of a change."""
    with suppress(FileNotFoundError), (folder / TABLE).open("rb") as file:
        return COLUMN in file.readline()
    return all(_is_change(path) or _belongs_to_map(path) for path in folder.iterdir())


def _is_change(path: Path) -> bool:
    return path.suffix == ".tif" and bool(tags_of([path], CHANGE_OF))


def _belongs_to_map(path: Path) -> bool:
    of_map = path.suffix in STYLES and path.with_suffix(".tif").is_file()
    return of_map or SIDECAR.fullmatch(path.name) is not None
