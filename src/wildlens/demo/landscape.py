"""A simulated landscape as Sentinel-2 would see it: covers, spectra, light, haze, noise.

Continuous over a scene of any size; everything follows from the seed.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from wildlens.demo.covers import BANDS, COVERS, INDEX, band_positions
from wildlens.demo.fields import with_fields
from wildlens.demo.layout import Layout, lay_out
from wildlens.demo.neighbourhood import STEP, Neighbourhoods
from wildlens.demo.noise import Noise, rng_of
from wildlens.demo.patches import Pixels
from wildlens.demo.textures import Textures

# path radiance of unit haze in the order of BANDS: it brightens the blue most
HAZE = np.array((0.020, 0.014, 0.010, 0.009, 0.006, 0.005, 0.004, 0.004, 0.001, 0.0), np.float32)
NEAR_INFRARED = ("B06", "B07", "B08", "B8A")  # varies with the vigour of vegetation
VEGETATION = 4  # scene class
SENSOR_NOISE = 0.0025  # reflectance, standard deviation
POINT_SPREAD = 0.55  # px, standard deviation


@dataclass(frozen=True)
class Landscape:
    """One simulated scene at 10 m."""

    cover: np.ndarray  # uint8 (H, W), index into covers.COVERS
    zone: np.ndarray  # int8 (H, W), +1 protected, -1 anthropogenic, 0 neutral
    reflectance: np.ndarray  # float32 (B, H, W), 0..1
    bands: tuple[str, ...]


def simulate(
    height: int,
    width: int,
    seed: int,
    bands: tuple[str, ...] = BANDS,
    contrast: float = 1.0,
    date: int = 0,
) -> Landscape:
    """Simulate a scene of `height` x `width` pixels of 10 m.

    Args:
        contrast: see `covers.spectra`.
        date: 0, or number of a later date of the same ground: vigour, light, haze and noise of the
            sensor are others, and fields have taken a part of one protected area (`fields`).
    """
    noise = Noise(height, width, seed)
    hood = Neighbourhoods(height, width, seed)
    positions = band_positions(bands)
    layout = lay_out(noise, hood)
    if date:
        layout = with_fields(layout)
    sky = Sky(Noise(height, width, seed + date), Neighbourhoods(height, width, seed + date))
    textures = Textures(layout, noise, positions, contrast)
    reflectance = _surface(layout, textures, hood, sky, positions)
    _observe(reflectance, layout, hood, sky, positions)
    return Landscape(layout.cover, layout.zone, reflectance, tuple(bands))


@dataclass(frozen=True)
class Sky:
    """Random fields of what differs from date to date."""

    noise: Noise
    hood: Neighbourhoods


def sun_azimuth(seed: int) -> float:
    """Sun azimuth over a scene in mid-morning, in radians from north over east."""
    return float(rng_of(seed, "sun").uniform(np.radians(155), np.radians(180)))


def _surface(
    layout: Layout, textures: Textures, hood: Neighbourhoods, sky: Sky, positions
) -> np.ndarray:
    """Texture times the colour that a cover has in this neighbourhood, float32 (B, H, W)."""
    reflectance = np.empty((len(positions), *layout.cover.shape), np.float32)
    vigour = 0.08 * sky.hood.normal("vigour")
    for index, cover in enumerate(COVERS):
        pixels = Pixels.where(layout.cover == index)
        values = textures.reflectance(cover.name, pixels)
        row, column = (at.astype(np.int32) // STEP for at in (pixels.row, pixels.column))
        common = 0.10 * hood.normal(f"{cover.name} colour")
        for b, position in enumerate(positions):
            tint = common + 0.04 * hood.normal(f"{cover.name} colour {BANDS[position]}")
            if cover.scene_class == VEGETATION and BANDS[position] in NEAR_INFRARED:
                tint = tint + vigour
            reflectance[b].ravel()[pixels.flat] = values[b] * np.exp(tint)[row, column]
    return reflectance


def _observe(reflectance, layout, hood, sky, positions) -> None:
    """Apply relief shading, the point spread, light, haze and sensor noise in place."""
    shade = _shading(layout, hood, sun_azimuth(sky.hood.seed))
    light = hood.full(np.exp(0.08 * sky.hood.normal("light")))
    haze = hood.full(-0.35 * np.log(1 - sky.hood.uniform("haze")))
    haze *= np.clip(1 + 0.3 * sky.noise.power_law("haze", 1.5), 0, None)
    light *= 1 - 0.03 * haze
    for image, position in zip(reflectance, positions, strict=True):
        image *= shade
        gaussian_filter(image, POINT_SPREAD, output=image, mode="nearest", truncate=3)
        image *= light
        image += HAZE[position] * haze
        rng = rng_of(sky.hood.seed, f"sensor {BANDS[position]}")
        image += SENSOR_NOISE * rng.standard_normal(image.shape, np.float32)
        np.clip(image, 0, 1, out=image)


def _shading(layout: Layout, hood: Neighbourhoods, azimuth: float) -> np.ndarray:
    """Slopes towards the sun are brighter; flat water is not, and bare rock is more, (H, W)."""
    down, right = np.gradient(layout.terrain)
    slope = np.float32(-np.cos(azimuth)) * down + np.float32(np.sin(azimuth)) * right
    relief = hood.full(0.1 + 0.9 * hood.uniform("relief"))
    strength = np.full(len(COVERS), 2.2, np.float32)
    strength[INDEX["water"]] = 0
    strength[INDEX["rock"]] *= 1.6
    return np.clip(1 - strength[layout.cover] * relief * slope, 0.4, 1.7)
