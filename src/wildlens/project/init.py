"""Make a project: a folder with a short configuration, and a Snakefile that runs the workflow."""

import itertools
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import yaml
from jinja2 import Environment, StrictUndefined

from wildlens.errors import WildLensError
from wildlens.files.atomic import write_text
from wildlens.files.model_metadata import check_pair
from wildlens.project import template
from wildlens.project.models import read_bands, read_classifier
from wildlens.registry import methods
from wildlens.settings import Attribution, validate
from wildlens.settings.inputs import OF_WORKFLOW

CONFIGURATION, SNAKEFILE = "config.yaml", "Snakefile"
CLASSIFIER, GENERATORS = "models/classifier.safetensors", "models/generators.safetensors"
THRESHOLDS = "evaluation/methods.csv"
SAFE_NAME = re.compile(
    r"S2[A-Z]_MSIL2A_(?P<day>\d{8})T\d{6}_N\d{4}_R\d{3}_(?P<tile>T\d\d[A-Z]{3})_"
)
ITEM = "item.json"  # of a product that was fetched, in a folder of its name
LONGEST = 60  # characters of a name
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
    products = [path.resolve() for path in products]
    training = template.TRAINING if results is None else ()
    text = _configuration(
        models=None if results is None else _models(results),
        training=training,
        products=list(zip(_names(products, training), products, strict=True)),
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
    plain = str(kept).isprintable()  # line breaks of Unicode are escaped
    text = yaml.safe_dump(kept, default_flow_style=True, allow_unicode=plain, width=10**6)
    return text.removesuffix("\n").removesuffix("\n...")


def _models(results: Path) -> dict:
    """Models of another run, and the settings that follow from them."""
    classifier, generators = results / CLASSIFIER, results / GENERATORS
    record, bands = read_classifier(classifier)
    has_generators = generators.is_file()
    if has_generators:
        read_bands(generators)
        check_pair(classifier, generators)
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


def _names(paths: Sequence[Path], others: Sequence[str]) -> list[str]:
    """A short name for each product; one that is taken, also in another case, gets a number."""
    names: list[str] = []
    for path in paths:
        short = _name(path)
        numbered = itertools.chain([short], (f"{short}-{n}" for n in itertools.count(2)))
        taken = {*OF_WORKFLOW, *others, *map(str.casefold, names)}
        names.append(next(name for name in numbered if name.casefold() not in taken))
    return names


def _name(path: Path) -> str:
    """A short name for a product: the tile of its grid and its day, or the name of the file.

    Letters lose their accents; of a STAC item that has been fetched, it is the folder's name.
    """
    if path.name == ITEM:
        path = path.parent
    if found := SAFE_NAME.match(path.name):
        return f"{found['tile']}_{found['day']}"
    letters = unicodedata.normalize("NFKD", path.name.split(".")[0]).encode("ascii", "ignore")
    return re.sub(r"[^\w-]+", "_", letters.decode()).strip("_-")[:LONGEST] or "scene"
