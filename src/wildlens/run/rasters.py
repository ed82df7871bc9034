"""Rasters of a run as xarray's arrays, with CRS, units, names of bands and time.

They are lazy: pixels are read when values are asked for, and `isel` and `rio.clip_box` first reduce
what is read.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import rasterio
import rioxarray
import xarray

from wildlens.errors import WildLensError, one_line
from wildlens.files.acquisition import first_time
from wildlens.legend import CORINE


def open_bands(path: Path, *, scaled: bool = True) -> xarray.DataArray:
    """A GeoTIFF of a run, (band, y, x), with the names of the bands as coordinate `band`.

    Bands of different units have the coordinate `units`; one unit is an attribute.

    Args:
        scaled: as float32 in its unit, NaN = no data; else as it is stored.

    Raises:
        WildLensError: the file cannot be opened.
    """
    try:
        # the driver: a file of another format could name any file or address
        opened = rioxarray.open_rasterio(path, mask_and_scale=scaled, driver="GTiff")
    except (rasterio.errors.RasterioIOError, OSError) as error:
        raise WildLensError(f"{path}: cannot be opened as a raster: {one_line(error)}") from None
    names, units = (np.atleast_1d(opened.attrs.pop(key, [])) for key in ("long_name", "units"))
    if len(names) == opened.sizes["band"]:
        opened = opened.assign_coords(band=names.astype(str))
        opened.attrs["long_name"] = tuple(names.tolist())  # rioxarray writes them again
    if len(set(units.tolist())) == 1:
        opened.attrs["units"] = str(units[0])
    elif len(units) == opened.sizes["band"]:  # a map of several members
        opened = opened.assign_coords(units=("band", [str(unit or "") for unit in units]))
    return _with_time(opened.rio.write_coordinate_system())


def open_layer(path: Path, band: str, title: str) -> xarray.DataArray:
    """One band of a map, (y, x) float32 in its unit, NaN = no data.

    Raises:
        WildLensError: the file cannot be opened, or has no such band.
    """
    opened = open_bands(path)
    if band not in opened["band"].values.tolist():
        bands = ", ".join(map(str, opened["band"].values.tolist()))
        raise WildLensError(f"{path}: has no band '{band}', but {bands}")
    layer = opened.sel(band=band)
    if "units" in layer.coords:
        layer.attrs["units"] = layer["units"].item()
        layer = layer.drop_vars("units")
    layer.attrs["long_name"] = title
    return layer.rename(band)


def open_classes(path: Path) -> xarray.DataArray:
    """Land cover of a scene, (y, x) uint8 index of the class, 0 = no data.

    The attributes `flag_values` and `class_names` list indices with code and name of the class, and
    `flag_meanings` the same as CF has it.
    """
    classes = open_bands(path, scaled=False).isel(band=0, drop=True).rename("landcover")
    names = ["no data", *(f"{member.code} {member.name}" for member in CORINE.classes)]
    classes.attrs |= {"long_name": CORINE.product, "class_names": names, **CORINE.flags}
    return classes


def _with_time(opened: xarray.DataArray) -> xarray.DataArray:
    tags: Mapping[str, str] = {key: str(value) for key, value in opened.attrs.items()}
    time = first_time(tags)
    if time is None:
        return opened
    stamp = np.datetime64(time.replace(tzinfo=None), "ns")
    return opened.assign_coords(time=((), stamp, {"standard_name": "time"}))
