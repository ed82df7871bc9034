"""Properties that vary by neighbourhood: shares of covers, colours, haze, light, relief.

Each such quantity has a law (the distribution a single tile would draw it from). Here it becomes a
smooth field that follows that law at every pixel: Gaussian values at nodes, interpolated by cubic
B-splines, brought back to unit variance (interpolation had shrunk it), and mapped from the normal
distribution to the law.
"""

import numpy as np
from scipy.special import ndtr, ndtri

from wildlens.demo.noise import rng_of

CELL = 96  # px between nodes; with the splines' width, values change over about 1.3 km
STEP = 8  # px of the coarse grid on which laws are applied


class Neighbourhoods:
    """Smooth random fields over one scene, on a coarse grid of `STEP` px or at full size."""

    def __init__(self, height: int, width: int, seed: int):
        self.shape = (height, width)
        self.seed = seed

    def normal(self, name: str, cell: float = CELL) -> np.ndarray:
        """Standard normal everywhere, float32 (h, w) on the coarse grid; nodes `cell` px apart."""
        rows, columns = (_spline_matrix(n, cell) for n in self.shape)
        nodes = rng_of(self.seed, name).standard_normal((rows.shape[1], columns.shape[1]))
        return (rows @ nodes @ columns.T).astype(np.float32)

    def uniform(self, name: str) -> np.ndarray:
        """Uniform on (0, 1) at every location, float32 (h, w) on the coarse grid."""
        return ndtr(self.normal(name))

    def full(self, coarse: np.ndarray) -> np.ndarray:
        """Bilinear interpolation of a coarse field to every pixel, float32 (H, W)."""
        height, width = self.shape
        step = np.arange(STEP, dtype=np.float32) / STEP
        rows = coarse[:-1, None] + step[:, None] * np.diff(coarse, axis=0)[:, None]
        rows = rows.reshape(-1, coarse.shape[1])[:height]
        field = rows[:, :-1, None] + step * np.diff(rows, axis=1)[..., None]
        return np.ascontiguousarray(field.reshape(height, -1)[:, :width], np.float32)


def gamma_quantile(uniform: np.ndarray, shape: float) -> np.ndarray:
    """Gamma(shape)-distributed values from uniform ones; a table is accurate enough for shares."""
    from scipy.stats import gamma

    knots = ndtr(np.linspace(-4, 4, 400))
    return np.interp(uniform, knots, gamma.ppf(knots, shape)).astype(np.float32)


def beta_quantile(uniform: np.ndarray, a: float, b: float) -> np.ndarray:
    """Beta(a, b)-distributed values from uniform ones."""
    from scipy.stats import beta

    knots = ndtr(np.linspace(-4, 4, 400))
    return np.interp(uniform, knots, beta.ppf(knots, a, b)).astype(np.float32)


def threshold(share: np.ndarray) -> np.ndarray:
    """Threshold of a standard normal field that this share exceeds; inf for a share of 0."""
    cut = ndtri(1 - np.clip(share, 1e-6, 1 - 1e-6)).astype(np.float32)
    return np.where(share <= 1e-6, np.float32(9), cut)


def _spline_matrix(size: int, cell: float) -> np.ndarray:
    """Weights of nodes on the coarse grid, float64 (coarse, nodes), scaled to keep variance 1."""
    at = np.arange(-(-size // STEP) + 1) * STEP / cell
    nodes = np.arange(int(at[-1]) + 4) - 1
    distance = np.abs(at[:, None] - nodes)
    near = 2 / 3 - distance**2 + distance**3 / 2
    far = np.clip(2 - distance, 0, None) ** 3 / 6
    weights = np.where(distance < 1, near, far)
    return weights / np.sqrt((weights**2).sum(1, keepdims=True))
