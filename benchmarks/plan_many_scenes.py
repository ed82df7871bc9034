"""Time and memory that Snakemake needs to plan the workflow for many scenes.

    python benchmarks/plan_many_scenes.py --scenes 200

Runs `snakemake -n` with empty folders as products; nothing is computed.
"""

import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import yaml

ROOT = Path(__file__).parents[1]


@click.command()
@click.option("--scenes", default=200, show_default=True, help="Scenes that are mapped.")
def main(scenes: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        configuration = folder / "many.yaml"
        configuration.write_text(yaml.safe_dump({"inputs": {"mapping": products(folder, scenes)}}))
        command = [sys.executable, "-m", "snakemake", "-s", ROOT / "Snakefile"]
        command += ["--directory", folder, "--configfile", ROOT / "config.yaml", configuration]
        start, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
        run = subprocess.run([*command, "-n"], capture_output=True, text=True)
        seconds, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if run.returncode:
        sys.exit(run.stdout + run.stderr)
    (jobs,) = re.findall(r"^total +(\d+)$", run.stdout, re.MULTILINE)[:1]
    processor = after.ru_utime - before.ru_utime
    print(
        f"{scenes} scenes, {jobs} jobs: {seconds:.1f} s, {processor:.1f} s of processor time, "
        f"{after.ru_maxrss / 1024:.0f} MB"
    )


def products(folder: Path, count: int) -> list[dict]:
    """Empty folders with the names of products."""
    listed = []
    for number in range(count):
        path = folder / f"S2A_MSIL2A_20230723T101601_N0509_R065_T{number:05d}.SAFE"
        path.mkdir()
        listed.append({"name": f"scene{number:03d}", "product": str(path)})
    return listed


if __name__ == "__main__":
    main()
