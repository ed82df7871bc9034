"""Remote bands as open rasters; of a Cloud-Optimised GeoTIFF, only the parts read are downloaded.

GDAL's own /vsicurl and obstore are not used: neither limits every answer, and GDAL does not notice
a file that is replaced while it is read. docs/design.md lists what was tried.
"""

import io
import tempfile
import uuid
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import rasterio
from rasterio.enums import MaskFlags
from rasterio.windows import Window

from wildlens.errors import WildLensError, one_line
from wildlens.fetch.address import shown
from wildlens.fetch.web import NoParts, Web
from wildlens.files import raster

NAME = "band.tif"
SMALLEST_PART = 2**16  # bytes; a Cloud-Optimised GeoTIFF starts with its directory
CACHED_PARTS = 32  # GDAL reads a block's bytes at once
LARGEST_PART = 2**28  # bytes; a block of a Sentinel-2 file has about 2 MB
LARGEST_SIDE = 10_980  # px of a Sentinel-2 tile at 10 m
LARGEST_BLOCK = 2**24  # px of a block, or strip, that is decoded at once
TYPES = ("uint8", "uint16")


class RemoteBand:
    """One band on a server, open for reading."""

    def __init__(self, dataset: rasterio.DatasetReader, address: str, file: "RemoteFile | None"):
        self.dataset, self.address, self._file = dataset, address, file

    @property
    def nodata(self) -> float:
        """The file's nodata value; 0, as in all Sentinel-2 products, if it states none."""
        stated, limit = self.dataset.nodata, np.iinfo(self.dataset.dtypes[0]).max
        return stated if stated is not None and stated in range(limit + 1) else 0

    def read(self, window: Window) -> np.ndarray:
        """(height, width) of a window, in the file's own type; an error unless all arrived.

        Pixels that the file's own mask leaves out are `nodata`.
        """
        try:
            values = self.dataset.read(1, window=window)
            if MaskFlags.per_dataset in self.dataset.mask_flag_enums[0]:
                values[self.dataset.read_masks(1, window=window) == 0] = self.nodata
        except rasterio.errors.RasterioIOError as error:
            self._raise_own()
            reason = one_line(error)
            raise WildLensError(f"{shown(self.address)}: cannot be decoded: {reason}") from None
        self._raise_own()
        return values

    def _raise_own(self) -> None:
        """Raise the error of the transfer, which GDAL may have ignored or reworded."""
        if self._file is not None and self._file.error is not None:
            raise self._file.error


@contextmanager
def open_band(web: Web, address: str, kind: str, limit: int) -> Iterator[RemoteBand]:
    """Open a band on a server.

    JPEG 2000, whose directory is spread over the file, and files of servers without range requests
    are downloaded whole and removed at the end.

    Args:
        kind: media type that the catalogue states; with the name, it decides the format.
        limit: largest whole download, bytes.
    """
    driver = _driver(address, kind)
    if driver == "GTiff":
        try:
            file = RemoteFile(web, address)
        except NoParts:
            pass
        else:
            # a unique name: openers are registered by name, for all threads
            with _opened(f"{uuid.uuid4()}/{NAME}", driver, address, file) as band:
                yield band
            return
    with tempfile.TemporaryDirectory(prefix="wildlens-") as folder:
        path = Path(folder) / "band"
        with path.open("w+b") as target:
            web.download(address, target, limit)
        with _opened(path, driver, address, None) as band:
            yield band


@contextmanager
def _opened(source, driver: str, address: str, file: "RemoteFile | None") -> Iterator[RemoteBand]:
    try:
        # one thread: GDAL's pool would call the opener, and wait for Python's lock while a raster
        # that another thread is closing, with that lock, waits for the pool
        opener = {} if file is None else {"opener": file.open, "num_threads": 1}
        dataset = rasterio.open(source, driver=driver, **opener)
    except rasterio.errors.RasterioIOError as error:
        if file is not None and file.error is not None:
            raise file.error from None
        reason = one_line(error)
        raise WildLensError(f"{shown(address)}: cannot be opened as {driver}: {reason}") from None
    with dataset:
        _check(dataset, address)
        yield RemoteBand(dataset, address, file)


def _driver(address: str, kind: str) -> str:
    name = urlsplit(address).path.lower()
    if name.endswith(".jp2") or "jp2" in kind.lower() or "jpeg2000" in kind.lower():
        return "JP2OpenJPEG"
    return "GTiff"


def _check(dataset: rasterio.DatasetReader, address: str) -> None:
    """Refuse a file that is not a band of Sentinel-2, before it takes memory."""
    rows, columns = dataset.block_shapes[0]
    problem = None
    if dataset.count != 1 or dataset.dtypes[0] not in TYPES:
        problem = f"holds {dataset.count} bands of {dataset.dtypes[0]}, expected one of uint16"
    elif max(dataset.shape) > LARGEST_SIDE or rows * columns > LARGEST_BLOCK:
        problem = f"has {dataset.width} x {dataset.height} px in blocks of {columns} x {rows}"
    elif dataset.crs is None or not dataset.crs.is_projected:
        problem = "is not on a UTM grid"
    if problem:
        raise WildLensError(f"{shown(address)}: is not a band of a Sentinel-2 product: {problem}")
    raster.grid_of(dataset)


class RemoteFile:
    """A file on a server, read by range requests.

    GDAL calls its cursors from C, where an exception would be lost: it is kept in `error`, and the
    read returns too few bytes.
    """

    def __init__(self, web: Web, address: str):
        self._web, self._address = web, address
        self._parts: OrderedDict[int, bytes] = OrderedDict()
        self.error: Exception | None = None
        first, self.size, self._etag = web.part(address, 0, SMALLEST_PART)
        self._parts[0] = first

    def open(self, path: str, mode: str = "rb") -> "_Cursor":
        """Rasterio's `opener`: this one file; no other file exists."""
        if mode != "rb" or Path(path).name != NAME:
            raise FileNotFoundError(path)
        return _Cursor(self)

    def content(self, start: int, stop: int) -> bytes:
        """Bytes `start` to `stop`; none after a failure, which is then in `error`."""
        if self.error is None:
            try:
                return self._content(start, stop)
            except Exception as error:
                self.error = error
        return b""

    def _content(self, start: int, stop: int) -> bytes:
        for begin, part in self._parts.items():
            if begin <= start and stop <= begin + len(part):
                self._parts.move_to_end(begin)
                return part[start - begin : stop - begin]
        if stop - start > LARGEST_PART:
            raise WildLensError(f"{shown(self._address)}: has a block of {stop - start:,} bytes")
        end = min(max(stop, start + SMALLEST_PART), self.size)
        try:
            part, size, etag = self._web.part(self._address, start, end)
        except NoParts:
            part, size, etag = b"", -1, ""
        if (size, etag) != (self.size, self._etag):
            raise WildLensError(
                f"{shown(self._address)}: was replaced while it was read: run it again"
            )
        self._parts[start] = part
        while len(self._parts) > CACHED_PARTS:
            self._parts.popitem(last=False)
        return part[: stop - start]


class _Cursor(io.RawIOBase):
    """A file object on a remote file, with its own position."""

    def __init__(self, file: RemoteFile):
        super().__init__()
        self._file, self._position = file, 0

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._file.size}
        self._position = max(0, origin[whence] + offset)
        return self._position

    def readinto(self, buffer: memoryview) -> int:
        stop = min(self._position + len(buffer), self._file.size)
        content = self._file.content(self._position, stop) if stop > self._position else b""
        buffer[: len(content)] = content
        self._position += len(content)
        return len(content)
