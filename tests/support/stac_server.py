"""Servers on loopback to fetch from: a real STAC API, and files with faults on request.

The API is stac-fastapi-geoparquet: pages, filters and answers are its own. Starlette serves the
files, with ranges and ETags; what a test wants to go wrong stands in `FileServer.faults`.
"""

import asyncio
import importlib.util
import json
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs

import rustac
import uvicorn
from stac_fastapi.geoparquet.api import Settings, create
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    JSONResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route

EXTENSIONS = ("spatial", "icu", "parquet")  # of DuckDB, which would load them from the network


@contextmanager
def served(app):
    """The address of an application that is served on a free port of loopback."""
    config = uvicorn.Config(app, port=0, log_level="critical", lifespan="on")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)


def stac_api(folder: Path, items: dict[str, list[dict]]):
    """A STAC API of these items, by collection."""

    async def write() -> None:
        for name, members in items.items():
            await rustac.write(str(folder / f"{name}.parquet"), members)

    asyncio.run(write())
    collections = [collection(name, folder / f"{name}.parquet") for name in items]
    listing = folder / "collections.json"
    listing.write_text(json.dumps(collections))
    settings = Settings(
        stac_fastapi_landing_id="loopback",
        stac_fastapi_title="loopback",
        stac_fastapi_description="for tests",
        stac_fastapi_collections_href=str(listing),
    )
    client = rustac.DuckdbClient(extension_directory=str(extensions(folder / "duckdb")))
    return create(settings, client).app


def extensions(folder: Path) -> Path:
    """The folder that DuckDB looks for its extensions in, filled from their packages."""
    for name in EXTENSIONS:
        package = Path(importlib.util.find_spec(f"duckdb_extension_{name}").origin).parent
        (source,) = package.rglob("*.duckdb_extension")
        target = folder / source.parent.name / "linux_amd64" / source.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(source)
    return folder


def collection(name: str, path: Path) -> dict:
    extent = {"spatial": {"bbox": [[-180, -90, 180, 90]]}, "temporal": {"interval": [[None, None]]}}
    data = {"href": str(path), "type": "application/vnd.apache.parquet"}
    return {
        "type": "Collection", "id": name, "stac_version": "1.0.0", "description": name,
        "license": "other", "extent": extent, "links": [], "assets": {"data": data},
    }  # fmt: skip


class Endless(NamedTuple):
    """A response whose body does not end."""

    status: int
    headers: dict[str, str]


class FileServer:
    """Files of a folder; those under `signed` and `secret` want a token.

    Attributes:
        requests: (path, Range, Authorization, query) of all requests so far.
        faults: path -> what comes instead of the file, one for each request to come: a status,
            the address of a redirect, "whole" (no ranges), "cut", "other" (another ETag), a text,
            an `Endless` response, or None for the file. Under "openid": the address of a redirect.
        token: what the token endpoint gives, and files want.
        retry_after: header of the statuses among the faults.
        sent: bytes of endless responses that were sent; asked: number of requests with a password.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.requests: list[tuple[str, str, str, str]] = []
        self.faults: dict[str, list] = {}
        self.token = "good"
        self.retry_after = "0"
        self.sent = self.asked = 0
        self.app = Starlette(
            routes=[
                Route("/token/{collection}", self._shared),
                Route("/openid", self._openid, methods=["POST"]),
                Route("/{path:path}", self._file),
            ]
        )

    def ranges(self, path: str) -> list[str]:
        return [span for name, span, *_ in self.requests if name == path]

    async def _shared(self, request: Request) -> Response:
        return JSONResponse({"token": f"sig={self.token}", "msft:expiry": "2099-01-01T00:00:00Z"})

    async def _openid(self, request: Request) -> Response:
        self.asked += 1
        if waiting := self.faults.get("openid"):
            return RedirectResponse(waiting.pop(0), 307)  # with the body
        form = {key: value[0] for key, value in parse_qs((await request.body()).decode()).items()}
        if (form.get("username"), form.get("password")) != ("ann", "secret"):
            return JSONResponse({"error": "invalid_grant"}, 401)
        return JSONResponse({"access_token": self.token, "expires_in": 600})

    async def _file(self, request: Request) -> Response:
        path, headers = request.path_params["path"], request.headers
        authorization, query = headers.get("authorization", ""), request.url.query
        self.requests.append((path, headers.get("range", ""), authorization, query))
        if path.startswith("signed/") and query != f"sig={self.token}":
            return Response(status_code=403)
        if path.startswith("secret/") and authorization != f"Bearer {self.token}":
            return Response(status_code=401)
        waiting = self.faults.get(path)
        fault = waiting.pop(0) if waiting else None
        file = self.folder / path
        if isinstance(fault, int):
            return Response(status_code=fault, headers={"Retry-After": self.retry_after})
        if isinstance(fault, Endless):
            return StreamingResponse(self._endless(request), fault.status, fault.headers)
        if fault == "cut":
            return _cut(file, headers.get("range"))
        if fault == "whole":
            return Response(file.read_bytes())
        if fault is not None and fault.startswith(("http", "ftp", "file", "/")):
            return RedirectResponse(fault)
        if fault is not None and fault != "other":
            return Response(fault)
        if not file.is_file():
            return Response(status_code=404)
        response = FileResponse(file)
        if fault == "other":
            response.headers["etag"] = '"other"'
        return response

    async def _endless(self, request: Request):
        while not await request.is_disconnected():
            yield bytes(2**16)
            self.sent += 2**16


def _cut(file: Path, span: str | None) -> Response:
    """The first half of what is asked for, under the length of the whole of it."""
    content, headers, status = file.read_bytes(), {}, 200
    if span:
        first, _, last = span.removeprefix("bytes=").partition("-")
        start, stop = int(first), min(int(last or len(content) - 1) + 1, len(content))
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(content)}"
        content, status = content[start:stop], 206
    headers["Content-Length"] = str(len(content))

    async def half():
        yield content[: len(content) // 2]

    return StreamingResponse(half(), status, headers)
