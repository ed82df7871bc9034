"""Digest of a run: its results and where they are, main numbers, warnings, computing time."""

import csv
import json
import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from wildlens.errors import WildLensError, one_line
from wildlens.files.conditions import MARK
from wildlens.files.map_tags import origin_of_maps, tags_of
from wildlens.files.origin import WARNING_TAG, origin_of_models
from wildlens.progress import duration
from wildlens.registry import methods
from wildlens.settings import Compare, load_section
from wildlens.summary.run import Run, everything_in
from wildlens.warnings import NONE as NO_WARNING

log = logging.getLogger(__name__)

MODELS, FIGURES = "models/*.safetensors", "figures/*.png"
PROVENANCE = "evaluation/provenance.json"
WARNING = "WARNING: "  # marks warnings in the log lines of the steps
ONE_TRAINING = (
    "Intervals: other tiles, with these networks. Another training gives other maps: see"
    " docs/method-results.md for the spread between runs."
)
REFERENCES = {"corine": "CORINE land cover", "truth": "reference land cover of the simulation"}
# results to open, in the order in which they are best read
PLACES = (
    ("wildlens.qgz", "opens everything in QGIS, styled; the folder can be zipped and sent"),
    ("explore.html", "all maps side by side, to zoom into and to read values from (browser)"),
    ("summary.html", "the run as one page: figures, numbers, warnings, settings"),
    ("maps", "attribution maps on the scenes' own grids (COG, with styles)"),
    ("evaluation/methods.csv", "how well each method finds wetlands and bare land"),
    ("evaluation/classes.csv", "what each method highlights, class by class"),
    ("confidence/calibration.csv", "whether the classifier's scores can be read as probabilities"),
    ("confidence/filtered.csv", "whether maps are worse where the classifier is unsure"),
    ("area_statistics.csv", "score, attribution and land cover of each protected area"),
    ("compare", "change between two dates, and protected areas that change beyond the noise"),
    ("figures", "the figures"),
    ("models", "classifier and generators, to map other scenes with"),
    ("stac/catalog.json", "all of it as a STAC catalogue, for other programs"),
)
# step -> file of its warnings
SAVED = {
    "classifier": "metrics/classifier/warnings.txt",
    "gan": "metrics/gan/warnings.txt",
    "evaluate": "evaluation/warnings.txt",
    "confidence": "confidence/warnings.txt",
}
OF_MEMBER = re.compile(r"train_[a-z]+-(\d+)")  # log of a further member's training
MOST_NAMED = 5  # areas, on the console
Row = dict[str, str]


@dataclass(frozen=True)
class Summary:
    """Digest of a results folder; what does not exist yet is empty.

    Attributes:
        folder: the results; places: (path within it, description) of existing results.
        maps: scene -> methods.
        accuracy, methods, scores, areas: rows of metrics/classifier/accuracy.csv,
            evaluation/methods.csv, evaluation/scores.csv and area_statistics.csv, as text.
        figures: names of the figures in figures/.
        changes: rows of areas.csv of the two dates that are compared; comparison: their folder.
        warnings: one line each, with the step that logged it.
        seconds: step -> computing time of all its jobs, s.
        settings: section -> YAML text.
        origin: what the models were trained on, in words; empty without models.
        inputs: input file of the evaluation -> digest.
        conditions: step -> date, machine, threads and commit, as its log states them.
    """

    folder: Path
    places: list[tuple[str, str]] = field(default_factory=list)
    maps: dict[str, list[str]] = field(default_factory=dict)
    accuracy: list[Row] = field(default_factory=list)
    methods: list[Row] = field(default_factory=list)
    scores: list[Row] = field(default_factory=list)
    areas: list[Row] = field(default_factory=list)
    figures: list[str] = field(default_factory=list)
    changes: list[Row] = field(default_factory=list)
    comparison: str = ""
    warnings: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    origin: str = ""
    inputs: dict[str, str] = field(default_factory=dict)
    conditions: dict[str, str] = field(default_factory=dict)

    def best_rival(self, reference: str) -> Row | None:
        """The row of methods.csv with the highest IoU among rivals of the paper's method."""
        rows = [
            row for row in self.methods
            if row["reference"] == reference and row["iou"]
            and row["method"] not in methods.names("control", "paper")
        ]  # fmt: skip
        return max(rows, key=lambda row: float(row["iou"]), default=None)


def read_summary(folder: Path, run: Run | None = None) -> Summary:
    """Digest of a results folder.

    Args:
        run: what belongs to the run; None: all that the folder holds, which may include results,
            warnings and times of earlier configurations.

    Raises:
        WildLensError: the folder does not exist, or a table in it cannot be read.
    """
    if not folder.is_dir():
        raise WildLensError(f"{folder}: is no folder of results; run snakemake first")
    run = run or everything_in(folder)
    maps: dict[str, list[str]] = {}
    paths = []
    for scene, method in run.maps:
        path = folder / "maps" / scene / f"{method}.tif"
        if path.is_file():
            maps.setdefault(scene, []).append(method)
            paths.append(path)

    def rows(name: str) -> list[Row]:
        return _rows(folder / name) if run.has(name) else []

    comparison = _comparison(folder, run)
    warnings = [*_saved(folder, run), *_logged(folder / "logs", run.jobs)]
    warnings += [f"map: {warning}" for warning in tags_of(paths, WARNING_TAG)]
    return Summary(
        folder=folder,
        places=[
            (name, what) for name, what in PLACES if run.has(name) and (folder / name).exists()
        ],
        maps=maps,
        accuracy=rows("metrics/classifier/accuracy.csv"),
        methods=rows("evaluation/methods.csv"),
        scores=rows("evaluation/scores.csv"),
        areas=rows("area_statistics.csv"),
        figures=[path.name for path in _existing(folder, FIGURES, run)],
        changes=rows(f"{comparison}/areas.csv") if comparison else [],
        comparison=comparison,
        warnings=list(dict.fromkeys(warnings)),
        seconds=_seconds(folder / "benchmarks", run.jobs),
        settings=_settings(folder / "settings", run.settings),
        origin=origin_of_maps(paths) or origin_of_models(_existing(folder, MODELS, run)),
        inputs=_inputs(folder / PROVENANCE) if run.has(PROVENANCE) else {},
        conditions=dict(_conditions(folder / "logs", run.jobs)),
    )


def as_text(summary: Summary) -> str:
    """The digest as text for a console."""
    sections = [
        (f"Results in {summary.folder}/", _results(summary)),
        ("Models", [f"  {summary.origin}"] if summary.origin else []),
        ("Main numbers", _numbers(summary)),
        ("Warnings", [f"  ! {line}" for line in summary.warnings] or ["  none"]),
    ]
    if summary.seconds:
        longest = max(summary.seconds, key=summary.seconds.__getitem__)
        total = duration(sum(summary.seconds.values()))
        lines = [f"  {total} in all jobs; longest: {longest}, {_time(summary, longest)}"]
        sections.append(("Computing time", lines))
    return "\n".join(line for title, lines in sections if lines for line in (title, *lines))


def _results(summary: Summary) -> list[str]:
    width = max((len(name) for name, _ in summary.places), default=0)
    lines = [f"  {name:<{width}}  {what}" for name, what in summary.places]
    lines += [f"  maps of {scene}: {', '.join(methods)}" for scene, methods in summary.maps.items()]
    return lines or ["  none yet"]


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
            f" ({rows[0]['tiles']} tiles; marking every pixel: {rounded(rows[0]['target_share'])})"
        )
        for row in rows:
            iou, low, high, auroc = (
                rounded(row[name]) for name in ("iou", "iou_low", "iou_high", "auroc")
            )
            name = f"{_label(row['method']):<{width}}"
            notes = "".join(f"   {note}" for note in _notes(row))
            lines.append(f"    {name} {iou} [{low}, {high}]   AUROC {auroc}{notes}")
    if summary.methods:
        lines.append(f"  {ONE_TRAINING}")
    lines += _changes(summary.changes)
    return lines


def _changes(rows: list[Row]) -> list[str]:
    """Number and names of the areas whose first map, the score, changes beyond its noise."""
    rows = [row for row in rows if row["method"] == rows[0]["method"]]
    beyond = [row["name"] or row["site_id"] for row in rows if row["beyond_noise"] == "yes"]
    if not rows:
        return []
    first = rows[0]
    named = f": {', '.join(beyond[:MOST_NAMED])}" if beyond else ""
    more = ", ..." if len(beyond) > MOST_NAMED else ""
    return [
        f"  change of {first['method']} from {first['before']} to {first['after']}:"
        f" {len(beyond)} of {len(rows)} protected areas beyond the noise{named}{more}"
    ]


def _notes(row: Row) -> Iterator[str]:
    """What a reader must know of a row of methods.csv to read it rightly."""
    if row.get("note"):
        yield row["note"]
    record = methods.records().get(row["method"])
    if row["reference"] == "corine" and record is not None and "landcover" in record.needs:
        yield "made from this land cover"


def _label(method: str) -> str:
    return f"{method} (control)" if method in methods.names("control") else method


def rounded(text: str) -> str:
    """A number of a table with three decimals; `-` for an empty cell."""
    return f"{float(text):.3f}" if text else "-"


def _time(summary: Summary, step: str) -> str:
    return duration(summary.seconds[step])


def _rows(path: Path, delimiter: str = ",") -> list[Row]:
    if not path.is_file():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file, delimiter=delimiter))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise WildLensError(f"{path}: cannot be read: {one_line(error)}") from None


def _comparison(folder: Path, run: Run) -> str:
    """Folder of the change between two dates; empty if the run compares none."""
    settings = folder / "settings/compare.yaml"
    if "compare" not in run.settings or not settings.is_file():
        return ""
    compare = load_section(Compare, settings)
    return f"compare/{compare.before}_{compare.after}"


def _existing(folder: Path, pattern: str, run: Run) -> list[Path]:
    """The files of a pattern that are results of the run."""
    paths = sorted(folder.glob(pattern))
    return [path for path in paths if run.has(path.relative_to(folder).as_posix())]


def _inputs(path: Path) -> dict[str, str]:
    """Input file of the evaluation -> digest; empty without provenance."""
    try:
        return json.loads(json.loads(path.read_text(encoding="utf-8"))["wildlens_inputs"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _saved(folder: Path, run: Run) -> Iterator[str]:
    """Warnings of the steps that save them in a file."""
    for step, name in SAVED.items():
        path = folder / name
        shown = run.has(name) and path.is_file()
        for line in path.read_text(encoding="utf-8").splitlines() if shown else ():
            if line != NO_WARNING:
                yield f"{step}: {line}"


def _logged(logs: Path, jobs: Iterable[str]) -> Iterator[str]:
    """Warnings in the logs of some jobs; those of a further member's training name it."""
    for path in _files(logs, jobs, ".log"):
        found = OF_MEMBER.fullmatch(path.stem)
        member = f" (member {found[1]})" if found else ""
        text = path.read_text(encoding="utf-8", errors="replace")
        for line in text.splitlines():
            step, marked, message = line.partition(WARNING)
            if marked:
                yield f"{step}{message}{member}"


def _conditions(logs: Path, jobs: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Step and conditions of the trainings, from their logs; of several attempts, the last."""
    for path in _files(logs, jobs, ".log"):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            step, marked, text = line.partition(f": {MARK}")
            if marked:
                yield step, text


def _seconds(benchmarks: Path, jobs: Iterable[str]) -> dict[str, float]:
    """Step -> seconds of all its jobs, from Snakemake's benchmark files."""
    total: dict[str, float] = {}
    for path in _files(benchmarks, jobs, ".tsv"):
        step = path.relative_to(benchmarks).parts[0].removesuffix(".tsv")
        for row in _rows(path, delimiter="\t"):
            try:
                total[step] = total.get(step, 0.0) + float(row["s"])
            except (KeyError, TypeError, ValueError):
                raise WildLensError(f"{path}: is no benchmark file of Snakemake") from None
    return total


def _settings(folder: Path, sections: Iterable[str]) -> dict[str, str]:
    paths = _files(folder, sections, ".yaml")
    return {
        path.relative_to(folder).with_suffix("").as_posix(): path.read_text(encoding="utf-8")
        for path in paths
    }


def _files(folder: Path, names: Iterable[str], suffix: str) -> list[Path]:
    """The existing files of these names, without their suffix, in a folder."""
    paths = [folder / f"{name}{suffix}" for name in names]
    return [path for path in paths if path.is_file()]
