"""Random fields with a power-law spectrum: the roughness of terrain, canopies and borders.

White noise in the Fourier half-plane times frequency^-beta: one real inverse FFT per field. Every
field is seeded by its name, so that adding one does not change the others.
"""

import zlib
from functools import lru_cache

import numpy as np
from scipy import fft

# px; longer waves are damped, so that shares are met within a neighbourhood. Patches are half as
# wide: many exceed CORINE's 25 ha, and a tile contains several
LONGEST = 160
MARGIN = LONGEST  # px; without a margin, the periodic FFT would continue the left edge at the right


def rng_of(seed: int, name: str) -> np.random.Generator:
    """The generator that belongs to a name."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


class Noise:
    """Stationary Gaussian fields of mean 0 and standard deviation 1 over one scene."""

    def __init__(self, height: int, width: int, seed: int):
        self.shape = (height, width)
        self.seed = seed
        self._padded = tuple(fft.next_fast_len(n + MARGIN, real=True) for n in self.shape)
        self._amplitude = lru_cache(maxsize=4)(self._power_law_amplitude)

    def power_law(self, name: str, beta: float) -> np.ndarray:
        """Field of amplitude f^-beta, float32 (H, W): 0.3 grainy, 1.5 smooth, 2.2 like terrain."""
        return self._field(name, self._amplitude(beta))

    def blurred(self, name: str, sigma: float) -> np.ndarray:
        """White noise blurred by a Gaussian of `sigma` pixels, float32 (H, W)."""
        return self._field(name, np.exp(-2 * (np.pi * sigma * self._frequency()) ** 2))

    def _field(self, name: str, amplitude: np.ndarray) -> np.ndarray:
        rng = rng_of(self.seed, name)
        spectrum = rng.standard_normal((*amplitude.shape, 2), np.float32).view(np.complex64)[..., 0]
        spectrum *= amplitude
        spectrum[0, 0] = 0
        height, width = self.shape
        field = fft.irfft2(spectrum, self._padded, overwrite_x=True)[:height, :width]
        field = field - field.mean(dtype=np.float64).astype(np.float32)
        field /= field.std(dtype=np.float64).astype(np.float32)
        return field

    def _frequency(self) -> np.ndarray:
        """Frequency in cycles per pixel on the half-plane of the FFT, float32, above 0."""
        height, width = self._padded
        rows = fft.fftfreq(height).astype(np.float32)[:, None]
        columns = fft.rfftfreq(width).astype(np.float32)[None]
        return np.maximum(np.hypot(rows, columns), np.float32(1e-9))

    def _power_law_amplitude(self, beta: float) -> np.ndarray:
        frequency = self._frequency() * LONGEST
        return np.where(frequency < 1, frequency**2, frequency**-beta)


class Warp:
    """Domain warping: fields are sampled at displaced pixels, which frays the borders of covers."""

    def __init__(self, rows: np.ndarray, columns: np.ndarray):
        """Displacements in pixels, float32 (H, W)."""
        height, width = rows.shape
        y = np.arange(height, dtype=np.int32)[:, None] + np.rint(rows).astype(np.int32)
        x = np.arange(width, dtype=np.int32)[None] + np.rint(columns).astype(np.int32)
        np.clip(y, 0, height - 1, out=y)
        np.clip(x, 0, width - 1, out=x)
        y *= width
        y += x
        self._index = y

    def __call__(self, field: np.ndarray) -> np.ndarray:
        """The warped field, same shape and dtype."""
        return field.ravel()[self._index]
