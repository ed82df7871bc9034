"""What a run has made, where it lies, its main numbers, and what it was warned of."""

import csv
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from wildlens.errors import WildLensError, one_line
from wildlens.progress import duration
from wildlens.registry import methods

log = logging.getLogger(__name__)

WARNING = "WARNING: "  # how the steps' log lines mark what a reader of the results must know
REFERENCES = {"corine": "CORINE land cover", "truth": "exact land cover of the simulated region"}
# what people open, in the order in which they should
PLACES = (
    ("wildlens.qgz", "opens everything in QGIS, styled; the folder can be zipped and sent"),
    ("summary.html", "the run as one page: figures, numbers, warnings, settings"),
    ("maps", "attribution maps on the scenes' own grids (COG, with styles)"),
    ("evaluation/methods.csv", "how well each method finds wetlands and bare land"),
    ("evaluation/classes.csv", "what each method highlights, class by class"),
    ("figures", "the figures"),
    ("models", "classifier and generators, to map other scenes with"),
    ("stac/catalog.json", "all of it as a STAC catalogue, for other programs"),
)
Row = dict[str, str]


@dataclass(frozen=True)
class Summary:
    """A results folder in short; what is not made yet is empty.

    Attributes:
        folder: the results; places: (path within it, what it is) of what is there.
        maps: scene -> methods.
        accuracy, methods, scores: rows of metrics/classifier/accuracy.csv,
            evaluation/methods.csv and evaluation/scores.csv, as text.
        warnings: lines of the logs, each with the step that said it.
        seconds: step -> seconds of computing, all its jobs together.
    """

    folder: Path
    places: list[tuple[str, str]] = field(default_factory=list)
    maps: dict[str, list[str]] = field(default_factory=dict)
    accuracy: list[Row] = field(default_factory=list)
    methods: list[Row] = field(default_factory=list)
    scores: list[Row] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    def best_rival(self, reference: str) -> Row | None:
        """The row of methods.csv with the highest IoU that is neither the paper's nor a control."""
        rows = [
            row for row in self.methods
            if row["reference"] == reference and row["iou"]
            and row["method"] not in methods.names("control", "paper")
        ]  # fmt: skip
        return max(rows, key=lambda row: float(row["iou"]), default=None)


def read_summary(folder: Path) -> Summary:
    """Gather what a results folder holds.

    Raises:
        WildLensError: the folder does not exist, or a table in it cannot be read.
    """
    if not folder.is_dir():
        raise WildLensError(f"{folder}: is no folder of results; run snakemake first")
    maps: dict[str, list[str]] = {}
    for path in sorted(folder.glob("maps/*/*.tif")):
        maps.setdefault(path.parent.name, []).append(path.stem)
    return Summary(
        folder=folder,
        places=[(name, what) for name, what in PLACES if (folder / name).exists()],
        maps=maps,
        accuracy=_rows(folder / "metrics/classifier/accuracy.csv"),
        methods=_rows(folder / "evaluation/methods.csv"),
        scores=_rows(folder / "evaluation/scores.csv"),
        warnings=list(dict.fromkeys(_warnings(folder / "logs"))),
        seconds=_seconds(folder / "benchmarks"),
    )


def as_text(summary: Summary) -> str:
    """The summary as lines for a console."""
    sections = [
        (f"Made in {summary.folder}/", _made(summary)),
        ("Main numbers", _numbers(summary)),
        ("Warnings", [f"  ! {line}" for line in summary.warnings] or ["  none"]),
    ]
    if summary.seconds:
        longest = max(summary.seconds, key=summary.seconds.__getitem__)
        total = duration(sum(summary.seconds.values()))
        lines = [f"  {total} in all jobs; longest: {longest}, {_time(summary, longest)}"]
        sections.append(("Computing time", lines))
    return "\n".join(line for title, lines in sections if lines for line in (title, *lines))


def _made(summary: Summary) -> list[str]:
    width = max((len(name) for name, _ in summary.places), default=0)
    lines = [f"  {name:<{width}}  {what}" for name, what in summary.places]
    lines += [f"  maps of {scene}: {', '.join(methods)}" for scene, methods in summary.maps.items()]
    return lines or ["  nothing yet"]


def _numbers(summary: Summary) -> list[str]:
    lines = [
        f"  classifier, {row['tiles']} test tiles: accuracy {rounded(row['accuracy'])},"
        f" AUROC {rounded(row['auroc'])}, accuracy under FGSM {rounded(row['fgsm_accuracy'])}"
        for row in summary.accuracy
        if row["split"] == "test"
    ]
    images = {row["image"]: row for row in summary.scores if row["split"] == "test"}
    if images:
        means = ", ".join(f"{name} {rounded(row['mean_score'])}" for name, row in images.items())
        lines.append(f"  generators, mean score of test tiles: {means}")
    width = max((len(_label(row["method"])) for row in summary.methods), default=0)
    for reference in dict.fromkeys(row["reference"] for row in summary.methods):
        rows = [row for row in summary.methods if row["reference"] == reference]
        lines.append(
            f"  IoU with the target group, {REFERENCES.get(reference, reference)}"
            f" ({rows[0]['tiles']} tiles; taking every pixel: {rounded(rows[0]['target_share'])})"
        )
        for row in rows:
            iou, low, high, auroc = (
                rounded(row[name]) for name in ("iou", "iou_low", "iou_high", "auroc")
            )
            name = f"{_label(row['method']):<{width}}"
            lines.append(f"    {name} {iou} [{low}, {high}]   AUROC {auroc}")
    return lines


def _label(method: str) -> str:
    return f"{method} (control)" if method in methods.names("control") else method


def rounded(text: str) -> str:
    """A number of a table with three decimals; `-` where there is none."""
    return f"{float(text):.3f}" if text else "-"


def _time(summary: Summary, step: str) -> str:
    return duration(summary.seconds[step])


def _rows(path: Path) -> list[Row]:
    if not path.is_file():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise WildLensError(f"{path}: cannot be read: {one_line(error)}") from None


def _warnings(logs: Path) -> Iterator[str]:
    for path in sorted(logs.rglob("*.log")):
        text = path.read_text(encoding="utf-8", errors="replace")
        for line in text.splitlines():
            step, marked, message = line.partition(WARNING)
            if marked:
                yield f"{step}{message}"


def _seconds(benchmarks: Path) -> dict[str, float]:
    """Seconds of each step, from Snakemake's benchmark files; several jobs of a step are added."""
    total: dict[str, float] = {}
    for path in sorted(benchmarks.rglob("*.tsv")):
        step = path.relative_to(benchmarks).parts[0].removesuffix(".tsv")
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file, delimiter="\t"):
                total[step] = total.get(step, 0.0) + float(row["s"])
    return total
