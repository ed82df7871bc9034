"""Land-cover legends: code, name and colour of each class.

A class has three numbers: its *index* (1..n, stored in our rasters, so that a colour table can hold
it), its *code* in the nomenclature (412), and its position in a target group.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from wildlens.errors import WildLensError


@dataclass(frozen=True)
class LandCoverClass:
    """One class of a legend; `rgb` in 0..255."""

    index: int
    code: int
    name: str
    rgb: tuple[int, int, int]


@dataclass(frozen=True)
class Legend:
    """The classes of a land-cover product in ascending order of codes. Index 0 is no data."""

    product: str
    classes: tuple[LandCoverClass, ...]

    @cached_property
    def _by_code(self) -> dict[int, LandCoverClass]:
        return {c.code: c for c in self.classes}

    def of_code(self, code: int) -> LandCoverClass:
        """The class with this code; KeyError if the legend has none."""
        return self._by_code[code]

    def index_of(self, code: int) -> int:
        """The index, as stored in rasters, of a code; KeyError if the legend has none."""
        return self._by_code[code].index

    def indices_of(self, codes) -> list[int]:
        """Indices of several codes, in their order."""
        return [self.index_of(code) for code in codes]

    def of_index(self, index: int) -> LandCoverClass:
        """The class with this index (1..n)."""
        if not 1 <= index <= len(self.classes):
            raise KeyError(index)
        return self.classes[index - 1]

    def check(self, indices: np.ndarray, where: str | Path) -> None:
        """Check that values are indices of this legend or 0 (no data).

        Raises:
            WildLensError: another value occurs; the message names the file `where`.
        """
        highest = indices.max(initial=0)
        if highest > len(self.classes):
            raise WildLensError(
                f"{where}: holds class {highest}, but the legend of {self.product} ends at "
                f"{len(self.classes)}; make it with wildlens landcover"
            )

    @cached_property
    def colormap(self) -> dict[int, tuple[int, int, int, int]]:
        """Colour table for a GeoTIFF: index -> RGBA; 0 is transparent."""
        return {0: (0, 0, 0, 0)} | {c.index: (*c.rgb, 255) for c in self.classes}

    @cached_property
    def flags(self) -> dict[str, list[int] | str]:
        """CF attributes of a variable of indices: each index, and its code and name as one word."""
        names = [re.sub(r"\W+", "_", f"{c.code} {c.name}") for c in self.classes]
        return {
            "flag_values": [0, *(c.index for c in self.classes)],
            "flag_meanings": " ".join(["no_data", *names]),
        }


# The official CORINE Land Cover nomenclature and colours (Copernicus Land Monitoring Service, EEA).
_CORINE = """\
111 230 0 77 Continuous urban fabric
112 255 0 0 Discontinuous urban fabric
121 204 77 242 Industrial or commercial units
122 204 0 0 Road and rail networks and associated land
123 230 204 204 Port areas
124 230 204 230 Airports
131 166 0 204 Mineral extraction sites
132 166 77 0 Dump sites
133 255 77 255 Construction sites
141 255 166 255 Green urban areas
142 255 230 255 Sport and leisure facilities
211 255 255 168 Non-irrigated arable land
212 255 255 0 Permanently irrigated land
213 230 230 0 Rice fields
221 230 128 0 Vineyards
222 242 166 77 Fruit trees and berry plantations
223 230 166 0 Olive groves
231 230 230 77 Pastures
241 255 230 166 Annual crops associated with permanent crops
242 255 230 77 Complex cultivation patterns
243 230 204 77 Agriculture with significant areas of natural vegetation
244 242 204 166 Agro-forestry areas
311 128 255 0 Broad-leaved forest
312 0 166 0 Coniferous forest
313 77 255 0 Mixed forest
321 204 242 77 Natural grasslands
322 166 255 128 Moors and heathland
323 166 230 77 Sclerophyllous vegetation
324 166 242 0 Transitional woodland-shrub
331 230 230 230 Beaches, dunes, sands
332 204 204 204 Bare rocks
333 204 255 204 Sparsely vegetated areas
334 0 0 0 Burnt areas
335 166 230 204 Glaciers and perpetual snow
411 166 166 255 Inland marshes
412 77 77 255 Peat bogs
421 204 204 255 Salt marshes
422 230 230 255 Salines
423 166 166 230 Intertidal flats
511 0 204 242 Water courses
512 128 242 230 Water bodies
521 0 255 166 Coastal lagoons
522 166 255 230 Estuaries
523 230 242 255 Sea and ocean
"""


def _parse(product: str, table: str) -> Legend:
    classes = []
    for index, line in enumerate(table.splitlines(), start=1):
        code, red, green, blue, name = line.split(maxsplit=4)
        rgb = (int(red), int(green), int(blue))
        classes.append(LandCoverClass(index, int(code), name, rgb))
    return Legend(product, tuple(classes))


CORINE = _parse("CORINE Land Cover", _CORINE)
