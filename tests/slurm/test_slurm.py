"""The workflow on a real Slurm, by its profile, with what clusters do to jobs.

One run of the small demo is disturbed: its classifier training is cancelled midway, its GAN
training is held until its time limit kills it. It must end with the maps of an undisturbed run.
A second workflow, in which a product cannot be read, fails beside it.
"""

import itertools
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
import rasterio
import yaml
from cluster import Cluster

ROOT = Path(__file__).parents[2]
PROFILE = ROOT / "profiles/slurm"
SMALL = {
    "attribution": {"methods": ["gan"], "controls": ["brightness", "random"], "extras": []},
    # some seconds each, to be caught in the middle
    "classifier": {"epochs": 12},
    "gan": {"steps": 30},
}
# results depend on the number of threads in the last bits: the same on both sides
TRAININGS = {"train_classifier": "classifier", "train_gan": "gan"}  # rule -> its checkpoints
THREADS = [f"{rule}=1" for rule in (*TRAININGS, "map", "attribute", "evaluate")]
# what the tests look at; what comes after it runs in the same way
MAP = "results/maps/T35WNT/gan.tif"
EVALUATION = "results/evaluation/methods.csv"
LIMIT = 1800  # seconds for anything here; then a test fails

pytestmark = [
    pytest.mark.minutes,
    pytest.mark.skipif(
        bool(Cluster.missing()) and not os.environ.get("CI"),
        reason=f"no Slurm to start here (missing: {', '.join(Cluster.missing())})",
    ),
]


class Run:
    """Snakemake at work in a folder of its own."""

    def __init__(self, folder: Path, environment: dict[str, str], *arguments):
        folder.mkdir(exist_ok=True)
        self.folder, self.results = folder, folder / "results"
        self.said = folder / "snakemake.txt"
        beside = Path(sys.executable).parent
        path = f"{beside}:{environment.get('PATH', os.environ['PATH'])}"
        with self.said.open("w") as out:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "snakemake", "-s", ROOT / "Snakefile"),
                    *("--directory", folder, *map(str, arguments)),
                ],
                stdout=out,
                stderr=subprocess.STDOUT,
                env=os.environ | environment | {"PATH": path},
                start_new_session=True,
            )

    def ended(self) -> str:
        """What it said, when it has ended."""
        self.process.wait(LIMIT)
        return self.said.read_text()

    def stop(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def jobs(self, rule: str) -> list[str]:
        """Slurm's numbers of a rule's jobs, in the order in which they were submitted."""
        said = rf"submitted with SLURM jobid (\d+) \(log: \S*/rule_{rule}/"
        return re.findall(said, self.said.read_text())

    def hold(self, command: str, training: str) -> int:
        """Freeze a training when it has written a checkpoint; returns its process."""
        end = time.monotonic() + LIMIT
        while time.monotonic() < end and self.process.poll() is None:
            under_way = any((self.results / "checkpoints").glob(f"{training}-*.safetensors"))
            for process in processes(command, self.folder) if under_way else []:
                os.kill(process, signal.SIGSTOP)
                return process
            time.sleep(0.02)
        raise AssertionError(f"no checkpoint of {training}: {self.said.read_text()[-3000:]}")


def processes(command: str, folder: Path) -> list[int]:
    """Processes of a command of ours that work in a folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            here = (entry / "cwd").resolve() == folder.resolve()
        except OSError:
            continue
        # python, wildlens, --log FILE, --checksum FILE, command: and not the shell around it
        if here and command.encode() in words[:8] and b"-c" not in words[:3]:
            found.append(int(entry.name))
    return found


def until(happened, what: str) -> None:
    end = time.monotonic() + LIMIT
    while not happened():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.2)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture(scope="module")
def runs(cluster, tmp_path_factory):
    """The undisturbed run, the disturbed one, and the one that fails, all ended."""
    folder = tmp_path_factory.mktemp("runs")
    small = folder / "small.yaml"
    small.write_text(yaml.safe_dump(SMALL))
    demo = [
        *("--configfile", ROOT / "config.yaml", ROOT / "workflow/configs/tiny.yaml", small),
        *("--set-threads", *THREADS),
    ]
    slurm = ["--workflow-profile", PROFILE, "--slurm-init-seconds-before-status-checks", "3"]
    often = cluster.environment | {"WILDLENS_CHECKPOINT_SECONDS": "0"}
    started = {}
    try:
        started["disturbed"] = disturbed = Run(
            folder / "disturbed", often, *slurm, *demo, "--", MAP, EVALUATION
        )
        started["failing"] = Run(
            folder / "failing", cluster.environment, *slurm, *unreadable(folder), "--retries", "0"
        )
        disturbed.hold("train-classifier", "classifier")
        copy_of(disturbed, folder / "whole")
        cluster.run("scancel", disturbed.jobs("train_classifier")[0])
        disturbed.hold("train-gan", "gan")
        # held until its time limit ends it: Slurm looks every half minute
        cluster.run("scontrol", "update", f"JobId={disturbed.jobs('train_gan')[0]}", "TimeLimit=1")
        here = ["--cores", "2", "--resources", "gpu=1"]
        started["whole"] = Run(folder / "whole", {}, *here, *demo, "--", MAP)
        for run in started.values():
            run.ended()
        yield started
    finally:
        for run in started.values():
            run.stop()


def copy_of(run: Run, folder: Path) -> None:
    """A folder in which all is made that a run has made, with its times, but for what trains."""
    for name in ("resources", "results", ".snakemake/metadata"):
        shutil.copytree(run.folder / name, folder / name, ignore=lambda *_: ["checkpoints"])


def unreadable(folder: Path) -> list:
    """A workflow of one job, whose product is an empty folder."""
    product = folder / "S2A_MSIL2A_20230723T101601_N0509_R065_T35WNT_20230723T150312.SAFE"
    product.mkdir()
    for name in ("landcover.tif", "areas.gpkg"):
        (folder / name).touch()
    inputs = {
        "training": [{"name": "bad", "product": str(product)}],
        "mapping": [],
        "landcover": str(folder / "landcover.tif"),
        "areas": str(folder / "areas.gpkg"),
    }
    (folder / "bad.yaml").write_text(yaml.safe_dump({"inputs": inputs}))
    return ["results/scenes/bad.tif", "--configfile", ROOT / "config.yaml", folder / "bad.yaml"]


def records(cluster, run: Run) -> dict[str, list[dict]]:
    """Rule -> Slurm's records of its ended jobs, in the order of submission."""
    of_job = {record["JobId"]: record for record in cluster.finished()}
    rules = ["demo", "scene", "landcover", "tiles", *TRAININGS, "map", "attribute"]
    return {rule: [of_job[job] for job in run.jobs(rule)] for rule in [*rules, "evaluate"]}


def test_the_disturbed_run_ends_with_the_maps_of_the_undisturbed_one(runs):
    for name in ("whole", "disturbed"):
        assert runs[name].process.returncode == 0, runs[name].said.read_text()[-5000:]
    with (
        rasterio.open(runs["whole"].folder / MAP) as whole,
        rasterio.open(runs["disturbed"].folder / MAP) as disturbed,
    ):
        assert np.array_equal(whole.read(), disturbed.read(), equal_nan=True)


def test_trainings_that_slurm_ended_went_on_from_their_checkpoints(cluster, runs):
    ended = records(cluster, runs["disturbed"])
    assert [r["JobState"] for r in ended["train_classifier"]] == ["CANCELLED", "COMPLETED"]
    assert [r["JobState"] for r in ended["train_gan"]] == ["TIMEOUT", "COMPLETED"]
    for rule, training in TRAININGS.items():
        log = (runs["disturbed"].results / f"logs/{rule}.log").read_text()
        assert re.search(rf"{training}: resuming from step [1-9]\d*: ", log), log
        assert not list((runs["disturbed"].results / "checkpoints").glob("*.safetensors"))


def test_a_new_attempt_gets_more_memory_and_a_training_the_same_time(cluster, runs):
    first, second = records(cluster, runs["disturbed"])["train_classifier"]
    assert (first["TimeLimit"], second["TimeLimit"]) == ("480", "480")
    assert [megabytes(record) for record in (first, second)] == pytest.approx([8000, 16000], abs=10)


def megabytes(record: dict) -> float:
    """Memory that a job asked for; Slurm says it in the unit that comes out even."""
    number, unit = re.search(r"mem=([\d.]+)([MG])", record["Tres"]).groups()
    return float(number) * {"M": 1, "G": 1024}[unit]


def test_gpu_jobs_take_turns_while_cpu_jobs_run_beside_them(cluster, runs):
    def time_of(record, key):
        return datetime.fromisoformat(record[key])

    jobs = [r for rule in records(cluster, runs["disturbed"]).values() for r in rule]
    with_gpu = cluster.with_gpu()
    on_gpu = sorted((r for r in jobs if r["JobId"] in with_gpu), key=lambda r: r["StartTime"])
    # two trainings twice, a map, an attribution, the evaluation
    assert len(on_gpu) == 7
    for earlier, later in itertools.pairwise(on_gpu):
        assert time_of(earlier, "EndTime") <= time_of(later, "StartTime")
    beside = [
        record["JobId"]
        for record in jobs
        for other in on_gpu
        if record["JobId"] not in with_gpu
        and time_of(record, "StartTime") < time_of(other, "EndTime")
        and time_of(other, "StartTime") < time_of(record, "EndTime")
    ]
    assert beside, "the controls' attributions need no GPU"


def test_a_failing_job_names_its_rule_its_log_and_its_reason(runs):
    failing = runs["failing"]
    said = failing.said.read_text()
    assert failing.process.returncode != 0
    error = said[said.index("Error in rule scene:") :]
    assert "log: results/logs/scene/bad.log" in error
    assert "wildlens: error: " in error and ".SAFE" in error
    assert "Traceback" not in said
    assert not (failing.results / "scenes/bad.tif").exists()
