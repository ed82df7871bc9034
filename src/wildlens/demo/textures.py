"""Texture of each cover: the factor by which its spectrum is multiplied at each pixel.

Canopies are grainy, lakes are smooth, bogs have strings and flarks, fields differ parcel by parcel
and vary little within. Rows of crops are far too narrow for pixels of 10 m, so there are none.
benchmarks/land.py compares the power at periods of 2 to 20 px with that of real tiles.
"""

import numpy as np

from wildlens.demo.covers import (
    CROP_FRACTIONS,
    CROPS,
    GARDEN,
    INDEX,
    RED_ROOF,
    STRINGS,
    spectra,
)
from wildlens.demo.layout import Layout
from wildlens.demo.noise import Noise
from wildlens.demo.patches import Parcels, Pixels


class Textures:
    """Reflectance of the pixels of one cover before light and atmosphere."""

    def __init__(self, layout: Layout, noise: Noise, bands: list[int], contrast: float = 1.0):
        """`bands`: positions in `covers.BANDS`; `contrast`: see `covers.spectra`."""
        self._layout = layout
        self._spectra = spectra(contrast)
        self._bands = bands
        self._noise = noise
        self._canopy = noise.blurred("canopy", 0.7)
        self._smooth = noise.power_law("smooth", 1.5)
        self._medium = noise.power_law("medium", 0.9)
        self._fine = noise.power_law("fine", 0.3)

    def reflectance(self, name: str, pixels: Pixels) -> np.ndarray:
        """Reflectance of these pixels as the named cover, float32 (bands, n)."""
        canopy, smooth, medium, fine = (
            field.ravel()[pixels.flat]
            for field in (self._canopy, self._smooth, self._medium, self._fine)
        )
        spectrum = self._spectra[INDEX[name], self._bands][:, None]
        match name:
            case "conifer":
                return spectrum * (1 + 0.16 * canopy + 0.06 * smooth)
            case "broadleaf":
                return spectrum * (1 + 0.13 * canopy + 0.06 * smooth)
            case "water":
                return spectrum * (1 + 0.05 * smooth)
            case "clear-cut":
                # scattered trees are left standing
                return spectrum * (1 + 0.10 * medium - 0.35 * (canopy > 1.5))
            case "sand":
                return spectrum * (1 + 0.12 * smooth)
            case "bog":
                mottled = 1 + 0.08 * smooth
                return spectrum * mottled * self._strings(pixels, smooth, medium, fine)
            case "rock":
                return self._rock(spectrum, medium, fine)
            case "glacier":
                return spectrum * (1 + 0.05 * smooth)
            case "field":
                return self._fields(pixels, medium)
            case "settlement":
                return self._houses(spectrum, pixels)
            case "road":
                return np.repeat(spectrum, len(pixels.flat), axis=1)
            case _:  # grass, heath, dry meadow
                return spectrum * (1 + 0.14 * smooth + 0.05 * fine)

    def _strings(self, pixels, smooth, medium, fine) -> np.ndarray:
        """Strings and flarks: waves 5 to 10 px long, of one direction in each mire, (bands, n)."""
        mires = self._layout.mires
        patch = mires.at(pixels)
        along, _ = mires.along(pixels, patch)
        phase = 2 * np.pi / mires.draw("wavelength", 5, 10)[patch] * along
        phase += 3.2 * smooth + 1.2 * medium
        wave = np.tanh(1.6 * np.sin(phase) + 0.6 * fine) * mires.draw("contrast", 0.45, 0.85)[patch]
        return 1 + STRINGS[self._bands][:, None] * wave

    def _rock(self, spectrum, medium, fine) -> np.ndarray:
        """Dark fractures along the zero lines of a field, and specks of heath, (bands, n)."""
        fractures = 1.12 - 0.30 * np.clip(1 - 2.2 * np.abs(medium), 0, None)
        heath = self._spectra[INDEX["heath"], self._bands][:, None]
        return np.where(fine > 1.4, heath, spectrum * fractures)

    def _fields(self, pixels, medium) -> np.ndarray:
        """One land use per parcel, each with its own vigour and slight variation, (bands, n)."""
        parcels = Parcels(self._layout.farmland, pixels)
        draw = np.abs(parcels.draw("crop")) * 1e4 % 1  # uniform
        crop = np.searchsorted(np.cumsum(CROP_FRACTIONS)[:-1], draw)
        vigour = np.exp(0.10 * parcels.draw("vigour"))
        return CROPS[crop][:, self._bands].T * (vigour * (1 + 0.04 * medium))

    def _houses(self, spectrum, pixels) -> np.ndarray:
        """Gardens and red roofs among streets and grey roofs, (bands, n)."""
        lots = self._noise.blurred("lots", 0.6).ravel()[pixels.flat]
        garden, roof = (s[self._bands][:, None] for s in (GARDEN, RED_ROOF))
        return np.where(lots > 0.15, garden, np.where(lots < -0.9, roof, spectrum))
