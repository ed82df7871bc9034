"""Check machine, libraries, settings, inputs and disk before a run, and say what to fix."""

import importlib.metadata
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement

from wildlens.errors import WildLensError, one_line
from wildlens.settings import Product, Settings, read_yaml, validate

SIMULATED = Path("resources/demo")  # what the rule `demo` makes
LEAST_MEMORY_GB = 4
SCENE_GB = 3.0  # of a whole Sentinel-2 tile: scene, land cover, maps of five methods
SOFTWARE = ("snakemake", "wildlens")  # commands that a run calls by name


@dataclass(frozen=True)
class Finding:
    """What was checked, and its state: `ok`, `note` (slower, or not needed) or `fix`."""

    state: Literal["ok", "note", "fix"]
    text: str


def examine(configurations: Sequence[Path], folder: Path) -> Iterator[Finding]:
    """All findings, in the order in which they are best fixed.

    Args:
        configurations: YAML files, each laid over those before it, as Snakemake lays them.
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
    yield from _inputs(settings, folder)
    yield _disk(settings, folder)


def read_configuration(paths: Sequence[Path]) -> Settings:
    """The configuration of several files, the later ones laid over the earlier, key by key."""
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
    """Whether what the package asks for is installed in a version that it was made for."""
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
    except (ImportError, OSError, RuntimeError) as error:  # a broken build says so on import
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


def _inputs(settings: Settings, folder: Path) -> Iterator[Finding]:
    inputs, products = settings.inputs, [*settings.inputs.training, *settings.inputs.mapping]
    if settings.anthroprotect:  # its tiles come with labels, and nothing is simulated beside them
        yield _looked_at("AnthroProtect", settings.anthroprotect, folder, _open_anthroprotect)
        products = [p for p in inputs.mapping if not any(map(_is_simulated, p.paths))]
    for product in products:
        check = _product_check(product, folder, settings.scene.bands)
        to_come = product.fetch and not (folder / product.paths[0]).exists()
        if to_come:
            yield _to_fetch(product, settings.fetch.catalogue)
            if product.fetch.polygons:
                yield _looked_at("area", product.fetch.polygons, folder, _open_vector)
        for path in [] if to_come else product.paths:
            yield _looked_at(f"product {product.name}", path, folder, check)
        if product.landcover:
            yield _looked_at("land cover", product.landcover, folder, _open_landcover)
    if not (settings.anthroprotect and _is_simulated(inputs.landcover)):
        yield _looked_at("land cover", inputs.landcover, folder, _open_landcover)
    if not settings.anthroprotect:
        yield _looked_at("protected areas", inputs.areas, folder, _open_vector)


def _is_simulated(name: str) -> bool:
    return Path(name).is_relative_to(SIMULATED)


def _open_anthroprotect(path: Path) -> str:
    from wildlens.anthroprotect.dataset import find_root

    return str(find_root(path))


def _to_fetch(product: Product, catalogue: str) -> Finding:
    """Whether a product can be fetched, as far as that shows without asking a server."""
    from wildlens.fetch.tokens import VARIABLES

    wanted = VARIABLES if catalogue == "cdse" else ()
    missing = [name for name in wanted if not os.environ.get(name)]
    if missing:
        text = f"{catalogue} wants {' and '.join(missing)} in the environment"
        return Finding("fix", f"product {product.name}: {text}")
    return Finding("ok", f"product {product.name}: will be fetched from {catalogue}")


def _looked_at(what: str, name: str, folder: Path, check: Callable[[Path], str]) -> Finding:
    """State of one input: readable, still to be simulated, or to be fixed."""
    path = folder / name
    if not path.exists():
        if _is_simulated(name):
            return Finding("ok", f"{what}: will be simulated")
        return Finding("fix", f"{what}: {path} does not exist: fix `inputs`")
    try:
        return Finding("ok", f"{what}: {check(path)}")
    except WildLensError as error:
        return Finding("fix", f"{what}: {error}")


def _product_check(product: Product, folder: Path, bands: Sequence[str]) -> Callable[[Path], str]:
    def check(path: Path) -> str:
        from wildlens.scene.products import open_product

        found = open_product(path).bands
        missing = [band for band in bands if band not in found]
        if missing:
            raise WildLensError(f"{path}: has no band {', '.join(missing)} (scene.bands)")
        return f"{path.name}, bands {', '.join(bands)}"

    return check


def _open_landcover(path: Path) -> str:
    from wildlens.files.raster import open_raster
    from wildlens.landcover.corine_vector import SUFFIXES

    if path.suffix.lower() in SUFFIXES:
        return _open_vector(path)
    with open_raster(path) as dataset:
        return f"{path.name}, {dataset.width} x {dataset.height} px"


def _open_vector(path: Path) -> str:
    from wildlens.areas.layers import polygon_layers

    layers = polygon_layers(path)
    return f"{path.name}, {len(layers)} layer{'s' * (len(layers) != 1)} of polygons"


def _disk(settings: Settings, folder: Path) -> Finding:
    """Free space against what whole products would need; the demo's are far smaller."""
    free = shutil.disk_usage(folder).free / 1e9
    products = [*settings.inputs.training, *settings.inputs.mapping]
    paths = [path for product in products for path in product.paths]
    whole = [path for path in paths if not _is_simulated(path)]
    needed = max(1.0, SCENE_GB * len(whole))
    if free < needed:
        return Finding("fix", f"disk: {free:.1f} GB free, about {needed:.0f} GB may be needed:"
                               " make room, or run with --directory on another disk")  # fmt: skip
    return Finding("ok", f"disk: {free:.0f} GB free, about {needed:.0f} GB may be needed")
