"""The benchmark of the method: experiments are settings, runs are jobs, tables follow from runs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from benchmarks.method import tables as benchmark
from scipy.stats import ttest_1samp

from wildlens.doctor.step import read_configuration

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "benchmarks" / "method"
EXPERIMENTS = yaml.safe_load((FOLDER / "experiments.yaml").read_text())
METHODS = ("gan", "minimizer", "deeplift", "brightness")


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_is_a_valid_configuration_of_its_own(name, tmp_path):
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(yaml.safe_dump(EXPERIMENTS[name]))
    default = read_configuration([ROOT / "config.yaml"])
    found = read_configuration([ROOT / "config.yaml", overlay])
    assert (found != default) == (name != "default")
    for section in EXPERIMENTS[name]:
        assert getattr(found, section) != getattr(default, section)


def test_the_configuration_of_the_local_form_is_the_experiment():
    found = yaml.safe_load((ROOT / "workflow/configs/local.yaml").read_text())
    assert found == EXPERIMENTS["local"]


def plan(folder: Path, *config: str) -> str:
    command = [sys.executable, "-m", "snakemake", "-n", "-s", FOLDER / "Snakefile"]
    command += ["--directory", folder, "--cores", "2", "--config", *config]
    found = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    return found.stdout + found.stderr


def test_each_seed_and_number_of_threads_is_a_job(tmp_path):
    text = plan(tmp_path, "experiments=[default, mixed]", "seeds=2", "threads=[1, 2]")
    for name in ("default", "mixed"):
        for seed in (0, 1):
            for threads in (1, 2):
                assert f"output: tables/{name}/seed-{seed}-threads-{threads}\n" in text
    # with the default's classifier: from its run; and all on the same land
    assert "input: tables/default/seed-1-threads-2\n    output: tables/mixed/seed-1" in text
    assert text.count("rule land:") == 1 and text.count("rule run:") == 8
    assert "unknown experiments ['defualt']" in plan(tmp_path, "experiments=[defualt]")


@pytest.fixture
def pretended(tmp_path, monkeypatch):
    """A `snakemake` that notes its arguments and writes the tables; a start to begin from."""
    script = tmp_path / "bin" / "snakemake"
    script.parent.mkdir()
    script.write_text(
        f"#!{sys.executable}\n"
        "import json, os, pathlib, sys\n"
        "run = pathlib.Path(sys.argv[sys.argv.index('--directory') + 1])\n"
        "assert (run / 'results/tiles.gpkg').read_text() == 'land'\n"
        "note = {'argv': sys.argv, 'threads': os.environ['OMP_NUM_THREADS']}\n"
        "(run / 'note.json').write_text(json.dumps(note))\n"
        "if (run / 'fail').exists(): sys.exit(1)\n"
        "tables = {'evaluation': 'methods scores classes texture faithfulness differences tiles',"
        " 'metrics/classifier': 'accuracy evidence baselines'}\n"
        "for folder, names in tables.items():\n"
        "    (run / 'results' / folder).mkdir(parents=True, exist_ok=True)\n"
        "    for name in names.split():\n"
        "        (run / 'results' / folder / f'{name}.csv').write_text(name)\n"
        "(run / 'results/evaluation/warnings.txt').write_text('')\n"
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}{os.pathsep}{os.environ['PATH']}")
    (tmp_path / "land/results").mkdir(parents=True)
    (tmp_path / "land/results/tiles.gpkg").write_text("land")
    return tmp_path


def run(folder: Path) -> int:
    settings = json.dumps({"gan": {"seed": 3}})
    command = ["bash", FOLDER / "run.sh", "land", "runs/a/seed-3", "tables/a/seed-3", "1", settings]
    return subprocess.run(command, cwd=folder).returncode


def test_a_run_starts_from_the_land_and_leaves_its_tables(pretended):
    assert run(pretended) == 0
    tables = pretended / "tables/a/seed-3"
    names = {path.name for path in tables.iterdir()}
    assert {"run.csv", "methods.csv", "texture.csv", "accuracy.csv", "warnings.txt"} <= names
    assert (tables / "texture.csv").read_text() == "texture"
    assert list(pd.read_csv(tables / "run.csv")) == ["commit", "processor", "seconds"]
    note = json.loads((pretended / "runs/a/seed-3/note.json").read_text())
    assert note["threads"] == "1" and note["argv"][-1] == "results/evaluation/methods.csv"
    overlay = pretended / "runs/a/seed-3/settings.yaml"
    assert yaml.safe_load(overlay.read_text()) == {"gan": {"seed": 3}}
    assert not list(pretended.rglob("*.part"))


def test_a_failed_run_leaves_no_tables_and_resumes(pretended):
    assert run(pretended) == 0
    subprocess.run(["rm", "-r", pretended / "tables"], check=True)
    (pretended / "runs/a/seed-3/fail").touch()
    assert run(pretended) != 0 and not (pretended / "tables/a/seed-3").exists()
    (pretended / "runs/a/seed-3/fail").unlink()
    (pretended / "land/results/tiles.gpkg").write_text("another land")  # is not copied again
    assert run(pretended) == 0 and (pretended / "tables/a/seed-3/methods.csv").exists()


def write_run(folder: Path, auroc: dict[str, float], periodic: int) -> None:
    """The tables of a run whose methods have these AUROCs, and IoUs of 0.1 less; half of CORINE."""
    folder.mkdir(parents=True)

    def write(name: str, rows: list[dict]) -> None:
        pd.DataFrame(rows).to_csv(folder / f"{name}.csv", index=False)

    write("run", [{"commit": "abc", "processor": "Some CPU", "seconds": 100}])
    write("methods", [
        {"method": m, "reference": reference, "auroc": value, "average_precision": value,
         "iou": value - 0.1, "iou_tiles": 0.5, "iou_low": value - 0.2, "iou_high": value}
        for m, whole in auroc.items()
        for reference, value in (("corine", whole / 2), ("truth", whole))
    ])  # fmt: skip
    write("scores", [
        {"split": "test", "image": i, "mean_score": s, "l1_reflectance": 0.01,
         "share_in_order": 1.0}
        for i, s in (("X", 0.8), ("X+", 0.9), ("X-", 0.3))
    ])  # fmt: skip
    write("classes", [
        {"method": m, "class_code": code, "reference": "truth", "scene": "test tiles",
         "relative_attribution": 2.0, "share_high": 0.5}
        for m in auroc for code in ("412", "312", "wetlands")
    ])  # fmt: skip
    rows = [{"method": m, "tiles": 80, "periodic_tiles": periodic} for m in auroc]
    write("texture", [{"method": "image", "tiles": 80, "periodic_tiles": 2}, *rows])
    write("faithfulness", [
        {"method": m, "blank_score": 0.9, "insertion_minus_deletion": value} for m, value in
        auroc.items()
    ])  # fmt: skip
    write("accuracy", [{"split": "test", "accuracy": 0.95, "fgsm_accuracy": 0.4}])
    write("evidence", [{"target": 1.0, "others": -2.0, "presence": 0.3}])


@pytest.fixture
def runs(tmp_path):
    """Six runs of random figures, by (seed, threads)."""
    rng = np.random.default_rng(5)
    values = {}
    for seed in range(3):
        for threads in (1, 2):
            own = {m: round(float(rng.uniform(0.5, 0.95)), 4) for m in METHODS}
            write_run(tmp_path / f"tables/default/seed-{seed}-threads-{threads}", own, seed)
            values[seed, threads] = own
    return tmp_path, pd.DataFrame(values).T


def test_tables_say_how_runs_spread(runs):
    folder, values = runs
    tables = benchmark.tables_of(benchmark.read_runs(folder / "tables"), folder)
    assert len(tables["runs"]) == 6 * len(METHODS)
    methods = tables["methods"].set_index("method")
    assert list(methods.index) == list(METHODS) and (methods["runs"] == 6).all()
    for method in METHODS:
        row = methods.loc[method]
        assert row["auroc_mean"] == pytest.approx(values[method].mean())
        assert row["auroc_sd"] == pytest.approx(np.std(values[method], ddof=1))
        assert (row["auroc_low"], row["auroc_high"]) == (values[method].min(), values[method].max())
    # a control is no explanation: it is never first, and does not keep another from being so
    explanations = values[["gan", "minimizer", "deeplift"]]
    for method in explanations:
        first = (explanations.idxmax(axis=1) == method).mean()
        assert methods.loc[method, "first_auroc"] == pytest.approx(first)
    assert np.isnan(methods.loc["brightness", "first_auroc"])


def test_corine_has_tables_of_its_own(runs):
    folder, values = runs
    tables = benchmark.tables_of(benchmark.read_runs(folder / "tables"), folder)
    methods = tables["methods_corine"].set_index("method")
    for method in METHODS:
        assert methods.loc[method, "auroc_mean"] == pytest.approx(values[method].mean() / 2)
    of_truth, of_corine = (
        tables[name].set_index(["map", "rival"])["auroc_mean"]
        for name in ("differences", "differences_corine")
    )
    np.testing.assert_allclose(of_corine, of_truth / 2)


def test_differences_are_paired_within_runs(runs):
    folder, values = runs
    table = benchmark.tables_of(benchmark.read_runs(folder / "tables"), folder)["differences"]
    (row,) = table.query("map == 'gan' and rival == 'deeplift'").to_dict("records")
    differences = values["gan"] - values["deeplift"]
    expected = ttest_1samp(differences, 0).confidence_interval(0.95)
    assert (row["auroc_low"], row["auroc_high"]) == pytest.approx((expected.low, expected.high))
    assert row["auroc_mean"] == pytest.approx(differences.mean())
    assert row["auroc_ahead"] == pytest.approx((differences > 0).mean())
    assert not len(table.query("map == rival"))


def test_differences_are_of_the_runs_that_have_both_methods(runs):
    folder, values = runs
    path = folder / "tables/default/seed-0-threads-1/methods.csv"
    table = pd.read_csv(path)
    table[table["method"] != "deeplift"].to_csv(path, index=False)
    table = benchmark.tables_of(benchmark.read_runs(folder / "tables"), folder)["differences"]
    (row,) = table.query("map == 'gan' and rival == 'deeplift'").to_dict("records")
    differences = (values["gan"] - values["deeplift"]).drop((0, 1))
    expected = ttest_1samp(differences, 0).confidence_interval(0.95)
    assert row["runs"] == len(differences) == 5
    assert (row["auroc_low"], row["auroc_high"]) == pytest.approx((expected.low, expected.high))
    assert row["auroc_ahead"] == pytest.approx((differences > 0).mean())


def test_each_classifier_has_a_row_with_what_its_maps_reach(runs):
    folder, values = runs
    table = benchmark.tables_of(benchmark.read_runs(folder / "tables"), folder)["classifiers"]
    assert len(table) == 6 and set(table.columns) >= {"presence", "accuracy", "gan", "deeplift"}
    assert "brightness" not in table  # a control
    for row in table.to_dict("records"):
        assert row["gan"] == values["gan"][row["seed"], row["threads"]]
        assert (row["presence"], row["accuracy"]) == (0.3, 0.95)


def test_periodic_tiles_are_counted_beyond_those_of_the_images(runs):
    folder, _ = runs
    tables = benchmark.tables_of(benchmark.read_runs(folder / "tables"), folder)
    row = tables["texture"].set_index("method").loc["gan"]
    assert (row["low"], row["high"], row["most_above_images"]) == (0, 2, 0)
    assert set(tables["covers"]["cover"]) == {"bog", "forest"}
    curves = tables["faithfulness"].set_index("method")
    assert curves.loc["gan", "mean"] == pytest.approx(runs[1]["gan"].mean())
    networks = tables["networks"].set_index("what")
    assert networks.loc["score of X-", "mean"] == 0.3 and networks.loc["presence", "mean"] == 0.3


def test_one_run_has_no_interval(tmp_path):
    write_run(tmp_path / "tables/default/seed-0-threads-1", dict.fromkeys(METHODS, 0.8), 0)
    tables = benchmark.tables_of(benchmark.read_runs(tmp_path / "tables"), tmp_path)
    assert tables["methods"]["auroc_sd"].isna().all()
    assert tables["differences"][["iou_low", "iou_high"]].isna().all(axis=None)


def test_the_command_writes_the_tables(runs, monkeypatch, capsys):
    folder, _ = runs
    output = folder / "out"
    monkeypatch.setattr("sys.argv", ["method", str(folder), "--output", str(output)])
    benchmark.main()
    assert {p.stem for p in output.iterdir()} == {
        "runs", "methods", "differences", "networks", "classifiers", "covers", "texture",
        "faithfulness", "methods_corine", "differences_corine",
    }  # fmt: skip
    assert f"{output / 'runs.csv'}: 24 rows" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="no finished run lies in"):
        benchmark.read_runs(folder / "none")


def test_rows_of_experiments_without_a_run_are_kept(runs, monkeypatch):
    folder, _ = runs
    output = folder / "out"
    monkeypatch.setattr("sys.argv", ["method", str(folder), "--output", str(output)])
    benchmark.main()
    before = {path.stem: pd.read_csv(path) for path in output.iterdir()}
    (folder / "tables/default").rename(folder / "tables/mixed")
    benchmark.main()
    for name, table in before.items():
        found = pd.read_csv(output / f"{name}.csv")
        assert len(found) == 2 * len(table)
        kept = found[found["experiment"] == "default"].reset_index(drop=True)
        pd.testing.assert_frame_equal(kept, table, check_dtype=False)


def test_earlier_runs_of_an_experiment_are_kept_and_count(runs, monkeypatch):
    folder, _ = runs
    output = folder / "out"
    monkeypatch.setattr("sys.argv", ["method", str(folder), "--output", str(output)])
    benchmark.main()
    whole = pd.read_csv(output / "methods.csv")
    for other in sorted((folder / "tables/default").iterdir())[1:]:
        other.rename(folder / other.name)
    benchmark.main()  # again, with one of the runs
    again = pd.read_csv(output / "methods.csv")
    pd.testing.assert_frame_equal(again, whole, rtol=1e-3, atol=1e-4)
    key = ["experiment", "seed", "threads", "method"]
    assert not pd.read_csv(output / "runs.csv").duplicated(key).any()
    assert (pd.read_csv(output / "texture.csv")["runs"] == 1).all()


def test_tuning_is_a_job_per_run_if_it_is_asked_for(tmp_path):
    text = plan(tmp_path, "seeds=1", "threads=[1]", "tuned=true")
    assert "output: tuned/default/seed-0-threads-1.csv" in text and text.count("rule tune:") == 1
