"""The covers of the simulated region: what they are called, how they look, where they may lie.

Which covers tell protected land from anthropogenic land is known here by construction: bog, rock
and glacier lie in protected areas only; field, settlement and road in the anthropogenic zone only;
all others everywhere, by the same law. Each discriminative cover has a twin among the shared
ones (heath for bog, sand for rock, dry meadow and clear-cut for fields), so that brightness does
not find it.
"""

from dataclasses import dataclass

import numpy as np

BANDS = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")


@dataclass(frozen=True)
class Cover:
    """One cover."""

    name: str
    code: int  # CORINE code of the truth
    scene_class: int  # Sen2Cor's: 4 vegetation, 5 not vegetated, 6 water, 11 snow or ice
    weight: float  # Dirichlet parameter of its local share; 0 for covers of one zone
    spectrum: tuple[float, ...]  # surface reflectance in July, in the order of BANDS


# B02, B03, B04 and B08 were measured to be learnable and not to be found by brightness; the others
# follow typical L2A spectra and, for heath and bog, the ratios of medians of a real Norwegian tile.
# The near infrared of crops is low for July: at its true height, the mean B08 of a tile alone would
# tell farmland from protected land, and the networks would learn that and nothing else.
_SHARED = """\
312  4 2.2  .022 .036 .026 .062 .160 .188 .200 .212 .105 .050  conifer
311  4 1.0  .026 .050 .030 .085 .245 .300 .320 .335 .165 .075  broadleaf
512  6 0.9  .026 .026 .018 .016 .013 .012 .012 .011 .006 .004  water
321  4 0.9  .036 .068 .054 .115 .235 .275 .290 .305 .215 .115  grass
322  4 0.9  .035 .054 .050 .095 .172 .193 .205 .215 .168 .090  heath
324  5 0.9  .050 .070 .084 .125 .175 .192 .205 .220 .265 .180  clear-cut
321  4 0.8  .066 .096 .112 .155 .215 .237 .255 .270 .290 .190  dry meadow
331  5 0.6  .105 .135 .160 .185 .205 .220 .235 .245 .300 .260  sand
"""
_PROTECTED = """\
412  4 0    .032 .052 .057 .096 .150 .168 .182 .192 .126 .068  bog
332  5 0    .082 .098 .110 .125 .140 .152 .165 .172 .215 .180  rock
335 11 0    .420 .440 .430 .425 .410 .400 .380 .360 .060 .045  glacier
"""
_ANTHROPOGENIC = """\
211  4 0    .050 .080 .078 .116 .181 .207 .220 .231 .202 .131  field
112  5 0    .095 .105 .115 .135 .175 .190 .205 .215 .220 .180  settlement
122  5 0    .085 .092 .100 .115 .130 .140 .150 .158 .185 .160  road
"""


def _parse(table: str) -> tuple[Cover, ...]:
    covers = []
    for line in table.splitlines():
        code, scene_class, weight, *spectrum, name = line.split(maxsplit=3 + len(BANDS))
        values = tuple(float(value) for value in spectrum)
        covers.append(Cover(name, int(code), int(scene_class), float(weight), values))
    return tuple(covers)


COVERS = _parse(_SHARED) + _parse(_PROTECTED) + _parse(_ANTHROPOGENIC)
INDEX = {cover.name: position for position, cover in enumerate(COVERS)}
SHARED = tuple(INDEX[cover.name] for cover in _parse(_SHARED))
PROTECTED_ONLY = tuple(INDEX[cover.name] for cover in _parse(_PROTECTED))
ANTHROPOGENIC_ONLY = tuple(INDEX[cover.name] for cover in _parse(_ANTHROPOGENIC))

SPECTRA = np.array([c.spectrum for c in COVERS], np.float32)  # (cover, band), reflectance
CODES = np.array([c.code for c in COVERS], np.int32)
SCENE_CLASSES = np.array([c.scene_class for c in COVERS], np.uint8)

# fmt: off
# what stands in a field (the spectrum above is their mean): two cereals, ripening, bare soil, ley
CROPS = np.array([
    (.034, .068, .040, .098, .236, .288, .305, .316, .160, .074),
    (.040, .078, .060, .116, .205, .240, .255, .267, .190, .100),
    (.062, .092, .108, .138, .174, .192, .205, .216, .245, .168),
    (.070, .090, .112, .124, .133, .141, .148, .158, .225, .200),
    (.045, .072, .068, .105, .156, .174, .187, .198, .190, .114),
], np.float32)
# what stands in a settlement beside its streets and grey roofs
GARDEN = np.array((.040, .066, .056, .102, .188, .217, .235, .248, .195, .112), np.float32)
RED_ROOF = np.array((.100, .105, .145, .165, .180, .190, .200, .210, .250, .220), np.float32)
# contrast between the strings and the flarks of a bog; open water darkens the infrared most
STRINGS = np.array((.20, .22, .18, .22, .30, .33, .34, .34, .30, .26), np.float32)
# fmt: on


def band_positions(bands: tuple[str, ...]) -> list[int]:
    """Positions of the named bands in `BANDS`, the columns of all spectra here."""
    return [BANDS.index(band) for band in bands]
