"""The run as one self-contained HTML page: figures, main numbers, warnings, settings."""

import base64
import io
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from docutils.core import publish_parts
from docutils.utils import SystemMessage
from jinja2 import Environment
from PIL import Image

from wildlens import __version__
from wildlens.errors import WildLensError, one_line
from wildlens.files.atomic import write_text
from wildlens.files.conditions import conditions
from wildlens.progress import duration
from wildlens.summary.areas import site_rows
from wildlens.summary.changes import change_rows
from wildlens.summary.digest import REFERENCES, Summary, read_summary, rounded
from wildlens.summary.run import Run
from wildlens.summary.template import TEMPLATE

log = logging.getLogger(__name__)

# section -> its figures and tables in order; captions have the same names
STORY = (
    ("The data", ("tiles.png",)),
    ("The classifier", ("training.png", "accuracy.csv", "reliability.png", "scores.csv")),
    ("The explanation", ("examples.png", "overlays.png", "map.png")),
    ("How good it is", ("methods.png", "methods.csv", "filtered.png")),
    ("What it highlights", ("classes.png",)),
    ("Protected areas", ("areas.png", "areas.csv")),
    ("Change between two dates", ("changes.csv",)),
)
# Snakemake's report embeds a page as a data URI, which browsers limit to 2 MB
MOST_BYTES = 1_500_000
WIDTH = 1100  # of figures, pixels
TABLES = {"accuracy.csv": "accuracy", "scores.csv": "scores", "methods.csv": "methods_table",
          "areas.csv": "area_statistics", "changes.csv": "compare"}  # fmt: skip
# columns of wide tables that fit on the page; an interval follows its value
COLUMNS = {
    "scores.csv": ("split", "image", "mean_score", "share_in_order", "l1_reflectance",
                   "change_kept_rounded", "change_kept_blur"),
    "methods.csv": ("method", "reference", "auroc", "average_precision", "iou", "iou_otsu",
                    "target_share", "iou_ceiling", "iou_minus_gan"),
}  # fmt: skip
PLACES = {
    "accuracy.csv": "metrics/classifier",
    "scores.csv": "evaluation",
    "methods.csv": "evaluation",
}
_INTERVAL = re.compile(r"(\S+) (\(\S+ to \S+\))")  # as `_with_interval` writes it
AREAS = "areas.csv"  # made of area_statistics.csv, site by site
CHANGES = "changes.csv"  # made of areas.csv of the two dates


@dataclass(frozen=True)
class Item:
    """A figure (data URI) or a table (rows as text), with its caption as HTML.

    `file` is where it lies, from the page's folder; `cut` whether a table has more columns there.
    """

    name: str
    caption: str
    picture: str = ""
    rows: tuple[dict[str, str], ...] = ()
    file: str = ""
    cut: bool = False


def write_page(folder: Path, captions: Path | None, output: Path, run: Run | None = None) -> None:
    """Write the page of a results folder.

    Args:
        folder: the results; captions: folder of one `.rst` per figure and table; None for none.
        run: what belongs to the run, see `read_summary`.
    """
    summary = read_summary(folder, run)
    sections = [
        (title, [item for name in names if (item := _item(name, summary, captions)) is not None])
        for title, names in STORY
    ]
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"duration": duration, "parts": _parts, "rounded": rounded}
    text = environment.from_string(TEMPLATE).render(
        summary=summary,
        version=__version__,
        sections=[(title, items) for title, items in sections if items],
        references=REFERENCES,
        now=conditions(),
    )
    write_text(output, text)
    if len(text.encode()) > MOST_BYTES:
        log.info(
            "summary: too large for Snakemake's report, which may show it empty: open %s", output
        )
    log.info("summary: %d warnings -> %s", len(summary.warnings), output)


def _item(name: str, summary: Summary, captions: Path | None) -> Item | None:
    """One figure or table; None if the run has none."""
    if name in TABLES:
        rows = getattr(summary, name.removesuffix(".csv"))
        if not rows:
            return None
        if name == AREAS:
            caption = _caption(captions, TABLES[name])
            rows = tuple(site_rows(rows))
            return Item(name, caption, rows=rows, file="area_statistics.csv", cut=True)
        if name == CHANGES:
            file = f"{summary.comparison}/areas.csv"
            caption = _caption(captions, TABLES[name])
            return Item(name, caption, rows=tuple(change_rows(rows)), file=file, cut=True)
        shown = tuple(_short(row, COLUMNS.get(name, tuple(row))) for row in rows)
        cut = len(shown[0]) < len(rows[0])
        caption = _caption(captions, TABLES[name])
        return Item(name, caption, rows=shown, file=f"{PLACES[name]}/{name}", cut=cut)
    if name not in summary.figures:
        return None
    path = summary.folder / "figures" / name
    return Item(name, _caption(captions, path.stem), _picture(path), file=f"figures/{name}")


def _picture(path: Path) -> str:
    """A figure as data URI, as wide as the page, compressed."""
    try:
        with Image.open(path, formats=["PNG"]) as image:
            image.thumbnail((WIDTH, WIDTH * 4))
            buffer = io.BytesIO()
            image.convert("RGB").save(buffer, "WEBP", quality=80, method=6)
    except (OSError, ValueError) as error:
        raise WildLensError(f"{path}: is no figure: {one_line(error)}") from None
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _caption(folder: Path | None, name: str) -> str:
    """A caption as HTML; its reStructuredText can neither include files nor raw HTML."""
    path = None if folder is None else folder / f"{name}.rst"
    if path is None or not path.is_file():
        return ""
    safe = {
        "file_insertion_enabled": False,
        "raw_enabled": False,
        "report_level": 3,
        "halt_level": 3,
        "warning_stream": False,
    }
    try:
        parts = publish_parts(
            path.read_text(encoding="utf-8"), writer="html5", settings_overrides=safe
        )
    except (SystemMessage, OSError, UnicodeDecodeError) as error:
        raise WildLensError(f"{path}: is no caption: {one_line(error)}") from None
    return parts["body"]


def _short(row: dict[str, str], columns: Sequence[str]) -> dict[str, str]:
    """Those of the named columns that a row has, with their intervals."""
    return {name: _with_interval(row, name) for name in columns if name in row}


def _with_interval(row: dict[str, str], name: str) -> str:
    low, high = row.get(f"{name}_low"), row.get(f"{name}_high")
    if not (row[name] and low and high):
        return row[name]
    return f"{rounded(row[name])} ({rounded(low)} to {rounded(high)})".replace("-", "−")


def _parts(value: str) -> list[str]:
    """A table's value, or a number and its interval, between which a line may be broken."""
    match = _INTERVAL.fullmatch(value or "")
    return list(match.groups()) if match else [_shown(value)]


def _shown(value: str) -> str:
    """A table's value: numbers with four significant digits, text unchanged."""
    try:
        return f"{float(value):.4g}"
    except (TypeError, ValueError):
        return "–" if value in (None, "") else value
