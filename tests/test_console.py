"""Tests of the console: a line per job with the time left; everything else is in the log file."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from snakemake_logger_plugin_wildlens.costs import SECONDS, cost
from snakemake_logger_plugin_wildlens.run import Run

ROOT = Path(__file__).parents[1]
SNAKEFILE = """
rule all:
    input: expand("maps/{scene}", scene=["north", "south"]), "settings", "bad" if config else []

rule map:
    output: "maps/{scene}"
    shell: "echo made {wildcards.scene} >&2; touch {output}"

rule settings:
    output: touch("settings")

rule bad:
    output: "bad"
    log: "bad.log"
    shell: "echo a wrong input > {log}; exit 1"
"""


class Clock:
    """A clock that tests set."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def run() -> tuple[Run, Clock]:
    """A run of two scenes and the training of the classifier, and its clock."""
    clock = Clock()
    run = Run(clock)
    run.plan({"scene": 2, "train_classifier": 1, "all": 1, "total": 4})
    return run, clock


def test_share_is_weighted_by_cost(run):
    run, clock = run
    whole = 2 * cost("scene") + cost("train_classifier")
    assert (run.total, run.share()) == (3, 0)
    run.start(1, "scene", {"scene": "north"})
    clock.now += cost("scene") / 2
    assert run.share() == pytest.approx(cost("scene") / 2 / whole)
    assert run.finish(1) == pytest.approx(cost("scene") / 2)
    assert run.share() == pytest.approx(cost("scene") / whole)
    assert run.done == 1


def test_job_that_takes_longer_than_usual_counts_as_nearly_done(run):
    run, clock = run
    run.start(1, "train_classifier", {})
    clock.now += 100 * cost("train_classifier")
    whole = 2 * cost("scene") + cost("train_classifier")
    assert run.share() == pytest.approx(cost("train_classifier") / whole)


def test_time_left_follows_from_time_taken(run):
    run, clock = run
    run.start(1, "train_classifier", {})
    clock.now += 60
    run.finish(1)
    share = run.share()
    minutes, seconds = divmod(round(60 * (1 - share) / share), 60)
    left = f"{minutes} min {seconds} s left" if minutes else f"{seconds} s left"
    assert left in run.progress() and run.progress().startswith("1 of 3")


def test_no_time_left_is_told_at_the_start_and_at_the_end(run):
    run, _ = run
    assert "left" not in run.progress()
    for job, rule in enumerate(["scene", "scene", "train_classifier"]):
        run.start(job, rule, {})
        run.finish(job)
    assert "left" not in run.progress() and "100%" in run.progress()


def test_job_that_was_not_told_of_is_not_counted(run):
    run, _ = run
    assert run.finish(7) == 0 and run.done == 0


def test_every_rule_of_the_demo_has_a_cost():
    rules = {
        name
        for path in (ROOT / "workflow" / "rules").glob("*.smk")
        for name in re.findall(r"^ *rule (\w+):", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert set(SECONDS) <= rules
    assert rules - set(SECONDS) <= {
        "fetch",
        "join",
        "anthroprotect",
        "compare",
        "combine_attributions",
        "combine_maps",
    }  # not run by the demo
    assert cost("train_gan_member") == cost("train_gan")


def snakemake(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    (folder / "Snakefile").write_text(SNAKEFILE, encoding="utf-8")
    words = [sys.executable, "-m", "snakemake", "--cores", "1", "--logger", "wildlens"]
    return subprocess.run(
        [*words, "--printshellcmds", "--show-failed-logs", *arguments],
        cwd=folder, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def test_console_has_a_line_per_job_and_the_log_file_all(tmp_path):
    done = snakemake(tmp_path)
    assert done.returncode == 0
    lines = done.stderr.splitlines()
    assert sum(line.endswith("map north") for line in lines) == 1
    assert sum(line.endswith("map south") for line in lines) == 1
    assert "made north" in lines  # what a job itself prints
    assert not any("settings" in line for line in lines)  # takes no time
    assert any(line.endswith(" 3 jobs: map") for line in lines)
    assert not any(word in done.stderr for word in ("reason:", "jobid:", "touch maps/", "rule map"))
    (log,) = (tmp_path / ".snakemake" / "log").glob("*.log")
    text = log.read_text(encoding="utf-8")
    assert str(log) in done.stderr
    assert "reason:" in text and "echo made north >&2; touch maps/north" in text


def test_failed_job_is_told_with_its_command_and_its_log(tmp_path):
    done = snakemake(tmp_path, "--config", "bad=1")
    assert done.returncode == 1
    assert "Error in rule bad" in done.stderr and "exit 1" in done.stderr
    assert "a wrong input" in done.stderr


def test_finished_run_says_that_nothing_is_to_be_done(tmp_path):
    snakemake(tmp_path)
    assert "Nothing to be done" in snakemake(tmp_path).stderr


@pytest.mark.parametrize("option", ["--dry-run", "--verbose"])
def test_dry_run_and_verbose_print_what_snakemake_prints(tmp_path, option):
    done = snakemake(tmp_path, option)
    assert "rule map:" in done.stderr + done.stdout and "reason:" in done.stderr + done.stdout


def test_default_profile_chooses_the_console():
    profile = yaml.safe_load((ROOT / "profiles/default/config.yaml").read_text(encoding="utf-8"))
    assert profile["logger"] == "wildlens"
