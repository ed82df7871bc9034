"""The benchmark of the method: what it runs are settings, and its tables say what was run."""

from pathlib import Path

import pandas as pd
import pytest
import yaml
from benchmarks import method

from wildlens.doctor import read_configuration

ROOT = Path(__file__).parents[1]
OVERLAYS = {name: {"gan": gan} for name, gan in method.ABLATIONS.items()}


@pytest.mark.parametrize("name", [*OVERLAYS, method.FAMILY])
def test_what_is_run_is_a_configuration_of_its_own(name, tmp_path):
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(yaml.safe_dump((OVERLAYS | {method.FAMILY: method.UNET})[name]))
    default = read_configuration([ROOT / "config.yaml"])
    found = read_configuration([ROOT / "config.yaml", overlay])
    assert found.gan != default.gan
    assert (found.classifier != default.classifier) == (name == method.FAMILY)


def test_both_families_stand_side_by_side(tmp_path):
    folder = tmp_path / "local"
    folder.mkdir()
    figures = {"auroc": 0.9, "average_precision": 0.8, "iou": 0.7}
    rows = [{"method": m, "reference": "truth", **figures} for m in method.METHODS]
    pd.DataFrame(rows).to_csv(folder / "methods.csv", index=False)
    accuracy = [{"split": "test", "accuracy": 0.99, "fgsm_accuracy": 0.4}]
    pd.DataFrame(accuracy).to_csv(folder / "accuracy.csv", index=False)
    table = method.families_table({"local": folder, "unet": tmp_path / "not run"})
    assert list(table.columns) == ["on the test tiles", "local", "unet"]
    assert table["local"].tolist() == ["0.990", "0.400"] + len(method.METHODS) * [
        "0.900, 0.800, 0.700"
    ]
    assert set(table["unet"]) == {"not run"}
    assert method.markdown(table).splitlines()[2] == "| accuracy | 0.990 | not run |"
