"""Estimate of the cost of mapping a whole region, from the cost of the demo's mapped scene.

    python benchmarks/estimate_region.py results --tiles 150 --dates 3

Reads the benchmark files and the sizes of the results of a finished run. Assumptions: a job takes
START seconds of processor time to start, and the rest grows with the number of pixels; memory does
not grow, since scenes are mapped strip by strip; bytes per pixel stay the same; no GPU.
"""

import csv
from pathlib import Path

import click
import rasterio

SIDE = 10_980  # of a Sentinel-2 tile, px
START = 4.0  # s of processor time: total of the demo's cheapest job (attribute, random)
PRODUCT = 1.0  # GB: a zipped Sentinel-2 L2A product; from 0.6 to 1.2


@click.command()
@click.argument("results", type=click.Path(exists=True, path_type=Path))
@click.option("--tiles", default=150, show_default=True)
@click.option("--dates", default=3, show_default=True)
@click.option("--jobs", default=50, show_default=True, help="Running at one time, one core each.")
def main(results: Path, tiles: int, dates: int, jobs: int) -> None:
    scenes = tiles * dates
    print(f"{tiles} tiles x {dates} dates = {scenes} scenes of {SIDE} x {SIDE} px")
    print("| job | processor, h per scene | memory, MB | result, MB per scene |")
    print("| --- | --- | --- | --- |")
    hours, stored, files = 0.0, 0.0, 0
    for step, benchmark, result in steps(results):
        with benchmark.open(newline="") as file:
            (row,) = csv.DictReader(file, delimiter="\t")
        with rasterio.open(result) as dataset:
            larger = SIDE**2 / (dataset.width * dataset.height)
        taken = (START + max(0.0, float(row["cpu_time"]) - START) * larger) / 3600
        size = result.stat().st_size * larger / 1e6
        print(f"| {step} | {taken:.2f} | {float(row['max_rss']):.0f} | {size:.0f} |")
        hours, stored = hours + taken, stored + size / 1e6
        files += len(list(result.parent.glob(f"{result.stem}.*"))) + 2  # and its log and benchmark
    print(f"per scene: {hours:.1f} h of one core, {stored * 1e3:.1f} GB")
    print(
        f"all: {len(list(steps(results))) * scenes} jobs, {hours * scenes:.0f} h of one core "
        f"({hours * scenes / jobs:.0f} h at {jobs} at a time), {stored * scenes:.2f} TB of results "
        f"from {PRODUCT * scenes / 1e3:.2f} TB of products, {files * scenes} files"
    )


def steps(results: Path):
    """Name, benchmark and result of each job of the mapped scene."""
    (scene,) = sorted(path.name for path in (results / "maps").iterdir() if path.is_dir())
    for step in ("scene", "landcover"):
        made = results / f"{step}s" if step == "scene" else results / step
        yield step, results / f"benchmarks/{step}/{scene}.tsv", made / f"{scene}.tif"
    for path in sorted((results / "maps" / scene).glob("*.tif")):
        yield f"map: {path.stem}", results / f"benchmarks/map/{scene}/{path.stem}.tsv", path


if __name__ == "__main__":
    main()
