"""The command line: help without heavy imports, and errors in one line without traceback."""

import errno
import hashlib
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from safetensors.numpy import save_file

from wildlens import cli as cli_module
from wildlens import provenance
from wildlens.cli import cli
from wildlens.train_classifier import step as training
from wildlens.training.checkpoint import SECONDS

ROOT = Path(__file__).parents[1]


def wildlens(*arguments, **options) -> subprocess.CompletedProcess:
    """Run the command in a process of its own, by its entry point."""
    code = "from wildlens.cli import main; main()"
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, **options)


AROUND = ("init", "run", "networks", "doctor")  # no steps of the pipeline
STEPS = [name for name in cli.commands if name not in AROUND]


@pytest.mark.parametrize("name", sorted(cli.commands))
def test_every_command_explains_itself(name):
    result = CliRunner().invoke(cli, [name, "--help"])
    assert result.exit_code == 0
    assert cli.commands[name].help and ("--output" in result.output) == (name in STEPS)


def takes_both(command) -> bool:
    return {"classifier", "generators"} <= {parameter.name for parameter in command.params}


OF_BOTH = sorted(name for name, command in cli.commands.items() if takes_both(command))


@pytest.mark.parametrize("name", OF_BOTH)
def test_generators_of_another_member_are_refused_by_every_command_that_takes_both(tmp_path, name):
    models = write_members(tmp_path)
    (tmp_path / "any").touch()  # what is read later
    words = [name, str(tmp_path / "any"), "-o", str(tmp_path / "out")]
    for parameter in cli.commands[name].params:
        if parameter.required and parameter.name in ("method", "attributions"):
            value = "gan" if parameter.name == "method" else str(tmp_path / "any")
            words += [parameter.opts[0], value]

    def said(classifier: int, generators: int) -> str:
        pair = ["--classifier", models["classifier", classifier]]
        pair += ["--generators", models["generators", generators]]
        return str(CliRunner().invoke(cli, [*words, *map(str, pair)]).exception)

    refusal = "generators-{}.safetensors: was trained through another classifier"
    assert refusal.format(2) in said(1, 2) and refusal.format(1) in said(2, 1)
    assert "another classifier" not in said(1, 1) + said(2, 2)


def write_members(folder: Path) -> dict[tuple[str, int], Path]:
    """Model files of two members, without networks."""
    found = {}
    for number in (1, 2):
        for name, kind in (("classifier", "local"), ("generators", "generator")):
            found[name, number] = path = folder / f"{name}-{number}.safetensors"
            through = [found["classifier", number]] if name == "generators" else []
            metadata = provenance.record("train", None, through)
            save_file({"a": np.full(1, number)}, path, metadata | {"kind": kind, "bands": "[]"})
    return found


def test_help_names_every_command_in_the_order_of_the_pipeline():
    text = " ".join(CliRunner().invoke(cli, ["--help"]).output.split())
    listed = re.search(r"in this order: (.*?)\.", text).group(1).split(", ")
    assert listed == STEPS


def test_help_imports_neither_torch_nor_rasterio():
    code = (
        "import sys\n"
        "from wildlens.cli import cli\n"
        "cli(['--help'], standalone_mode=False)\n"
        "heavy = {'torch', 'rasterio', 'numpy', 'geopandas', 'xarray', 'pydantic'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize(
    "step",
    [
        *("scene", "landcover", "tiles", "area_statistics"),
        *("figures", "qgis", "catalogue", "explore", "summary"),
    ],
)
def test_steps_without_networks_do_not_import_torch(step):
    code = f"import sys, wildlens.{step}.step; sys.exit('torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("given, megabytes", [(None, 256), ("64", 64)])
def test_gdal_keeps_no_share_of_the_machines_memory(monkeypatch, given, megabytes):
    monkeypatch.delenv("GDAL_CACHEMAX", raising=False)
    if given:
        monkeypatch.setenv("GDAL_CACHEMAX", given)
    code = (
        "from wildlens.cli import cli\n"
        "cli(['summary', '--help'], standalone_mode=False)\n"
        "import rasterio._env\n"
        "with rasterio.Env():\n"
        "    print(rasterio._env.get_gdal_config('GDAL_CACHEMAX'))\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert int(run.stdout.split()[-1]) == megabytes * 2**20, run.stderr


def test_version():
    assert CliRunner().invoke(cli, ["--version"]).output.startswith("wildlens, version ")


def test_a_missing_input_is_named(tmp_path):
    run = wildlens("scene", tmp_path / "nosuch.SAFE", "-o", tmp_path / "a.tif")
    assert run.returncode == 2
    assert "nosuch.SAFE' does not exist" in run.stderr and "Traceback" not in run.stderr


def test_a_wrong_setting_is_one_line_and_status_1(tmp_path):
    settings = tmp_path / "demo.yaml"
    settings.write_text("sise: 64\n")
    log = tmp_path / "logs/demo.log"
    run = wildlens("--log", log, "demo", "-o", tmp_path / "demo", "--settings", settings)
    line = f"wildlens: error: {settings}: unknown key 'sise' (did you mean 'size'?)\n"
    assert (run.returncode, run.stderr, run.stdout) == (1, line, "")
    assert log.read_text() == line
    assert not (tmp_path / "demo").exists()


def test_an_unexpected_error_reaches_the_log_with_its_traceback(tmp_path):
    log = tmp_path / "summary.log"
    code = (
        "from wildlens import cli\n"
        "from wildlens.summary import digest\n"
        "digest.read_summary = lambda *_: {}['nobody foresaw this']\n"
        "cli.main()\n"
    )
    command = [sys.executable, "-c", code, "--log", log, "summary", tmp_path]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 1
    first, second, *_, last = log.read_text().splitlines()
    problem = "KeyError: 'nobody foresaw this'"
    assert first == f"wildlens: unexpected error, please report it: {problem}"
    assert second.startswith("Traceback") and last == problem
    assert run.stderr == log.read_text()


def test_a_large_result_is_hashed_when_it_is_written(tmp_path, monkeypatch):
    source, output = tmp_path / "clc.tif", tmp_path / "landcover.tif"
    source.touch()

    def build(source, scene, output, settings):
        output.write_bytes(b"land cover")

    monkeypatch.setattr("wildlens.landcover.step.build_landcover", build)
    command = ["landcover", str(source), "--scene", str(source), "--output", str(output)]
    result = CliRunner().invoke(cli, command)
    assert result.exit_code == 0, result.output
    monkeypatch.setattr(provenance, "_sha256", lambda path: b"hashed again")
    assert provenance.sha256(output) == hashlib.sha256(b"land cover").hexdigest()


def test_an_unreadable_raster_is_one_line_and_status_1(tmp_path):
    scene = tmp_path / "scene.tif"
    scene.write_bytes(b"II*\0 and then nothing")
    out = tmp_path / "out.tif"
    run = wildlens("landcover", scene, "--scene", scene, "-o", out)
    assert run.returncode == 1
    assert run.stderr.startswith(f"wildlens: error: {scene}: ") and run.stderr.count("\n") == 1
    assert not out.exists()


def test_an_unknown_command_or_device_is_refused(tmp_path):
    assert wildlens("scenes").returncode == 2
    run = wildlens("train-classifier", tmp_path, "-o", "a", "--metrics", "b", "--device", "tpu")
    assert run.returncode == 2 and "tpu" in run.stderr


def test_jobs_take_device_and_interval_from_the_environment(tmp_path, monkeypatch):
    seen = {}
    monkeypatch.setattr(training, "train", lambda *arguments, **options: seen.update(options))
    result = CliRunner().invoke(
        cli,
        ["train-classifier", str(tmp_path), "-o", "a", "--metrics", "b", "--checkpoints", "c"],
        env={"WILDLENS_DEVICE": "mps", "WILDLENS_CHECKPOINT_SECONDS": "7"},
    )
    assert result.exit_code == 0, result.output
    assert seen == {
        "device": "mps",
        "checkpoints": Path("c"),
        "checkpoint_seconds": 7.0,
        "workers": 2,
    }


@pytest.mark.parametrize(
    ("output", "folder"),
    [("m/classifier.safetensors", "c"), ("m/classifier-2.safetensors", "c/classifier-2")],
)
def test_further_members_keep_their_checkpoints_apart(tmp_path, monkeypatch, output, folder):
    # else one would reject those of the other, which were made with another seed
    seen = {}
    monkeypatch.setattr(training, "train", lambda *arguments, **options: seen.update(options))
    arguments = ["train-classifier", str(tmp_path), "-o", output, "--metrics", "b"]
    result = CliRunner().invoke(cli, [*arguments, "--checkpoints", "c"])
    assert result.exit_code == 0 and seen["checkpoints"] == Path(folder), result.output


def test_trainings_save_as_often_as_their_commands_say():
    for name in ("train-classifier", "train-gan"):
        (option,) = [p for p in cli.commands[name].params if p.name == "checkpoint_seconds"]
        assert option.default == SECONDS


def test_logs_of_failed_attempts_stay(tmp_path):
    log, bad = tmp_path / "logs/demo.log", tmp_path / "demo.yaml"
    bad.write_text("sise: 64\n")
    for _ in range(2):
        wildlens("--log", log, "demo", "-o", tmp_path / "demo", "--settings", bad)
        log.unlink()  # as Snakemake does before another attempt
    kept = sorted(path.name for path in log.parent.iterdir())
    assert kept == ["demo.log.1", "demo.log.2"]
    assert "sise" in (log.parent / "demo.log.1").read_text()


def no_hard_links(path, target):
    raise OSError(errno.EPERM, "Operation not permitted")


@pytest.mark.parametrize("hard_links", [True, False])
def test_success_keeps_logs_of_failed_attempts_alone(tmp_path, monkeypatch, hard_links):
    if not hard_links:
        monkeypatch.setattr(Path, "hardlink_to", no_hard_links)
    log, failed = tmp_path / "logs/a.log", tmp_path / "logs/a.log.1"
    for before in (False, True):
        if before:
            failed.write_text("an attempt that failed")
        cli_module.start_log(log)
        log.write_text("an attempt that succeeds")
        cli_module.drop_second_name(log)
        assert log.read_text() == "an attempt that succeeds"
        assert [path.name for path in log.parent.glob("a.log.*")] == ["a.log.1"] * before
    assert failed.read_text() == "an attempt that failed"


def test_command_succeeds_on_a_file_system_without_hard_links(tmp_path):
    code = (
        "from pathlib import Path\n"
        "def refuse(path, target):\n"
        "    raise OSError('no hard links')\n"
        "Path.hardlink_to = refuse\n"
        "from wildlens.cli import main\n"
        "main()\n"
    )
    log = tmp_path / "init.log"
    command = [sys.executable, "-c", code, "--log", log, "init", tmp_path / "project"]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert [path.name for path in tmp_path.glob("*.log*")] == ["init.log"]


def test_log_that_is_removed_during_a_run_keeps_its_second_name(tmp_path):
    log = tmp_path / "a.log"
    cli_module.start_log(log)
    log.unlink()
    cli_module.drop_second_name(log)
    assert [path.name for path in tmp_path.iterdir()] == ["a.log.1"]


def test_success_leaves_one_log_and_a_checksum(tmp_path):
    log, checksum = tmp_path / "demo.log", tmp_path / "demo.txt"
    small = tmp_path / "demo.yaml"
    small.write_text("size: 256\nmapping_size: 256\n")
    out = tmp_path / "demo"
    run = wildlens("--log", log, "--checksum", checksum, "demo", "-o", out, "--settings", small)
    assert run.returncode == 0, run.stderr
    assert checksum.read_text() == f"{provenance.digest(out)}  {out.as_posix()}\n"
    assert [path.name for path in tmp_path.glob("demo.log*")] == ["demo.log"]
