"""The benchmark of the method: what it runs are settings, and its tables say what was run."""

from pathlib import Path

import pandas as pd
import pytest
import yaml

from benchmarks import method
from wildlens.doctor.step import read_configuration

ROOT = Path(__file__).parents[2]
OVERLAYS = {name: {"gan": gan} for name, gan in method.ABLATIONS.items() if gan}


@pytest.mark.parametrize("name", [*OVERLAYS, method.FAMILY])
def test_what_is_run_is_a_configuration_of_its_own(name, tmp_path):
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(yaml.safe_dump((OVERLAYS | {method.FAMILY: method.UNET})[name]))
    default = read_configuration([ROOT / "config.yaml"])
    found = read_configuration([ROOT / "config.yaml", overlay])
    assert found.gan != default.gan
    assert (found.classifier != default.classifier) == (name == method.FAMILY)


def tables_of(folder: Path, iou: float, of_rivals: float) -> Path:
    """The tables of a run in which all rivals do alike."""
    folder.mkdir(parents=True)
    figures = {"auroc": 0.9, "average_precision": 0.8, "reference": "truth"}
    figures |= {"iou_tiles": 0.5, "iou_low": 0.4, "iou_high": 0.8}
    gap = {"iou_minus_gan_low": -0.2, "iou_minus_gan_high": 0.1}
    rows = [{"method": "gan", "iou": iou, **figures}]
    for name in list(method.METHODS)[1:]:
        rows.append({"method": name, "iou": of_rivals, "iou_minus_gan": -0.05, **gap, **figures})
    pd.DataFrame(rows).to_csv(folder / "methods.csv", index=False)
    accuracy = [{"split": "test", "accuracy": 0.99, "fgsm_accuracy": 0.4}]
    pd.DataFrame(accuracy).to_csv(folder / "accuracy.csv", index=False)
    scores = {"split": "test", "mean_score": 0.8, "l1_reflectance": 0.01, "share_in_order": 1.0}
    pd.DataFrame([{"image": image, **scores} for image in ("X", "X+", "X-")]).to_csv(
        folder / "scores.csv", index=False
    )
    cover = {"reference": "truth", "scene": "test tiles", "relative_attribution": 2.0}
    covers = [
        {"method": m, "class_code": code, "share_high": 0.5, **cover}
        for m in method.EXPLAINERS
        for code in method.COVERS
    ]
    pd.DataFrame(covers).to_csv(folder / "classes.csv", index=False)
    return folder


def test_families_stand_side_by_side_over_the_seeds_of_their_generators(tmp_path):
    seeds = [tables_of(tmp_path / str(n), iou, 0.7) for n, iou in enumerate((0.6, 0.64))]
    families = {"local": seeds, "one seed": seeds[:1], "unet": []}
    table = method.families_table(families).set_index("on the test tiles")
    assert list(table.columns) == ["local", "one seed", "unet"]
    own = table.loc["WildLens: abs(X+ - X-): AUROC, AP, IoU"]
    assert own["local"] == "0.900, 0.800, 0.620 (0.600 to 0.640)"
    assert own["one seed"] == "0.900, 0.800, 0.600"
    assert table.loc["GradCAM: AUROC, AP, IoU", "local"] == "0.900, 0.800, 0.700"
    gaps = table.loc["GradCAM: IoU less that of abs(X+ - X-)"]
    assert gaps["one seed"] == "-0.050 (-0.200 to +0.100)"
    assert gaps["local"] == "; ".join(2 * [gaps["one seed"]])
    assert table.loc["accuracy", "local"] == "0.990" and set(table["unet"]) == {"not run"}


@pytest.mark.parametrize(
    "only, not_run", [(None, 0), ("seeds", 1), ("ablations", 1), ("families", 1)]
)
def test_each_part_of_the_benchmark_writes_the_page(tmp_path, monkeypatch, only, not_run):
    runs = []

    def run(folder, tables, settings, threads=None):
        runs.append((folder, tables.name, threads))
        tables_of(tables, 0.6, 0.7)

    monkeypatch.setattr(method, "run", run)
    monkeypatch.setattr(method, "ROOT", tmp_path)
    (tmp_path / "docs").mkdir()
    part = ["--only", only] if only else []
    monkeypatch.setattr("sys.argv", ["method.py", "--work", str(tmp_path / "work"), *part])
    method.main()
    page = (tmp_path / "docs" / "method-results.md").read_text()
    assert ("not run" in page) == bool(not_run)
    assert "| DeepLIFT |" in page and "| two downsamplings |" in page
    assert len({name for _, name, _ in runs}) == len(runs) and runs[0][1] == "seed-0"
    # another rounding gives another classifier: ablations share a folder and a number of threads
    alone = {(folder, threads) for folder, name, threads in runs if name.startswith("ablation")}
    assert alone in (set(), {(tmp_path / "work" / "one-thread", 1)})
