"""All methods on real land with exact masks: what they find, and what the generators do.

    python -m benchmarks.real_land FOLDER --work WORK

FOLDER holds scenes with masks (s2-amazon-forest); folders beside it, s2-europe-forest-fields and
eurosat100-ms, give the mosaics of the grid pointing game, if they are there. Trains networks of
each form and seed in WORK, which is resumed; writes to docs/results/real_land:

runs.csv        one row per form, set, seed, generators and method, with intervals over scenes
methods.csv     the same over the seeds: mean, lowest, highest
generators.csv  mean scores of X, X+ and X-, in training and at inference
classifiers.csv accuracy and presence of the classifiers
origin.csv      commit, machine, command and seconds of each run
tiles.csv       number of tiles and scenes of each set

Form `unet` has the settings of config.yaml, `local` those of workflow/configs/local.yaml laid over
it; generators `mixed` see forest beside cleared land (GENERATORS). Thresholds are those of the
validation scenes.
"""

import argparse
import itertools
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import torch

if __package__ in (None, ""):  # started as a file: its folder must not hide other modules
    sys.path[0] = str(Path(__file__).parents[1])

from benchmarks import real_land_tables as tables
from benchmarks import real_land_tiles as land
from wildlens import settings
from wildlens.attribute.step import attribute_tiles
from wildlens.doctor.step import read_configuration
from wildlens.files.tables import write_table
from wildlens.registry import methods as registry
from wildlens.train_classifier.step import train as train_classifier
from wildlens.train_gan.step import train as train_generators

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "results" / "real_land"
CONFIG = ROOT / "config.yaml"
FORMS = {"unet": (CONFIG,), "local": (CONFIG, ROOT / "workflow/configs/local.yaml")}
OF_GENERATORS = registry.names("paper", built_in=True)
CONTROLS = ("brightness", "random")
# mixed: chosen on the validation scenes of seed 0; its lambda_am is that with which the
# default's second training is not idle
GENERATORS = {"default": {}, "mixed": {"mixed": 1.0, "batch_size": 8, "lambda_am": 0.9}}
BANDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B09", "B10", "B11", "B12", "B8A")
FEW = {"epochs": 60, "batch_size": 16}  # of the classifier where there are 60 tiles only


def main(arguments: Iterable[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder of the scenes with masks")
    parser.add_argument(
        "--work", type=Path, default=Path("real-land"), help="folder of the networks"
    )
    parser.add_argument("--output", type=Path, default=RESULTS)
    parser.add_argument("--forms", nargs="+", choices=FORMS, default=list(FORMS))
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--epochs", type=int, help="of the classifiers; default: as the repository")
    parser.add_argument("--steps", type=int, help="of the generators; default: as the repository")
    parser.add_argument("--mosaics", type=int, default=40, help="of validation and of test, each")
    parser.add_argument(
        "--tables-only", action="store_true", help="train nothing: tables of the finished runs"
    )
    options = parser.parse_args(arguments)
    lands = prepare(options.folder, options.work, options.mosaics)
    runs = [
        tables.Run(each, form, seed, folder_of(options.work, form, seed, each.name))
        for form, each, seed in itertools.product(options.forms, lands, range(options.seeds))
    ]
    for run in runs:
        if not (options.tables_only or run.origin.exists()):
            start, origin = time.monotonic(), origin_of(options)
            train_and_attribute(run.land, run.folder, run.form, run.seed, options)
            seconds = {"seconds": round(time.monotonic() - start)}
            write_table(run.origin, [origin | seconds])  # last: the run is complete
    options.output.mkdir(parents=True, exist_ok=True)
    tables.write([run for run in runs if run.origin.exists()], options.output)


def folder_of(work: Path, form: str, seed: int, land: str) -> Path:
    """Folder of a run: its networks, maps and tables."""
    return work / form / f"seed-{seed}" / land


def prepare(folder: Path, work: Path, count: int) -> list[land.Land]:
    """Write the sets of tiles, if they are not there, and say which lands there are."""
    cuts = land.scene_cuts(folder)
    mixed = land.mixed(cuts)
    sets = {
        "amazon": (land.pure(cuts), land.RGB, False),
        "amazon-mixed": (mixed, land.RGB, True),
        "amazon-equalised": ([land.equalised(cut) for cut in mixed], land.RGB, True),
    }
    lands = [
        land.Land(
            "amazon",
            work / "tiles/amazon.zarr",
            {name: work / f"tiles/{name}.zarr" for name in ("amazon-mixed", "amazon-equalised")},
        )
    ]
    for name, source, read, bands, changed in (
        ("europe", "s2-europe-forest-fields", land.picture_crops, land.RGB, {}),
        ("eurosat", "eurosat100-ms", land.patch_crops, BANDS, FEW),
    ):
        if (folder.parent / source).is_dir():
            crops = read(folder.parent / source)
            sets[name] = (crops, bands, False)
            sets[f"{name}-mosaics"] = (land.mosaics(crops, count), bands, True)
            files = [work / f"tiles/{each}.zarr" for each in (name, f"{name}-mosaics")]
            lands.append(
                land.Land(name, files[0], {f"{name}-mosaics": files[1]}, ("default",), changed)
            )
    for name, (chosen, bands, explain) in sets.items():
        path = work / f"tiles/{name}.zarr"
        if not path.exists():
            land.write(path, chosen, bands, explain)
    return lands


def other_methods(form: str) -> list[str]:
    """Methods of a form that need no generators, and controls."""
    methods = read_configuration(FORMS[form]).attribution.methods
    return [*(m for m in methods if m not in OF_GENERATORS), *CONTROLS]


def train_and_attribute(each: land.Land, folder: Path, form: str, seed: int, options) -> None:
    """Train the networks of a land and attribute its tiles; what is there stays as it is."""
    configured = read_configuration(FORMS[form])
    own = each.classifier | {"seed": seed} | ({"epochs": options.epochs} if options.epochs else {})
    classifier = folder / "classifier.safetensors"
    if not classifier.exists():
        chosen = settings.Classifier.model_validate(configured.classifier.model_dump() | own)
        train_classifier(each.training, classifier, folder / "classifier", chosen, device="cpu")
    attribution = settings.Attribution(seed=seed)
    for name, tiles in each.explained.items():
        _attribute(tiles, other_methods(form), classifier, None, folder / name, attribution)
    for variant in each.generators:
        changed = GENERATORS[variant] | {"seed": seed}
        if options.steps:
            few = {"pretraining_steps": 0, "ramp_steps": 0, "restarts": 0}
            changed |= {"steps": options.steps} | few
        generators = folder / f"generators-{variant}.safetensors"
        if not generators.exists():
            chosen = settings.Gan.model_validate(configured.gan.model_dump() | changed)
            train_generators(
                each.training, classifier, generators, folder / f"generators-{variant}", chosen,
                device="cpu",
            )  # fmt: skip
        for name, tiles in each.explained.items():
            output = folder / f"{name}-{variant}"
            _attribute(tiles, OF_GENERATORS, classifier, generators, output, attribution)


def _attribute(
    tiles: Path, methods: Iterable[str], classifier: Path, generators: Path | None, output: Path,
    chosen: settings.Attribution,
) -> None:  # fmt: skip
    for method in methods:
        path = output / f"{method}.zarr"
        if not path.exists():
            attribute_tiles(tiles, method, classifier, generators, path, chosen, "cpu")


def origin_of(options) -> dict:
    """Commit, machine and command of a run."""
    described = subprocess.run(
        ["git", "-C", ROOT, "describe", "--always", "--dirty"], capture_output=True, text=True
    )
    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_text().splitlines() if cpu.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    command = f"python -m benchmarks.real_land {options.folder.name} --seeds {options.seeds}"
    command += f" --forms {' '.join(options.forms)}"
    for name in ("epochs", "steps", "mosaics"):
        value = getattr(options, name)
        command += f" --{name} {value}" if value else ""
    return {
        "commit": described.stdout.strip(),
        "processor": names[0] if names else "unknown",
        "threads": torch.get_num_threads(),
        "command": command,
    }


if __name__ == "__main__":
    main()
