"""Small clouds, their shadows, and the edge of the swath."""

from dataclasses import dataclass

import numpy as np

from wildlens.demo.noise import Noise, rng_of

COVERAGE = 0.013  # of the area, clouds only
CLOUD = 0.52  # reflectance of a thick cloud in all bands
SHADOW = 0.55  # share of the light that a full shadow removes
LEAST = 0.05  # opacity below which there is no cloud
DISTANCE = (28, 48)  # px between a cloud and its shadow


@dataclass(frozen=True)
class Clouds:
    """Opacity 0..1 of clouds and of shadows, float32 (H, W); less than `LEAST` does not occur."""

    opacity: np.ndarray
    shadow: np.ndarray

    def cover(self, image: np.ndarray) -> None:
        """Darken and brighten one band, float32 (H, W) reflectance, in place."""
        image *= 1 - SHADOW * self.shadow
        image += self.opacity * (CLOUD - image)


def draw_clouds(height: int, width: int, seed: int, sun_azimuth: float) -> Clouds:
    """Clouds of 200 to 600 m with frayed borders; shadows fall away from the sun."""
    rng = rng_of(seed, "clouds")
    fray = Noise(256, 256, seed).power_law("cloud", 1.4)
    opacity = np.zeros((height, width), np.float32)
    shadow = np.zeros((height, width), np.float32)
    covered, wanted = 0.0, COVERAGE * height * width
    while covered < wanted:
        radius = rng.uniform(10, 30)
        cloud = _cloud(radius, fray, rng)
        row, column = rng.uniform(0, height), rng.uniform(0, width)
        far = rng.uniform(*DISTANCE)
        _stamp(opacity, cloud, row, column)
        _stamp(shadow, cloud, row + far * np.cos(sun_azimuth), column - far * np.sin(sun_azimuth))
        covered += np.count_nonzero(cloud)
    return Clouds(opacity, shadow)


def _cloud(radius: float, fray: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Opacity of one cloud, float32 (n, n)."""
    reach = int(1.5 * radius)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1] / np.float32(radius)
    top, left = rng.integers(0, len(fray) - 2 * reach, 2)
    ragged = fray[top : top + 2 * reach + 1, left : left + 2 * reach + 1]
    # the parabola falls to -1.2 at the rim of the stamp: the noise cannot reach it
    opacity = np.clip(1.8 * (1 - y**2 - x**2 + 0.35 * np.clip(ragged, -2, 2)), 0, 1)
    return np.where(opacity < LEAST, 0, opacity).astype(np.float32)


def _stamp(image: np.ndarray, stamp: np.ndarray, row: float, column: float) -> None:
    """Put a stamp centred at a pixel into an image, keeping the maximum; parts outside are cut."""
    top, left = int(row) - stamp.shape[0] // 2, int(column) - stamp.shape[1] // 2
    bottom, right = top + stamp.shape[0], left + stamp.shape[1]
    inside = image[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    part = stamp[max(-top, 0) :, max(-left, 0) :][: inside.shape[0], : inside.shape[1]]
    np.maximum(inside, part, out=inside)


def beyond_swath(height: int, width: int) -> np.ndarray:
    """Pixels past a slanted orbit edge, 6 % at the upper right; bool (H, W), in 2 x 2 blocks."""
    rows = (np.arange(height) // 2 * 2)[:, None] / height
    columns = (np.arange(width) // 2 * 2)[None] / width
    return columns > 0.88 + 0.12 * rows
