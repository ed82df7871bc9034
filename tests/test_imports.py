"""The layers of the package: imports between its folders run downward only."""

import ast
from collections import defaultdict
from pathlib import Path

import pytest

import wildlens

PACKAGE = Path(wildlens.__file__).parent
# from the top down; a folder or module may import those of later lines, never of its own or earlier
LAYERS = [
    ["cli"],
    ["run"],
    ["doctor", "summary", "training_memory"],
    ["project"],
    ["explore"],
    ["qgis", "catalogue"],
    ["figures"],
    ["compare", "confidence"],
    ["combine"],
    ["evaluate", "area_statistics"],
    ["map", "attribute"],
    ["train_classifier", "train_gan"],
    ["training", "methods"],
    ["attribution"],
    ["networks"],
    ["anthroprotect"],
    ["tiles"],
    ["fetch"],
    ["scene", "landcover", "demo"],
    ["areas"],
    ["warnings"],
    ["files"],
    ["provenance"],
    ["settings"],
    ["registry"],
    ["legend", "colours", "progress"],
    ["errors"],
]
LAYER = {name: depth for depth, names in enumerate(LAYERS) for name in names}
MODULES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Dotted names of the package's modules that a module imports, anywhere in its text."""
    names = set()
    for node in ast.walk(ast.parse((PACKAGE / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return {name for name in names if name.startswith("wildlens.")}


def module_of(name: str) -> str:
    """The longest start of a dotted name that is a module: the rest are its attributes."""
    parts = name.split(".")[1:]
    while parts:
        path = PACKAGE.joinpath(*parts)
        if path.with_suffix(".py").is_file() or (path / "__init__.py").is_file():
            return ".".join(parts)
        parts.pop()
    return ""


def top(path: Path) -> str:
    return path.parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_imports_run_downward(path):
    own = top(path)
    if own == "__init__":
        assert not imported(path)
        return
    others = {module_of(name).split(".")[0] for name in imported(path)} - {own, ""}
    upward = {name for name in others if LAYER[name] <= LAYER[own]}
    assert not upward, f"{path} imports {sorted(upward)}, which are not below it"


def test_imports_have_no_circle():
    graph = defaultdict(set)
    for path in MODULES:
        name = ".".join(path.with_suffix("").parts).removesuffix(".__init__")
        graph[name] = {module_of(other) for other in imported(path)} - {name, ""}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, f"circle: {' -> '.join([*trail, name])}"
        if name not in done:
            for other in sorted(graph[name]):
                visit(other, (*trail, name))
            done.add(name)

    for name in sorted(graph):
        visit(name, ())


def test_top_level_fits_on_one_screen():
    modules = [p for p in PACKAGE.glob("*.py") if p.name != "__init__.py"]
    assert len(modules) <= 8
    assert {p.stem for p in modules} | {p.parent.name for p in PACKAGE.glob("*/__init__.py")} == {
        *LAYER
    }
