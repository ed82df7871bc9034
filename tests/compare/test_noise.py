"""The noise of an area: how often areas without a change lie outside."""

import numpy as np
import pytest
from rasterio.windows import Window
from scipy.ndimage import gaussian_filter

from wildlens.compare.cells import SIDE, Cells
from wildlens.compare.noise import noise_of_area

SIZE = 640


def change_without_cause(random, heavy: bool) -> np.ndarray:
    """Smooth differences of a scene with the noise of single pixels, float32 (SIZE, SIZE)."""
    smooth = gaussian_filter(random.standard_normal((SIZE, SIZE)), 20)
    change = smooth / smooth.std() + random.standard_normal((SIZE, SIZE))
    return (np.sign(change) * np.abs(change) ** (3 if heavy else 1)).astype(np.float32)


@pytest.mark.parametrize("heavy", [False, True], ids=["normal", "heavy tails"])
def test_few_areas_without_change_are_beyond_the_noise(heavy):
    random, beyond = np.random.default_rng(1), []
    for _ in range(20):
        change = change_without_cause(random, heavy)
        cells = Cells(change.shape)
        cells.add(change, Window(0, 0, SIZE, SIZE))
        for _ in range(20):
            side = int(random.integers(48, 160))
            top, left = random.integers(0, SIZE - side, 2)
            own = np.zeros(cells.total.shape, bool)
            rows, columns = (slice(at // SIDE, -(-(at + side) // SIDE)) for at in (top, left))
            own[rows, columns] = True
            noise = noise_of_area([cells], "", side**2, own)
            mean = float(change[top : top + side, left : left + side].mean())
            beyond.append(noise.exceeded_by(mean))
    assert 0.005 < np.mean(beyond) < 0.07
