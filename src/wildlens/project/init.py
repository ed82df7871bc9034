"""Make a project: a folder with a short configuration, and a Snakefile that runs the workflow."""

from collections.abc import Sequence
from pathlib import Path

import yaml
from jinja2 import Environment, StrictUndefined

from wildlens.errors import WildLensError
from wildlens.files.atomic import write_text
from wildlens.project import template
from wildlens.project.models import read_bands, read_classifier
from wildlens.registry import methods
from wildlens.settings import Attribution, validate

CONFIGURATION, SNAKEFILE = "config.yaml", "Snakefile"
CLASSIFIER, GENERATORS = "models/classifier.safetensors", "models/generators.safetensors"
THRESHOLDS = "evaluation/methods.csv"
SLOW = ("occlusion",)  # takes several times as long as all other methods together


def init(
    folder: Path,
    results: Path | None = None,
    products: Sequence[Path] = (),
    landcover: Path | None = None,
    areas: Path | None = None,
) -> int:
    """Write `config.yaml` and `Snakefile` into a folder, which is made if it does not exist.

    Args:
        results: results of another run, whose models map the scenes; None: the project trains.
        products: that are mapped. landcover, areas: inputs; each that is not given becomes a
            comment to fill in.

    Returns:
        Number of lines of `config.yaml` that are still to be filled in.

    Raises:
        WildLensError: the folder is a project already, or `results` holds no classifier.
    """
    for name in (CONFIGURATION, SNAKEFILE):
        if (folder / name).exists():
            raise WildLensError(
                f"{folder / name}: exists; choose another folder, or edit that file"
            )
    text = _configuration(
        models=None if results is None else _models(results),
        products=[(_name(path), path.resolve()) for path in products],
        landcover=landcover and landcover.resolve(),
        areas=areas and areas.resolve(),
    )
    validate(yaml.safe_load(text), source=str(folder / CONFIGURATION))
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / SNAKEFILE, template.SNAKEFILE)
    write_text(folder / CONFIGURATION, text)
    lines = (line.lstrip() for line in text.splitlines())
    return sum(template.TO_FILL in line for line in lines if not line.startswith("#"))


def _configuration(**values) -> str:
    environment = Environment(
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701  (YAML, whose values `quoted` writes)
    )
    environment.filters["quoted"] = quoted
    return environment.from_string(template.CONFIGURATION).render(values)


def quoted(value: object) -> str:
    """A value as one line of YAML."""
    kept = value if isinstance(value, list) else str(value)
    text = yaml.safe_dump(kept, default_flow_style=True, allow_unicode=True, width=10**6)
    return text.removesuffix("\n").removesuffix("\n...")


def _models(results: Path) -> dict:
    """Models of another run, and the settings that follow from them."""
    classifier, generators = results / CLASSIFIER, results / GENERATORS
    record, bands = read_classifier(classifier)
    has_generators = generators.is_file()
    if has_generators:
        read_bands(generators)
    thresholds = results / THRESHOLDS
    return {
        "classifier": classifier.resolve(),
        "generators": generators.resolve() if has_generators else None,
        "thresholds": thresholds.resolve() if thresholds.is_file() else None,
        "bands": bands,
        "methods": [
            name
            for name in Attribution().methods
            if name not in SLOW
            and (has_generators or "generators" not in methods.find(name).needs)
            and methods.find(name).can_explain(record)
        ],
    }


def _name(path: Path) -> str:
    """A short name for a product: the tile of its grid and its day, or the file's name."""
    parts = path.name.split("_")
    if len(parts) >= 6 and parts[0].startswith("S2"):
        return f"{parts[5]}_{parts[2][:8]}"
    stem = path.name.split(".")[0]
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "_" for c in stem)
