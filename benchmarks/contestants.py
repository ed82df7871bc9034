"""Ways to map a whole scene with the same generators: WildLens, other packages, one untiled pass.

Each takes a GeoTIFF and writes a float32 GeoTIFF of mean |w+(X) - w-(X)|. The other packages tile
in memory, so each function also reads the scene and writes the map, as a user of the package would.
They get the halo that WildLens derives, on all sides, so that their interior can be exact.
"""

import importlib.metadata
import importlib.util
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
import torch

from wildlens.attribution.create import create
from wildlens.attribution.models import Models
from wildlens.map.step import map_scene
from wildlens.networks.images import to_images
from wildlens.settings import Attribution


@dataclass(frozen=True)
class Task:
    """The common task: a scene, the models, and the side of the other packages' tiles in pixels."""

    scene: Path
    classifier: Path
    generators: Path
    tile: int

    def network(self) -> Callable[[torch.Tensor], torch.Tensor]:
        """(N, C, H, W) reflectance -> (N, 1, H, W)."""
        models = Models(self.classifier, self.generators, torch.device("cpu"))
        method = create("gan", models, Attribution())
        return lambda images: method(images)[:, None]

    def halo(self) -> int:
        """Halo of the method, px."""
        models = Models(self.classifier, self.generators, torch.device("cpu"))
        return create("gan", models, Attribution()).halo

    def read(self) -> np.ndarray:
        """(C, H, W) float32 reflectance; the benchmark's scenes have no missing pixels."""
        with rasterio.open(self.scene) as dataset:
            images, _ = to_images(dataset.read()[None], torch.zeros(dataset.count))
        return images[0].numpy()

    def write(self, values: np.ndarray, output: Path) -> None:
        """(H, W) float32."""
        with rasterio.open(self.scene) as dataset:
            profile = dataset.profile
        profile |= {"count": 1, "dtype": "float32", "nodata": float("nan"), "compress": "DEFLATE"}
        profile |= {"tiled": True, "blockxsize": 512, "blockysize": 512, "predictor": 3}
        with rasterio.open(output, "w", **profile) as dataset:
            dataset.write(values, 1)


def untiled(task: Task, output: Path) -> None:
    """The reference: the whole scene in one pass."""
    images = torch.from_numpy(task.read())[None]
    task.write(task.network()(images)[0, 0].numpy(), output)


def wildlens(task: Task, output: Path, **settings) -> None:
    """WildLens by its own step, which also writes overviews, statistics and provenance."""
    settings = Attribution(**settings)
    map_scene(task.scene, "gan", task.classifier, task.generators, output, settings, "cpu")


def wildlens_same_tiles(task: Task, output: Path) -> None:
    """WildLens with windows that read as many pixels as the other packages' tiles."""
    wildlens(task, output, window=task.tile - 2 * task.halo())


def tiler(task: Task, output: Path) -> None:
    """tiler with its "overlap-tile" window, which trims the overlap, on a padded scene."""
    from tiler import Merger, Tiler

    image, network = task.read(), task.network()
    tiling = Tiler(
        data_shape=image.shape,
        tile_shape=(len(image), task.tile, task.tile),
        overlap=(0, 2 * task.halo(), 2 * task.halo()),
        channel_dimension=0,
        mode="reflect",
    )
    shape, padding = tiling.calculate_padding()
    shape[0], padding[0] = len(image), (0, 0)
    tiling.recalculate(data_shape=shape)
    padded = np.pad(image, padding, mode="reflect")
    result = Tiler(
        data_shape=(1, *shape[1:]),
        tile_shape=(1, task.tile, task.tile),
        overlap=(0, 2 * task.halo(), 2 * task.halo()),
        channel_dimension=0,
    )
    merger = Merger(result, window="overlap-tile")
    for number, tile in tiling(padded):
        images = torch.from_numpy(np.ascontiguousarray(tile, np.float32))[None]
        merger.add(number, network(images)[0].numpy())
    merged = merger.merge(extra_padding=[(0, 0), *padding[1:]], dtype=np.float32)
    task.write(merged[0], output)


def toolbelt(task: Task, output: Path) -> None:
    """pytorch-toolbelt's ImageSlicer and TileMerger, weight 0 in the halo."""
    tiles = _module_alone("pytorch_toolbelt", "inference/tiles.py")
    image, network, halo = task.read().transpose(1, 2, 0), task.network(), task.halo()
    step = task.tile - 2 * halo
    weight = np.zeros((task.tile, task.tile), np.float32)
    weight[halo:-halo, halo:-halo] = 1
    after = [halo + (-side) % step for side in image.shape[:2]]
    slicer = tiles.ImageSlicer(
        image.shape, task.tile, step, image_margin=[halo, after[1], halo, after[0]], weight=weight
    )
    merger = tiles.TileMerger(slicer.target_shape, 1, slicer.weight)
    for tile, place in slicer.iter_split(image, border_type=4):  # cv2.BORDER_REFLECT_101
        images = torch.from_numpy(np.ascontiguousarray(tile.transpose(2, 0, 1)))[None]
        merger.integrate_batch(network(images), [place])
    # the sum of weights is 0 in the margins only, which are cut off
    merged = (merger.image / merger.norm_mask.clamp(min=1e-6))[0].numpy()
    task.write(slicer.crop_to_orignal_size(merged), output)


def terratorch(task: Task, output: Path) -> None:
    """terratorch's tiled_inference with reflected padding and trimmed borders, no blending."""
    tiled_inference = _module_alone(
        "terratorch", "tasks/tiled_inference.py", stand_in="terratorch.models.utils.pad_images"
    ).tiled_inference
    images, halo = torch.from_numpy(task.read())[None], task.halo()
    crop = {"crop": task.tile, "stride": task.tile - 2 * halo, "delta": halo, "batch_size": 1}
    values = tiled_inference(
        task.network(),
        images,
        average_patches=True,
        blend_overlaps=False,
        padding="reflect",
        **crop,
    )
    task.write(values[0, 0].numpy(), output)


def _module_alone(package: str, path: str, stand_in: str = "") -> types.ModuleType:
    """Import one file of a package without the rest of it, which needs torchvision.

    Args:
        stand_in: a function that the file imports from its package and that is not called here;
            replaced by None.
    """
    name = f"alone_{package}"
    if name in sys.modules:
        return sys.modules[name]
    parents = stand_in.split(".")[:-1]
    for depth in range(1, len(parents) + 1):
        sys.modules.setdefault(".".join(parents[:depth]), types.ModuleType(parents[depth - 1]))
    if stand_in:
        setattr(sys.modules[".".join(parents)], stand_in.split(".")[-1], None)
    file = Path(importlib.metadata.distribution(package).locate_file(f"{package}/{path}"))
    spec = importlib.util.spec_from_file_location(name, file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


OURS = {"WildLens": wildlens, "WildLens, same window size": wildlens_same_tiles}
PEERS = {
    "tiler 0.6": tiler,
    "pytorch-toolbelt 0.8": toolbelt,
    "terratorch 1.2, its tiled_inference": terratorch,
}
