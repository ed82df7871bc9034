"""Run all benchmarks and write docs/performance.md.

python -m benchmarks --classifier C.safetensors --generators G.safetensors --output FILE.md
"""

import argparse
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import rasterio
import torch

from benchmarks import contestants, networks, preprocessing, report, scenes, steps
from benchmarks.contestants import OURS, PEERS, Task, untiled
from benchmarks.measure import fresh_turns, peak_memory, take_turns
from wildlens.cli import CACHE
from wildlens.map.step import map_scene
from wildlens.networks import weights
from wildlens.settings import Attribution

MAPS: dict[str, Callable[[Task, Path], None]] = {"one pass, untiled": untiled, **OURS, **PEERS}
MARGIN = 64  # px at the scene's border, where others pad the image instead of each layer's input


def main() -> None:
    """Run the benchmarks of the command line and write the page."""
    arguments = _arguments()
    # with more threads, their waiting for one another would count as processor time
    torch.set_num_threads(arguments.threads)
    os.environ |= {"GDAL_NUM_THREADS": str(arguments.threads), "GDAL_CACHEMAX": CACHE}
    if arguments.one:
        _one(arguments)
        return
    with tempfile.TemporaryDirectory() as folder:
        parts = [SECTIONS[name](arguments, Path(folder)) for name in arguments.sections]
    arguments.output.write_text(report.page(parts, _machine(), arguments.turns), encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--classifier", type=Path, required=True)
    parser.add_argument("--generators", type=Path, required=True)
    parser.add_argument("--run", type=Path, default=Path(), help="folder of a finished demo")
    parser.add_argument("--output", type=Path, default=Path("docs/performance.md"))
    parser.add_argument("--side", type=int, default=2048, help="of the compared scene, px")
    parser.add_argument("--tile", type=int, default=512, help="of the other packages, px")
    parser.add_argument("--sizes", type=int, nargs="+", default=[1024, 2048, 4096, 5490, 10980])
    parser.add_argument("--world-sizes", type=int, nargs="+", default=[5490, 10980])
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--at-once", action="store_true", help="for a shared machine")
    # one program alone, in its own process
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--scene", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def _task(arguments: argparse.Namespace, folder: Path, side: int) -> Task:
    scene = folder / f"scene{side}.tif"
    if not scene.exists():
        scenes.write_scene(scene, side)
    return Task(scene, arguments.classifier, arguments.generators, arguments.tile)


def _world(arguments: argparse.Namespace, folder: Path, side: int) -> Task:
    world = preprocessing.write_world(folder / f"world{side}", side)
    return Task(world, arguments.classifier, arguments.generators, arguments.tile)


def _one(arguments: argparse.Namespace) -> None:
    """Run one program in this process and print its processor seconds and peak memory."""
    task = Task(arguments.scene, arguments.classifier, arguments.generators, arguments.tile)
    start = time.process_time()
    (MAPS | preprocessing.CONTESTANTS)[arguments.one](task, arguments.output)
    print(time.process_time() - start, peak_memory())


def _command(name: str, task: Task, output: Path) -> list[str]:
    """Command-line arguments that run one program alone."""
    options = ["--classifier", task.classifier, "--generators", task.generators, "--one", name]
    options += ["--threads", torch.get_num_threads()]
    options += ["--tile", task.tile, "--scene", task.scene, "--output", output]
    return list(map(str, options))


def _mapping(arguments: argparse.Namespace, folder: Path) -> str:
    task = _task(arguments, folder, arguments.side)
    outputs = {name: folder / f"{number}.tif" for number, name in enumerate(MAPS)}
    commands = {name: _command(name, task, path) for name, path in outputs.items()}
    turns, peaks = fresh_turns(commands, arguments.turns, arguments.at_once)
    values = {}
    for name, path in outputs.items():
        with rasterio.open(path) as dataset:
            values[name] = dataset.read(1)
    truth = values["one pass, untiled"]
    inner = slice(MARGIN, -MARGIN)
    rows = []
    for name in MAPS:
        difference = np.abs(values[name] - truth)
        rows.append(
            (
                name,
                turns.median(name),
                turns.ratio(name, "WildLens"),
                peaks[name],
                float(difference.max()),
                float(difference[inner, inner].max()),
            )
        )
    fastest = min(turns.ratio(name, "WildLens") for name in PEERS)
    return report.mapping(rows, fastest, task, arguments.side, float(truth.mean()))


def _overhead(arguments: argparse.Namespace, folder: Path) -> str:
    task = _task(arguments, folder, arguments.side)
    bare = scenes.BarePasses(task.scene, task.classifier, task.generators)
    whole = partial(contestants.wildlens, task, folder / "whole.tif")
    turns = take_turns({"map": whole, "bare": bare}, arguments.turns)
    return report.overhead(turns.ratio("map", "bare"))


def _sizes(arguments: argparse.Namespace, folder: Path) -> str:
    rows = []
    for side in arguments.sizes:
        task = _task(arguments, folder, side)
        command = _command("WildLens", task, folder / "size.tif")
        turns, peaks = fresh_turns({"map": command}, 1, at_once=False)
        rows.append((side, turns.median("map"), peaks["map"]))
    return report.sizes(rows)


def _preprocessing(arguments: argparse.Namespace, folder: Path) -> str:
    rows = []
    for side in arguments.world_sizes:
        task = _world(arguments, folder, side)
        output = folder / "preprocessed.tif"
        commands = {name: _command(name, task, output) for name in preprocessing.CONTESTANTS}
        turns, peaks = fresh_turns(commands, 1, arguments.at_once)
        for name in preprocessing.STEPS:
            ratio = turns.ratio(name, f"{name}, floor")
            rows.append((name, side, turns.median(name), ratio, peaks[name]))
    return report.preprocessing(rows)


def _borders(arguments: argparse.Namespace, folder: Path) -> str:
    task, settings = _task(arguments, folder, arguments.side), Attribution()
    size = weights.load_classifier(task.classifier).tile_size
    rows = []
    for method in ("gradcam", "deeplift"):
        output = folder / f"{method}.tif"
        map_scene(task.scene, method, task.classifier, None, output, settings, "cpu")
        rows.append((method, *scenes.jumps(output, size, settings.overlap)))
    return report.borders(rows)


def _occlusion(arguments: argparse.Namespace, folder: Path) -> str:
    own = weights.load_classifier(arguments.classifier)
    bands = len(own.bands)
    rows = []
    for name, network, size in (
        ("the demo's, trained", own, own.tile_size),
        ("unet (the paper's architecture)", networks.paper_classifier(bands, 256), 256),
    ):
        turns, difference, largest = networks.occlusion(network, size, arguments.turns)
        rows.append(
            (name, size, turns.median("WildLens"), turns.ratio("captum", "WildLens"), difference,
             largest)
        )  # fmt: skip
    return report.occlusion(rows)


def _gan(arguments: argparse.Namespace, folder: Path) -> str:
    turns = networks.gan_step(weights.load_classifier(arguments.classifier), 4 * arguments.turns)
    return report.gan(turns.median("WildLens"), turns.ratio("WildLens", "plain CycleGAN"))


def _steps(arguments: argparse.Namespace, folder: Path) -> str:
    return report.steps(steps.measure(arguments.run, 4 * arguments.turns))


def _machine() -> str:
    cores, threads = os.cpu_count(), torch.get_num_threads()
    return (
        f"{platform.machine()}, {cores} cores, {threads} threads for torch {torch.__version__}, "
        f"Python {platform.python_version()}, {sys.platform}"
    )


SECTIONS = {
    "scene": _mapping,
    "overhead": _overhead,
    "sizes": _sizes,
    "preprocessing": _preprocessing,
    "borders": _borders,
    "occlusion": _occlusion,
    "gan": _gan,
    "steps": _steps,
}

if __name__ == "__main__":
    main()
