"""Text and tables of docs/performance.md."""

from collections.abc import Iterable, Sequence

from benchmarks.contestants import Task
from benchmarks.steps import Step


def page(parts: Iterable[str], machine: str, turns: int) -> str:
    """The whole page."""
    head = f"""# Performance

Written by `make benchmark`; do not edit. One run on one machine: {machine}.

The compared programs ran alternately, {turns} times each, in one thread. Times are processor
seconds of the process (user and system), and ratios are medians over the repetitions; both are
meaningful on a shared machine, too. Memory is the peak of a fresh process, including the
interpreter and torch.
"""
    return "\n".join([head, *parts])


def mapping(rows: Sequence[tuple], fastest: float, task: Task, side: int, mean: float) -> str:
    """Comparison of WildLens with other packages on one scene."""
    table = _table(
        ("", "s", "time / WildLens", "peak MB", "largest difference", "without the border"),
        [
            (name, f"{s:.1f}", f"{ratio:.2f}", f"{peak:.0f}", f"{all_:.1e}", f"{inner:.1e}")
            for name, s, ratio, peak, all_, inner in rows
        ],
    )
    return f"""## Mapping a scene: comparison with other packages

The paper's map, mean |X+ - X-|, of a scene of {side} x {side} px with 4 bands, from GeoTIFF to
GeoTIFF, with the same generators. The other packages use tiles of {task.tile} px, and WildLens its
default windows; "WildLens, same window size" reads windows of as many pixels as these tiles. All
use the halo that the generators need, {task.halo()} px. The difference is to one pass over the
whole scene (mean value {mean:.1e}). The other packages pad the image at the scene's border, where
each layer should pad its own input; therefore the last column excludes 64 px along the border.

{table}

The fastest other package takes {fastest:.2f} times as long as WildLens. Only the module
`tasks/tiled_inference.py` of terratorch is used, since the package needs torchvision; one function
that the module imports but does not call here is replaced by a stub. OmniCloudMask imports networks
that need torchvision and is not compared.
"""


def overhead(ratio: float) -> str:
    """Time of a map relative to its forward passes alone."""
    return f"""## Overhead

A map takes {ratio:.2f} times the processor time of the forward passes of its windows alone; the
rest is reading, overviews, statistics and writing.
"""


def sizes(rows: Sequence[tuple]) -> str:
    """Time and memory by size of the scene."""
    table = _table(
        ("side, px", "s", "s / Mpx", "peak MB"),
        [
            (str(side), f"{s:.1f}", f"{s / (side / 1000) ** 2:.2f}", f"{peak:.0f}")
            for side, s, peak in rows
        ],
    )
    return f"""## Size of the scene

The same map; one repetition each.

{table}
"""


def preprocessing(rows: Sequence[tuple]) -> str:
    """Time of each step up to the training set, relative to its minimum."""
    table = _table(
        ("", "side, px", "s", "s / Mpx", "time / minimum", "peak MB"),
        [
            (name, str(side), f"{s:.1f}", f"{s / (side / 1000) ** 2:.3f}", f"{ratio:.2f}",
             f"{peak:.0f}")
            for name, side, s, ratio, peak in rows
        ],
    )  # fmt: skip
    return f"""## From a product to a training set

A product of random land (SAFE, JPEG 2000, 4 bands and the scene classification), the CORINE raster
under it and protected areas. The minimum is the processor time of the unavoidable reading and
writing: decoding the product's images; writing the resulting land cover; decoding scene and land
cover once. One repetition each. Land cover takes much longer than its minimum, because each pixel
is reprojected exactly.

{table}
"""


def borders(rows: Sequence[tuple]) -> str:
    """Seams in maps of whole-tile methods."""
    table = _table(
        ("", "at tile borders", "elsewhere", "ratio"),
        [
            (name, f"{border:.3g}", f"{elsewhere:.3g}", f"{border / elsewhere:.2f}")
            for name, border, elsewhere in rows
        ],
    )
    return f"""## Seams between tiles

Methods that see whole tiles are mapped with overlapping tiles. The table has the mean difference
between neighbouring columns, at borders of tiles and elsewhere: with a ratio of 1 or less, the map
has no larger steps at the borders. The second band of each such map has the disagreement of
overlapping tiles.

{table}
"""


def occlusion(rows: Sequence[tuple]) -> str:
    """Occlusion by WildLens and by captum."""
    table = _table(
        ("classifier", "tile, px", "WildLens, s", "captum / WildLens", "largest difference",
         "largest value"),
        [
            (name, str(size), f"{s:.2f}", f"{ratio:.1f}", f"{difference:.1e}", f"{largest:.1e}")
            for name, size, s, ratio, difference, largest in rows
        ],
    )  # fmt: skip
    return f"""## Occlusion

Window 16, stride 8. WildLens recomputes only the values that the occluder can change; captum passes
the whole tile for each position. The possible gain depends on the classifier: a square of 16 px
changes the local logits of 48 x 48 px in the local architecture, and 76 x 76 px, a third of a tile
of 128 px, of the U-Net's full-size maps, whose last layers cost most. These pixels have to be
recomputed in any case.

{table}
"""


def gan(seconds: float, ratio: float) -> str:
    """A training step compared with that of a plain CycleGAN."""
    return f"""## A training step of the GAN

{seconds:.2f} s, {ratio:.2f} times the time of a plain CycleGAN step (adversarial, cycle and
identity losses in two domains) with the same networks and batch. The paper's step has four
generator passes and three classifier passes; the plain step has six generator passes.
"""


def steps(found: Iterable[Step]) -> str:
    """Steps of the demo compared with their minimum."""
    table = _table(
        ("step", "jobs", "s", "minimum, s", "time / minimum"),
        [
            (s.name, str(s.jobs), f"{s.took:.1f}", f"{s.floor:.1f}", f"{s.took / s.floor:.1f}")
            for s in found
        ],
    )
    return f"""## The steps of the demo

All jobs of each step, as Snakemake measured them, compared with a minimum: reading the images;
writing the land cover; reading scenes and land cover once; the same number of training steps on
one constant batch; passes over the same number of tiles. Starting a job (interpreter, imports)
takes 1 to 3 s, most of the time of the short steps, and is not part of the minimum. Snakemake
samples a job at intervals, and misses the last seconds of some.

{table}
"""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
