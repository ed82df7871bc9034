"""A small world for the confidence: training tiles, members, and attributions that may disagree."""

import numpy as np
import torch
import xarray as xr
from attributed import BANDS, BOG, FOREST, HEATH, ROCK, SIDE, World, write_tiles

from wildlens.networks import weights
from wildlens.networks.classifier import LocalClassifier
from wildlens.tiles.store import consolidate

TRAINING, VALIDATION, TEST = 44, 16, 24
ARABLE = 12  # index of CORINE 211, non-irrigated arable land


class ConfidentWorld(World):
    """Tiles whose brightness and share of bog decide the label; attributions of all but training.

    Members of the method `gan` share the truth, and are wrong where they disagree.
    """

    def __init__(self, folder, members=1, seed=0):
        super().__init__(folder, seed)
        rng = np.random.default_rng(seed)
        count = TRAINING + VALIDATION + TEST
        self.members = members
        self.split = np.repeat(["train", "val", "test"], [TRAINING, VALIDATION, TEST])
        self.names = np.array([f"tile-{number:03d}" for number in range(count)])
        self.block = np.arange(count) // 4
        self.label = (np.arange(count) % 2).astype(np.int8)
        self.label[rng.random(count) < 0.1] ^= 1  # so that no score separates the labels
        shape = (count, SIDE, SIDE)
        natural = rng.choice([BOG, ROCK, FOREST, HEATH], shape, p=[0.5, 0.1, 0.3, 0.1])
        covers = [BOG, ROCK, FOREST, HEATH, ARABLE]
        other = rng.choice(covers, shape, p=[0.1, 0.1, 0.3, 0.1, 0.4])
        natural_tile = (np.arange(count) % 2 == 1)[:, None, None]
        self.truth = np.where(natural_tile, natural, other).astype(np.uint8)
        self.landcover = np.kron(self.truth[:, ::4, ::4], np.ones((1, 4, 4), np.uint8))
        bright = (
            900 + 400 * (self.truth == BOG)[:, None] + rng.normal(0, 150, (count, 3, SIDE, SIDE))
        )
        self.reflectance = bright.clip(1, 9999).astype(np.uint16)
        self.reflectance[TRAINING + 1, :, :3] = 0
        target = np.isin(self.landcover, [BOG, ROCK])
        torn = rng.random(shape) < 0.3  # where members disagree, and are wrong
        noise = rng.normal(0, 0.05, (members, *shape))
        spread = rng.normal(0, 1, (members, *shape)) * torn
        self.by_member = (np.where(torn, ~target, target) + noise + spread).astype(np.float32)
        self.attributions = {
            "gan": self.by_member.mean(axis=0, dtype=np.float64).astype(np.float32),
            "random": rng.random(shape).astype(np.float32),
        }
        for values in self.attributions.values():
            values[TRAINING + 1, :3] = np.nan
        self.by_member[:, TRAINING + 1, :3] = np.nan

    def write(self):
        write_tiles(self, np.random.default_rng(5).permutation(len(self.names)), label=self.label)
        attributed = (self.split != "train") & (self.label == 1)
        for method, values in self.attributions.items():
            variables = {"attribution": values}
            if method == "gan" and self.members > 1:
                high = (self.by_member > 0.5).mean(axis=0)
                variables["member_sd"] = self.by_member.std(axis=0, ddof=1)
                variables["member_agreement"] = np.where(np.isnan(values), np.nan, high)
            self._write_store(method, variables, attributed)
        self.classifiers = []
        for number in range(self.members):
            path = self.path(f"classifier-{number + 1}.safetensors")
            save_classifier(path, seed=number, shift=0.2 * number)
            self.classifiers.append(path)
        return self

    def _write_store(self, method, variables, keep):
        coordinates = {"name": self.names, "split": self.split, "block": self.block}
        store = xr.Dataset(
            {n: (("tile", "y", "x"), v.astype(np.float32)) for n, v in variables.items()},
            coords={n: ("tile", v.astype(object) if v.dtype.kind == "U" else v)
                    for n, v in coordinates.items()},
            attrs={"wildlens_method": method},
        )  # fmt: skip
        path = self.path(f"{method}.zarr")
        store.isel(tile=np.flatnonzero(keep)).to_zarr(
            path, mode="w", consolidated=False, zarr_format=3
        )
        consolidate(path)

    @property
    def stores(self):
        return [self.path(f"{method}.zarr") for method in self.attributions]


def save_classifier(path, seed=0, shift=0.0, **changed):
    """A classifier whose logit rises with the mean of its features: not trained, but not random."""
    torch.manual_seed(seed)
    network = LocalClassifier(3, width=2)
    network.standardise.set_statistics(torch.full((3,), 0.1), torch.full((3,), 0.02))
    network.evidence.bias.data += shift
    form = {"bands": BANDS, "tile_size": SIDE, "provenance": {}} | changed
    weights.save(
        path, {"classifier": network}, kind="local", arguments={"bands": 3, "width": 2}, **form
    )  # fmt: skip
