"""Speed and memory of trainings and attribution on a GPU; prints tables, and writes a CSV.

    pip install -r envs/gpu.txt
    PYTHONPATH=src:. python benchmarks/gpu.py [--device cuda] [--output FILE.csv]

Networks are those of `config.yaml` (demo) and `workflow/configs/paper.yaml`, on random tiles in
memory. Trainings run through the training loop with its prefetching threads:

- steps per second: median duration of a step, including the time until its batch is there;
- waiting for the loader: median of that time;
- TFLOP per step: convolutions and matrix products, by torch's counter;
- share of peak: of the throughput of a large matrix product, which is measured on the same card in
  the same precision, or given by --peak (TFLOP/s);
- peak memory: of torch's allocator on the card.

The demo is also measured on the CPU of the machine, for the ratio.
"""

import argparse
import csv
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.in_memory import (
    FILES,
    Configuration,
    ModelsInMemory,
    classifier_loop,
    gan_loop,
    training_set,
)
from wildlens.attribution.create import create, precision
from wildlens.errors import WildLensError
from wildlens.files.conditions import conditions
from wildlens.networks.device import choose_device, in_precision
from wildlens.registry import classifiers, methods
from wildlens.registry.record import RANDOMISED
from wildlens.settings import Attribution
from wildlens.training.loop import Loop
from wildlens.training.prefetch import WORKERS
from wildlens.training.processes import Processes
from wildlens.training.session import Session

PRECISIONS = ("float32", "bfloat16")
CPU = torch.device("cpu")
WARM_UP = 3  # steps that are not timed: algorithms are chosen, the prefetched batches are used up
SMALL = {"width": 2, "depth": 2, "strides": [2, 2, 2], "batch_size": 4}  # by --quick
SMALL_GAN = {"width": 2, "discriminator_width": 2, "blocks": 1, "batch_size": 2, "crop": None}
FEW = {"gradient_steps": 2, "expected_tiles": 1, "expected_steps": 1, "occlusion_stride": 16}
LAYERS = ("score", "maximized", "minimized")  # maps that are no attributions: the networks alone


@dataclass(frozen=True)
class Size:
    """How much is measured: steps of a training, tiles of a batch of attribution."""

    steps: int
    cpu_steps: int
    tiles: int
    cpu_tiles: int
    matrix: int
    seconds: float  # of a method, at least
    settings: dict  # of attribution, other than the defaults


FULL = Size(steps=30, cpu_steps=4, tiles=16, cpu_tiles=4, matrix=8192, seconds=1.0, settings={})
QUICK = Size(steps=4, cpu_steps=4, tiles=2, cpu_tiles=2, matrix=256, seconds=0.0, settings=FEW)


class TimedLoop:
    """Runs a training loop and notes the start of each step and the time it waited for its batch.

    The loop's own progress display is replaced, through which all batches pass.
    """

    def __init__(self, loop: Loop):
        self.loop, self.starts, self.waits, self.flop = loop, [], [], 0
        self._step, loop.task.step = loop.task.step, self._counted
        loop._tracked = self._timed

    def run(self) -> None:
        self.loop.run()

    def _timed(self, batches: Iterator) -> Iterator:
        end = object()
        while True:
            start = time.perf_counter()
            batch = next(batches, end)
            if batch is end:
                self.starts.append(start)
                return
            self.starts.append(start)
            self.waits.append(time.perf_counter() - start)
            yield batch

    def _counted(self, number: int, batch):
        if number:
            return self._step(number, batch)
        with FlopCounterMode(display=False) as counter:
            losses = self._step(number, batch)
        self.flop = counter.get_total_flops()
        return losses

    @property
    def seconds(self) -> float:
        """Median duration of a step; each ends on the host, which reads its losses."""
        pairs = zip(self.starts[WARM_UP:], self.starts[WARM_UP + 1 :], strict=False)
        return statistics.median(after - before for before, after in pairs)

    @property
    def waiting(self) -> float:
        """Median of the time that a step waits for its batch, s."""
        return statistics.median(self.waits[WARM_UP:])


def configuration(name: str, quick: bool) -> Configuration:
    """A configuration of FILES; its networks and tiles made small by `quick`."""
    read = Configuration.read(name)
    if not quick:
        return read
    classifier, gan = (
        read.classifier.model_copy(update=SMALL),
        read.gan.model_copy(update=SMALL_GAN),
    )
    return replace(read, size=64, classifier=classifier, gan=gan)


def train(kind: str, settings: Configuration, chosen: str, where: torch.device, steps: int):
    """Train for WARM_UP + `steps` steps; returns the loop with its times."""
    count = WARM_UP + steps
    session = Session(where, Processes(), workers=WORKERS)
    if kind == "classifier":
        section = settings.classifier.model_copy(update={"precision": chosen, "epochs": 1})
        data = training_set(settings.bands, settings.size, count * section.batch_size)
        timed = TimedLoop(classifier_loop(section, data, session))
    else:
        update = {"precision": chosen, "steps": count, "pretraining_steps": 0, "ramp_steps": 0}
        section = settings.gan.model_copy(update=update)
        data = training_set(settings.bands, settings.size, 2 * count * section.batch_size)
        timed = TimedLoop(gan_loop(section, data, settings.classifier, session))
    timed.run()
    return timed


def trainings(arguments: argparse.Namespace, size: Size) -> Iterator[dict]:
    """One row per training, configuration and precision."""
    where = choose_device(arguments.device)
    for name in FILES:
        settings = configuration(name, arguments.quick)
        for kind in ("classifier", "gan"):
            cpu = None
            if name == "demo":
                cpu = train(kind, settings, "float32", CPU, size.cpu_steps).seconds
            for chosen in PRECISIONS:
                _reset_memory(where)
                timed = train(kind, settings, chosen, where, size.steps)
                reached = timed.flop / timed.seconds / 1e12
                peak = arguments.peak.get(chosen) or matrix_throughput(where, chosen, size.matrix)
                yield {
                    "training": f"{name} {kind}",
                    "precision": chosen,
                    "steps per s": 1 / timed.seconds,
                    "TFLOP per step": timed.flop / 1e12,
                    "TFLOP per s": reached,
                    "share of peak": reached / peak,
                    "peak memory, GB": _peak_memory(where),
                    "waiting for the loader, ms": 1000 * timed.waiting,
                    "times as fast as the CPU": cpu and cpu / timed.seconds,
                }


def attributions(arguments: argparse.Namespace, size: Size) -> Iterator[dict]:
    """One row per method, configuration and precision."""
    where = choose_device(arguments.device)
    names = [n for n in methods.attributions() if not n.endswith(RANDOMISED)] + list(LAYERS)
    for name in FILES:
        settings = configuration(name, arguments.quick)
        data = training_set(settings.bands, settings.size, size.tiles, max(size.tiles, 8))
        models = ModelsInMemory.of(settings.classifier, settings.gan, data, where)
        on_cpu = replace(models, device=CPU)
        for method in names:
            record = methods.find(method)
            if not record.can_explain(classifiers.find(settings.classifier.architecture)):
                continue
            cpu = None
            if name == "demo" and record.uses_network:
                cpu = tiles_per_second(method, on_cpu, "float32", size.cpu_tiles, size, 0)
            for chosen in PRECISIONS:
                if precision(method, Attribution(precision=chosen)) != chosen:
                    continue  # it stays float32
                _reset_memory(where)
                speed = tiles_per_second(method, models, chosen, size.tiles, size, size.seconds)
                yield {
                    "method": method,
                    "networks": name,
                    "precision": chosen,
                    "tiles per s": speed,
                    "peak memory, GB": _peak_memory(where),
                    "times as fast as the CPU": cpu and speed / cpu,
                }


def tiles_per_second(
    name: str, models: ModelsInMemory, chosen: str, tiles: int, size: Size, seconds: float
) -> float:
    """Throughput of a method with batches of `tiles`, after a first one that is not timed."""
    settings = Attribution(
        baseline="mean", precision=chosen, batch_size=tiles, activation_tiles=8, **size.settings
    )
    inputs = models.inputs(tiles)
    with in_precision(precision(name, settings), models.device):
        method = create(name, models, settings)
        inputs.attribute(method).sum().item()
        start, done = time.perf_counter(), 0
        while not done or time.perf_counter() - start < seconds:
            inputs.attribute(method).sum().item()  # waits for the device
            done += tiles
    return done / (time.perf_counter() - start)


@cache
def matrix_throughput(where: torch.device, chosen: str, side: int, turns: int = 10) -> float:
    """TFLOP/s of products of two random matrices of `side` x `side`."""
    one, two = (torch.randn(side, side, device=where, dtype=getattr(torch, chosen)) for _ in "ab")
    (one @ two).sum().item()
    start = time.perf_counter()
    for _ in range(turns):
        product = one @ two
    product.sum().item()
    return 2 * side**3 * turns / (time.perf_counter() - start) / 1e12


def _reset_memory(where: torch.device) -> None:
    if where.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(where)


def _peak_memory(where: torch.device) -> float | None:
    return torch.cuda.max_memory_allocated(where) / 1e9 if where.type == "cuda" else None


def _card(where: torch.device) -> str:
    name = torch.cuda.get_device_name(where) if where.type == "cuda" else where.type
    return conditions(name, f"torch {torch.__version__}", f"CUDA {torch.version.cuda}")


def _table(rows: Iterator[dict]) -> list[dict]:
    """Print rows as they are measured, as a Markdown table."""
    printed = []
    for row in rows:
        if not printed:
            print("\n| " + " | ".join(row) + " |\n|" + " --- |" * len(row))
        cells = (f"{v:.3g}" if isinstance(v, float) else v or "" for v in row.values())
        print("| " + " | ".join(cells) + " |", flush=True)
        printed.append(row)
    return printed


def _peaks(text: str) -> dict[str, float]:
    return {name: float(value) for name, value in (part.split("=") for part in text.split(","))}


def main(arguments: list[str] | None = None) -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", default="cuda", help="cuda or cpu; default: cuda")
    parser.add_argument("--output", type=Path, help="CSV file with the rows of all tables")
    parser.add_argument("--peak", type=_peaks, default={}, help="float32=67,bfloat16=989 (TFLOP/s)")
    parser.add_argument("--quick", action="store_true", help="small networks: tests this program")
    chosen = parser.parse_args(arguments)
    size = QUICK if chosen.quick else FULL
    try:
        where = choose_device(chosen.device)
    except WildLensError as error:
        parser.error(str(error))
    card = _card(where)
    print(card)
    for name in PRECISIONS:
        print(f"matrix product, {name}: {matrix_throughput(where, name, size.matrix):.3g} TFLOP/s")
    rows = [*_table(trainings(chosen, size)), *_table(attributions(chosen, size))]
    if chosen.output:
        names = list(dict.fromkeys(name for row in rows for name in row))
        with chosen.output.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, [*names, "conditions"])
            writer.writeheader()
            writer.writerows(row | {"conditions": card} for row in rows)


if __name__ == "__main__":
    main()
