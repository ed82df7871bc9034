"""GeoPackages with edits that are not merged into them, as a program leaves them that still runs.

The editing process ends without closing the file, so that FILE-wal (or FILE-journal) stays.
"""

import hashlib
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

# GDAL's triggers call these functions of its own
_FUNCTIONS = ("ST_IsEmpty", "ST_MinX", "ST_MaxX", "ST_MinY", "ST_MaxY")
_EDIT = """
import os, sqlite3, sys
path, statement, mode = sys.argv[1:]
database = sqlite3.connect(path, isolation_level=None)
for name in {functions}:
    database.create_function(name, 1, lambda _: 0)
database.execute(f"pragma journal_mode={{mode}}")
database.execute("pragma wal_autocheckpoint=0")
database.execute("pragma cache_size=1")
database.execute("begin")
database.execute(statement)
if mode == "wal":
    database.execute("commit")
else:  # spill half of a transaction into the file
    database.execute("create table filler as with recursive n(i) as (select 1 union all"
                     " select i + 1 from n where i < 5000) select hex(randomblob(500)) from n")
os._exit(0)
"""


def leave_edit(path: Path, statement: str, mode: str = "wal") -> None:
    """Edit a GeoPackage in a process that does not close it; mode 'delete': nor commits it."""
    code = _EDIT.format(functions=_FUNCTIONS)
    subprocess.run([sys.executable, "-c", code, path, statement, mode], check=True)


def merge(path: Path) -> None:
    """Merge the edits; the file stays in WAL mode, without FILE-wal."""
    with closing(sqlite3.connect(path)) as database:
        database.execute("pragma wal_checkpoint(truncate)")


def contents(folder: Path) -> dict[str, tuple]:
    """Name, digest and time of all in a folder, and the time of the folder itself."""
    found = {"": (folder.stat().st_mtime_ns,)}
    for path in folder.iterdir():
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        found[path.name] = digest, path.stat().st_mtime_ns
    return found
