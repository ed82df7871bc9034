"""docs/outputs.md against what is declared and written: no file and no column is left out."""

import re
from pathlib import Path

import pandas as pd
import pytest
from attributed import World
from outputs_page import PAGE, documented_columns, documented_files

from wildlens.settings import Evaluation

ROOT = Path(__file__).parents[2]
RULES = sorted((ROOT / "workflow/rules").glob("*.smk"))

pytestmark = pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")


def declared_files() -> set[str]:
    """Paths below results/ that rules declare as outputs, with their wildcards."""
    found = set()
    for path in RULES:
        for block in re.findall(r"^    output:\n((?:        .*\n|\n)+)", path.read_text(), re.M):
            found.update(re.findall(r'"results/([^"]+)"', block))
    return found


def test_every_declared_output_is_documented():
    declared = declared_files()
    assert len(declared) > 30 and "evaluation/examples.npz" in declared
    documented = documented_files()
    for name in sorted(declared):
        if name.endswith(".qml") or name.startswith(("maps/parts/", "maps/members/")):
            continue  # styles are described together; parts, and maps of members, are temporary
        if name.startswith("metrics/"):
            name = name.replace("-{member}/", "/")  # the tables of each member are the same
        if name == "stac":
            name = "stac/catalog.json"
        if name.startswith("figures/") and "{" not in name:
            assert f"`{Path(name).stem}`" in PAGE, name
            name = f"figures/{{name}}{Path(name).suffix}"
        if name.startswith("settings/"):
            name = "settings/{section}.yaml"
        if name.startswith("checksums/"):
            name = "checksums/{job}.txt"
        assert name in documented, f"{name} is not in docs/outputs.md"


def test_every_documented_file_is_declared():
    declared = declared_files() | {"stac/catalog.json", "checkpoints/"}
    patterns = {
        "figures/{name}.png",
        "logs/{job}.log",
        "benchmarks/{job}.tsv",
        "checksums/{job}.txt",
    }
    assert documented_files() - patterns - {"settings/{section}.yaml"} <= declared


def test_every_table_has_its_columns_documented():
    tables = {name for name in documented_files() if name.endswith(".csv")}
    assert tables == set(documented_columns())


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("world"))
    world.write().run(Evaluation(faithfulness_tiles=1, faithfulness_steps=1))
    return world.path("out")


def test_columns_of_the_evaluation_are_the_documented_ones(written):
    columns = {
        f"evaluation/{path.name}": pd.read_csv(path).columns.tolist()
        for path in written.glob("*.csv")
    }
    documented = documented_columns()
    assert columns == {name: documented[name] for name in documented if "evaluation/" in name}


def test_files_of_the_evaluation_are_the_documented_ones(written):
    names = {f"evaluation/{path.name}" for path in written.iterdir()}
    assert names == {name for name in documented_files() if name.startswith("evaluation/")}
