"""Covers of the simulated region: names, spectra, and the zones in which they may occur.

Known by construction: bog, rock and glacier occur in protected areas only; field, settlement and
road in the anthropogenic zone only; all other covers everywhere, with the same distribution. Each
discriminative cover has a look-alike among the shared ones (heath for bog, sand for rock, dry
meadow and clear-cut for fields), so that brightness does not separate them.
"""

from dataclasses import dataclass

import numpy as np

BANDS = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")


@dataclass(frozen=True)
class Cover:
    """One cover."""

    name: str
    code: int  # CORINE code in the reference land cover
    scene_class: int  # of Sen2Cor: 4 vegetation, 5 not vegetated, 6 water, 11 snow or ice
    weight: float  # Dirichlet parameter of its local fraction; 0 for covers of one zone
    spectrum: tuple[float, ...]  # surface reflectance in July, in the order of BANDS


# Typical July L2A spectra. Contrasts and textures are in the range of real tiles, which
# benchmarks/land.py prints side by side; the spectra of heath and bog follow the ratios of medians
# of a real Norwegian tile, except that bog is browner here. Chosen so that no single band separates
# the two kinds of tiles by its mean, nor the covers by brightness.
_SHARED = """\
312  4 2.0  .022 .036 .026 .062 .160 .188 .200 .212 .105 .050  conifer
311  4 1.0  .026 .050 .030 .085 .245 .300 .320 .335 .165 .075  broadleaf
512  6 0.9  .026 .026 .018 .016 .013 .012 .012 .011 .006 .004  water
321  4 0.9  .036 .068 .054 .115 .235 .275 .290 .305 .215 .115  grass
322  4 0.9  .035 .054 .050 .098 .184 .210 .225 .236 .172 .092  heath
324  5 1.0  .050 .070 .084 .125 .175 .192 .205 .220 .265 .180  clear-cut
321  4 0.9  .066 .096 .112 .155 .215 .237 .255 .270 .290 .190  dry meadow
331  5 0.7  .105 .135 .160 .185 .205 .220 .235 .245 .300 .260  sand
"""
_PROTECTED = """\
412  4 0    .029 .049 .059 .101 .156 .173 .184 .195 .136 .076  bog
332  5 0    .074 .089 .100 .120 .146 .160 .172 .182 .212 .170  rock
335 11 0    .420 .440 .430 .425 .410 .400 .380 .360 .060 .045  glacier
"""
_ANTHROPOGENIC = """\
211  4 0    .051 .079 .078 .119 .207 .241 .258 .269 .219 .146  field
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
# land use within a field, and the fraction of parcels with it: two cereals, ripe cereals, bare
# soil or stubble, ley; the spectrum of a field above is their mean
CROP_FRACTIONS = np.array((0.12, 0.13, 0.27, 0.30, 0.18))
CROPS = np.array([
    (.030, .062, .034, .092, .290, .370, .400, .412, .165, .072),
    (.036, .072, .046, .106, .262, .322, .345, .357, .180, .086),
    (.060, .088, .100, .140, .202, .224, .240, .252, .255, .170),
    (.066, .086, .106, .122, .142, .153, .162, .172, .235, .205),
    (.040, .072, .052, .108, .228, .268, .285, .298, .200, .104),
], np.float32)
# parts of a settlement other than its streets and grey roofs
GARDEN = np.array((.040, .066, .056, .102, .188, .217, .235, .248, .195, .112), np.float32)
RED_ROOF = np.array((.100, .105, .145, .165, .180, .190, .200, .210, .250, .220), np.float32)
# contrast between the strings and the flarks of a bog; open water darkens the infrared most
STRINGS = np.array((.20, .22, .18, .22, .30, .33, .34, .34, .30, .26), np.float32)
# fmt: on


# covers of protected land only, and the shared cover that each is most easily taken for
LOOK_ALIKES = {"bog": "heath", "rock": "sand"}


def spectra(contrast: float) -> np.ndarray:
    """`SPECTRA` with the difference of each cover in `LOOK_ALIKES` to its look-alike scaled.

    A contrast of 1 returns `SPECTRA`, 0 identical spectra.
    """
    scaled = SPECTRA.copy()
    for name, look_alike in LOOK_ALIKES.items():
        shared = SPECTRA[INDEX[look_alike]]
        scaled[INDEX[name]] = shared + contrast * (SPECTRA[INDEX[name]] - shared)
    return scaled


def band_positions(bands: tuple[str, ...]) -> list[int]:
    """Positions of the named bands in `BANDS`, the columns of all spectra here."""
    return [BANDS.index(band) for band in bands]
