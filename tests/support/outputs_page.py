"""docs/outputs.md as data: the files and the columns that it documents."""

import re
from pathlib import Path

PAGE = (Path(__file__).parents[2] / "docs/outputs.md").read_text(encoding="utf-8")


def documented_files() -> set[str]:
    table = PAGE.partition("## Columns of the tables")[0]
    return set(re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE))


def documented_columns() -> dict[str, list[str]]:
    """Table -> its columns in the order of the page."""
    sections = re.split(r"^### `([^`]+)`$", PAGE.partition("## STAC catalogue")[0], flags=re.M)[1:]
    return {
        name: re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)
        for name, text in zip(sections[::2], sections[1::2], strict=True)
    }
