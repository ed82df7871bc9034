"""The words and tables of docs/performance.md."""

from collections.abc import Iterable, Sequence

from benchmarks.contestants import Task
from benchmarks.steps import Step


def page(parts: Iterable[str], machine: str, turns: int) -> str:
    """The whole page."""
    head = f"""# Performance

Written by `make benchmark`; do not edit. One run on one machine: {machine}.

Contestants took turns, {turns} times each, in one thread. Times are processor seconds of the
process (user and system), ratios are medians over the turns: both hold on a machine that others
use, too. Memory is the peak of a fresh process, interpreter and torch included.
"""
    return "\n".join([head, *parts])


def mapping(rows: Sequence[tuple], fastest: float, task: Task, side: int, mean: float) -> str:
    """WildLens and peers on one scene."""
    table = _table(
        ("", "s", "time / WildLens", "peak MB", "largest difference", "without the border"),
        [
            (name, f"{s:.1f}", f"{ratio:.2f}", f"{peak:.0f}", f"{all_:.1e}", f"{inner:.1e}")
            for name, s, ratio, peak, all_, inner in rows
        ],
    )
    return f"""## A scene, beside the peers

The paper's map, mean |X+ - X-|, of a scene of {side} x {side} px with 4 bands, from GeoTIFF to
GeoTIFF, by the same generators. Peers use tiles of {task.tile} px and WildLens its default windows;
"the peers' tiles" is WildLens with windows that read as much. All get the halo that the generators
need, {task.halo()} px. The difference is to one pass over the whole scene (mean value {mean:.1e});
peers pad the image at the scene's border, where each layer should pad by itself, so the last column
leaves 64 px out.

{table}

The fastest peer takes {fastest:.2f} times as long as WildLens. terratorch is its module
`tasks/tiled_inference.py` alone, since the package needs torchvision: one function that the module
imports and that is not called here is a stand-in. OmniCloudMask imports networks that need
torchvision and is not compared.
"""


def overhead(ratio: float) -> str:
    """A map beside its bare forward passes."""
    return f"""## Overhead

A map takes {ratio:.2f} times the processor time of the bare passes of its windows: reading,
overviews, statistics and writing included.
"""


def sizes(rows: Sequence[tuple]) -> str:
    """Time and memory against the size of the scene."""
    table = _table(
        ("side, px", "s", "s / Mpx", "peak MB"),
        [
            (str(side), f"{s:.1f}", f"{s / (side / 1000) ** 2:.2f}", f"{peak:.0f}")
            for side, s, peak in rows
        ],
    )
    return f"""## Against the size of the scene

The same map; one turn each.

{table}
"""


def preprocessing(rows: Sequence[tuple]) -> str:
    """Each step up to the training set, beside its floor."""
    table = _table(
        ("", "side, px", "s", "s / Mpx", "time / floor", "peak MB"),
        [
            (name, str(side), f"{s:.1f}", f"{s / (side / 1000) ** 2:.3f}", f"{ratio:.2f}",
             f"{peak:.0f}")
            for name, side, s, ratio, peak in rows
        ],
    )  # fmt: skip
    return f"""## From a product to a training set

A product of random land (SAFE, JPEG 2000, 4 bands and the scene classification), the CORINE raster
under it and protected areas. Floors are: decoding the product's images; writing the land cover that
comes out; decoding scene and land cover once. One turn each. Land cover is far above its floor
because each pixel is reprojected exactly.

{table}
"""


def borders(rows: Sequence[tuple]) -> str:
    """Whether the tiles of whole-tile methods show."""
    table = _table(
        ("", "at tile borders", "elsewhere", "ratio"),
        [
            (name, f"{border:.3g}", f"{elsewhere:.3g}", f"{border / elsewhere:.2f}")
            for name, border, elsewhere in rows
        ],
    )
    return f"""## Do the tiles show?

Methods that see whole tiles are mapped by overlapping tiles. Mean difference between neighbouring
columns, where a tile begins or ends and elsewhere: a ratio of 1 or less says that values do not
jump there more. How far the tiles themselves disagree is the second band of each such map.

{table}
"""


def occlusion(rows: Sequence[tuple]) -> str:
    """Ours and captum's."""
    table = _table(
        ("classifier", "tile, px", "WildLens, s", "captum / WildLens", "largest difference",
         "largest value"),
        [
            (name, str(size), f"{s:.2f}", f"{ratio:.1f}", f"{difference:.1e}", f"{largest:.1e}")
            for name, size, s, ratio, difference, largest in rows
        ],
    )  # fmt: skip
    return f"""## Occlusion

Window 16, stride 8. WildLens computes anew only what the occluder reaches; captum passes the whole
tile for each position. How much there is to gain depends on the classifier: where a square of 16 px
is covered, 48 x 48 px of the local form's evidence change; of the U-Net's full-size maps, whose
last layers cost most, 76 x 76 px, a third of a tile of 128 px. That is the floor.

{table}
"""


def gan(seconds: float, ratio: float) -> str:
    """A training step beside the plain CycleGAN's."""
    return f"""## A training step of the GAN

{seconds:.2f} s, {ratio:.2f} times a plain CycleGAN step (adversarial, cycle and identity losses in
two domains) of the same networks and batch. The paper's step passes the generators four times and
the classifier three times; the plain one passes the generators six times.
"""


def steps(found: Iterable[Step]) -> str:
    """The steps of the demo."""
    table = _table(
        ("step", "jobs", "s", "floor, s", "time / floor"),
        [
            (s.name, str(s.jobs), f"{s.took:.1f}", f"{s.floor:.1f}", f"{s.took / s.floor:.1f}")
            for s in found
        ],
    )
    return f"""## The steps of the demo

All jobs of each step, as Snakemake measured them, beside the floor: reading the images; writing the
land cover; reading scenes and land cover once; as many training steps on a batch that stays the
same; passes over as many tiles. A job's start (interpreter, imports) takes 1 to 3 s and is in no
floor: it is most of what the short steps take. Snakemake looks at a job now and then, and misses
the last seconds of some.

{table}
"""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
