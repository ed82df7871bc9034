"""Layout of the covers: zones first, then each cover as the top share of a noise field.

In the order of precedence: covers of one zone only, water, clear-cuts, sand, dry meadow, heath,
grass, broadleaf; conifer fills the rest. Shares have the same distribution in both zones.
"""

from dataclasses import dataclass

import numpy as np

from wildlens.demo.covers import COVERS, INDEX, SHARED
from wildlens.demo.neighbourhood import (
    STEP,
    Neighbourhoods,
    beta_quantile,
    gamma_quantile,
    threshold,
)
from wildlens.demo.noise import Noise, Warp, rng_of
from wildlens.demo.patches import Parcels, Patchwork, Pixels

ZONE_CELL = 280  # px between nodes; zones then alternate over 6 to 8 km
ZONE_SHARE = 0.42  # of the area: protected, and as much anthropogenic
FREE = 255


@dataclass(frozen=True)
class Layout:
    """Covers and zones of a scene, with the fields that textures use."""

    cover: np.ndarray  # uint8 (H, W), index into COVERS
    zone: np.ndarray  # int8 (H, W), +1 protected, -1 anthropogenic, 0 neutral
    terrain: np.ndarray  # float32 (H, W), height in standard deviations
    farmland: Patchwork
    mires: Patchwork


def lay_out(noise: Noise, hood: Neighbourhoods) -> Layout:
    """Draw the zones and place every cover."""
    zone, inwards = _zones(hood)
    terrain = noise.power_law("terrain", 2.2)
    warp = Warp(*(3.5 * noise.power_law(f"warp {axis}", 1.6) for axis in "yx"))
    farmland, mires = Patchwork(hood, "farmland"), Patchwork(hood, "mires")
    special = beta_quantile(hood.uniform("special share"), 1.2, 2.0) * 0.60 + 0.05
    cover = np.full(hood.shape, FREE, np.uint8)
    # special covers thin out towards the border of their zone, as parks and farmland do
    share = hood.full(special) * inwards
    wet = warp(_mix(-0.5, terrain, 0.9, noise.power_law("bog", 2.1)))
    _place_protected(cover, zone, share, wet, terrain, noise, hood, warp)
    _place_anthropogenic(cover, zone, share, wet, noise, hood, warp, farmland)
    _place_shared(cover, terrain, noise, hood, warp)
    _place_roads(cover, zone, hood)
    return Layout(cover, zone, terrain, farmland, mires)


def _mix(a: float, first: np.ndarray, b: float, second: np.ndarray) -> np.ndarray:
    """Weighted sum of two independent normal fields, of unit variance again."""
    scale = 1 / np.hypot(a, b)
    return np.float32(a * scale) * first + np.float32(b * scale) * second


def _zones(hood: Neighbourhoods) -> tuple[np.ndarray, np.ndarray]:
    """Zone, int8 (H, W), and depth inside it: 0 at its border, 1 from some 150 m inwards."""
    field = hood.full(hood.normal("zone", min(ZONE_CELL, 0.3 * min(hood.shape))))
    low, high = np.quantile(field[::4, ::4], [ZONE_SHARE, 1 - ZONE_SHARE])
    zone = (field > high).astype(np.int8) - (field < low).astype(np.int8)
    depth = np.maximum(field - high, low - field) / (0.12 * field.std())
    return zone, np.clip(depth, 0, 1)


def _place(cover: np.ndarray, name: str, mask: np.ndarray) -> None:
    """Give the free pixels of a mask to a cover."""
    cover[mask & (cover == FREE)] = INDEX[name]


def _place_protected(cover, zone, share, wet, terrain, noise, hood, warp) -> None:
    """Bogs in the hollows, rock on the heights; the top of some rock is a glacier."""
    # 45 % of the neighbourhoods have only bog, 20 % only rock, the others both
    bog = np.interp(
        hood.uniform("bog or rock"), [0, 0.43, 0.47, 0.78, 0.82, 1], [1, 1, 0.7, 0.3, 0, 0]
    ).astype(np.float32)
    bog = hood.full(bog)
    protected = zone > 0
    _place(cover, "bog", protected & (wet > threshold(share * bog)))
    high = warp(_mix(0.8, terrain, 0.6, noise.power_law("rock", 2.1)))
    rock = share * (1 - bog) / (1 - share * bog)
    ice = rock * 0.3 * (hood.full(hood.uniform("ice age")) < 0.12)
    _place(cover, "glacier", protected & (high > threshold(ice)))
    _place(cover, "rock", protected & (high > threshold(rock)))


def _place_anthropogenic(cover, zone, share, wet, noise, hood, warp, farmland) -> None:
    """Villages as blobs, fields as whole parcels in hollows, where bogs would be."""
    # 60 % of the neighbourhoods have a village, with 0.05 to 0.35 of the special share
    village = np.interp(hood.uniform("village"), [0, 0.38, 0.42, 1], [0, 0, 0.05, 0.35])
    village = hood.full(village.astype(np.float32))
    anthropogenic = zone < 0
    houses = warp(noise.power_law("village", 2.1))
    _place(cover, "settlement", anthropogenic & (houses > threshold(share * village)))
    pixels = Pixels.where(anthropogenic)
    field = (share * (1 - village) / (1 - share * village)).ravel()[pixels.flat]
    parcels = Parcels(farmland, pixels)
    chosen = np.zeros(cover.shape, bool)
    chosen.ravel()[pixels.flat] = parcels.mean(wet.ravel()[pixels.flat]) > threshold(field)
    _place(cover, "field", chosen)


def _place_shared(cover, terrain, noise, hood, warp) -> None:
    """Place the covers of both zones in order of precedence, on pixels that are still free."""
    weights = {i: gamma_quantile(hood.uniform(COVERS[i].name), COVERS[i].weight) for i in SHARED}
    order = [INDEX[n] for n in ("water", "clear-cut", "sand", "dry meadow", "heath", "grass")]
    left = sum(weights.values())
    for i in [*order, INDEX["broadleaf"]]:
        name = COVERS[i].name
        if name == "clear-cut":
            field = _parcel_field(noise, hood)
        else:
            field = warp(noise.power_law(name, 2.1))
        if name == "water":
            field = _mix(-1, terrain, 1, field)
            _place(cover, "water", _rivers(noise, hood))
        _place(cover, name, field > hood.full(threshold(weights[i] / left)))
        left = left - weights[i]
    cover[cover == FREE] = INDEX["conifer"]


def _parcel_field(noise: Noise, hood: Neighbourhoods) -> np.ndarray:
    """A normal field that is constant in each parcel of the forestry, float32 (H, W)."""
    pixels = Pixels.where(np.ones(hood.shape, bool))
    parcels = Parcels(Patchwork(hood, "forestry"), pixels)
    return parcels.draw("felled").reshape(hood.shape)


def _rivers(noise: Noise, hood: Neighbourhoods) -> np.ndarray:
    """Rivers along the zero lines of a field, in 40 % of the neighbourhoods, bool (H, W)."""
    width = np.interp(hood.uniform("river"), [0, 0.58, 0.64, 1], [0, 0, 0.04, 0.04])
    return np.abs(noise.power_law("river", 3.0)) < hood.full(width.astype(np.float32))


def _place_roads(cover, zone, hood) -> None:
    """Two families of winding lines across the anthropogenic zone; they spare the water."""
    half_width = hood.uniform("road width") * 0.5 + 0.6  # px
    allowed = (zone < 0) & (cover != INDEX["water"])
    y, x = (np.arange(-(-n // STEP) + 1, dtype=np.float32) * STEP for n in cover.shape)
    for name, spacing in (("road", 230), ("track", 310)):
        angle = rng_of(hood.seed, f"{name} angle").uniform(0, np.pi)
        straight = (x * np.cos(angle) + y[:, None] * np.sin(angle)) / spacing
        phase = straight + 0.3 * hood.normal(f"{name} bend", 260)
        slope = np.hypot(*np.gradient(phase, STEP))  # so that a bend does not widen the road
        phase, reach = hood.full(phase), hood.full(half_width * slope)
        cover[allowed & (np.abs(phase - np.rint(phase)) < reach)] = INDEX["road"]
