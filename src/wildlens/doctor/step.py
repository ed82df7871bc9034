"""Check machine, libraries, settings, inputs and disk before a run, and list what to fix."""

import importlib.metadata
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from packaging.requirements import Requirement

from wildlens.doctor.finding import Finding
from wildlens.doctor.inputs import check_inputs, is_simulated
from wildlens.errors import WildLensError, one_line
from wildlens.settings import Settings, read_yaml, validate

LEAST_MEMORY_GB = 4
SCENE_GB = 3.0  # of a whole Sentinel-2 tile: scene, land cover, maps of five methods
SOFTWARE = ("snakemake", "wildlens")  # commands that a run calls by name


def examine(configurations: Sequence[Path], folder: Path) -> Iterator[Finding]:
    """All findings, in the order in which to fix them.

    Args:
        configurations: YAML files; later ones override earlier ones, as in Snakemake.
        folder: the working directory of the run.
    """
    yield from _libraries()
    yield from _commands()
    yield from _machine()
    yield from _device()
    try:
        settings = read_configuration(configurations)
    except WildLensError as error:
        yield Finding("fix", str(error))
        return
    yield Finding("ok", f"settings: {', '.join(map(str, configurations))}")
    yield from check_inputs(settings, folder)
    yield _disk(settings, folder)


def read_configuration(paths: Sequence[Path]) -> Settings:
    """The configuration of several files; later ones override earlier ones, key by key."""
    merged: dict = {}
    for path in paths:
        data = read_yaml(path)
        if not isinstance(data or {}, dict):
            raise WildLensError(f"{path}: expected keys and values")
        _lay_over(merged, data or {})
    return validate(merged, source=" + ".join(map(str, paths)))


def _lay_over(below: dict, above: dict) -> None:
    for key, value in above.items():
        if isinstance(value, dict) and isinstance(below.get(key), dict):
            _lay_over(below[key], value)
        else:
            below[key] = value


def _libraries() -> Iterator[Finding]:
    """Check that required packages are installed in supported versions."""
    try:
        wanted = [Requirement(text) for text in importlib.metadata.requires("wildlens") or []]
    except importlib.metadata.PackageNotFoundError:
        yield Finding("fix", "wildlens is not installed: run `make demo`, or `pip install -e .`")
        return
    wrong = []
    for requirement in wanted:
        if requirement.marker is not None:  # extras, for developers
            continue
        try:
            version = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            wrong.append(f"{requirement.name} is missing")
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            wrong.append(f"{requirement.name} {version} is not {requirement.specifier}")
    if wrong:
        text = f"libraries: {'; '.join(wrong)}: run `pip install -c constraints.txt -e .`"
        yield Finding("fix", text)
    else:
        python = ".".join(map(str, sys.version_info[:3]))
        yield Finding("ok", f"libraries: Python {python}, {len(wanted)} requirements")


def _commands() -> Iterator[Finding]:
    beside = str(Path(sys.executable).parent)
    path = os.pathsep.join([os.environ.get("PATH", ""), beside])
    for name in SOFTWARE:
        if shutil.which(name, path=path) is None:
            yield Finding("fix", f"command {name} is not there: install into this environment")


def _machine() -> Iterator[Finding]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    state = "ok" if memory >= LEAST_MEMORY_GB else "note"
    more = "" if state == "ok" else f"; training may need {LEAST_MEMORY_GB} GB"
    yield Finding(state, f"machine: {cores} cores, {memory:.0f} GB of memory{more}")


def _device() -> Iterator[Finding]:
    try:
        import torch

        from wildlens.networks.device import choose_device

        device = choose_device("auto")
        threads = torch.get_num_threads()
    except (ImportError, OSError, RuntimeError) as error:  # a broken build fails on import
        yield Finding("fix", f"torch cannot be used: {one_line(error)}")
        return
    if device.type == "cuda":
        yield Finding("ok", f"GPU: {torch.cuda.get_device_name()}")
    elif device.type == "mps":
        yield Finding("ok", "GPU: Apple silicon")
    elif shutil.which("nvidia-smi"):
        yield Finding("note", f"GPU: there is one, but torch {torch.__version__} cannot use it:"
                              " install torch's CUDA build")  # fmt: skip
    else:
        yield Finding("note", f"GPU: none; networks run on the CPU with {threads} threads, which"
                              " is enough for the demo")  # fmt: skip


def _disk(settings: Settings, folder: Path) -> Finding:
    """Free space compared with the needs of whole products; the demo needs far less."""
    free = shutil.disk_usage(folder).free / 1e9
    products = [*settings.inputs.training, *settings.inputs.mapping]
    paths = [path for product in products for path in product.paths]
    whole = [path for path in paths if not is_simulated(path)]
    needed = max(1.0, SCENE_GB * len(whole))
    if free < needed:
        return Finding("fix", f"disk: {free:.1f} GB free, about {needed:.0f} GB may be needed:"
                               " make room, or run with --directory on another disk")  # fmt: skip
    return Finding("ok", f"disk: {free:.0f} GB free, about {needed:.0f} GB may be needed")
