"""Where a result comes from: package version, settings, and digests of inputs and of code."""

import ast
import contextlib
import functools
import hashlib
import importlib.machinery
import json
import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from wildlens import __version__
from wildlens.errors import WildLensError
from wildlens.settings import Section, dump_section

# Modules and folders that every step imports and that cannot change what it computes: values of
# settings are tracked as separate files.
_WITHOUT_EFFECT = ("errors", "progress", "settings")


def record(
    step: str,
    settings: Section | None,
    inputs: Iterable[Path | str],
    fields: Collection[str] | None = None,
) -> dict[str, str]:
    """Provenance of a result as flat text, for GeoTIFF tags, zarr attributes, model metadata.

    Keys: `wildlens_step`, `wildlens_version`, `wildlens_settings` (YAML of the step's section) and
    `wildlens_inputs` (JSON: file name -> digest of its content; with as many parent folders as
    distinguish it from other inputs of the same name).

    Args:
        fields: names of the settings that the step reads; default: all of the section.
    """
    paths = [Path(path) for path in inputs]
    labels = _labels(paths)
    return {
        "wildlens_step": step,
        "wildlens_version": __version__,
        "wildlens_settings": dump_section(settings, fields) if settings is not None else "",
        "wildlens_inputs": json.dumps(dict(zip(labels, map(digest, paths), strict=True))),
    }


def inputs_of(name: str | Path, tags: Mapping[str, str]) -> dict[str, str]:
    """Name -> digest of the inputs that a result states; empty if it states none.

    Args:
        name: of the result, for errors; tags: its tags or attributes, see `record`.

    Raises:
        WildLensError: the text is no JSON object of names and digests.
    """
    try:
        found = json.loads(tags.get("wildlens_inputs", "{}"))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise WildLensError(f"{name}: its tag wildlens_inputs is no JSON object: map it again")
    return found


def _labels(paths: Sequence[Path]) -> list[str]:
    """The shortest ends of different paths that are all different."""
    labels = [path.name for path in paths]
    for depth in range(2, max((len(path.parts) for path in paths), default=0) + 1):
        counts = Counter(labels)
        labels = [
            label if counts[label] == 1 else "/".join(path.parts[-depth:])
            for label, path in zip(labels, paths, strict=True)
        ]
    return labels


def digest(path: Path) -> str:
    """Digest of a file's content, or of all files under a folder with their relative names.

    Hidden files in a folder do not count: workflow managers and file browsers leave them there. A
    digest that `remember` saved is taken if the file was not touched since.
    """
    try:
        return _remembered(path).get("digest") or _digest(path)
    except OSError as error:
        raise WildLensError(f"{error.filename}: cannot be read: {error.strerror}") from None


def sha256(path: Path) -> str:
    """SHA-256 of a file's content, as `sha256sum` prints it; see `digest` for when it is read."""
    try:
        return _remembered(path).get("sha256") or _sha256(path).hex()
    except OSError as error:
        raise WildLensError(f"{error.filename}: cannot be read: {error.strerror}") from None


def remember(path: Path) -> None:
    """Hash a finished result once and save its digests beside it, in a hidden file.

    All steps record what they read, and a catalogue lists checksums: without this, each of them
    would read every raster completely. If its size or modification time has changed, the file is
    hashed again. It is not an error if the digests cannot be saved.
    """
    found = {"signature": _signature(path), "digest": _digest(path)}
    if path.is_file():
        found["sha256"] = _sha256(path).hex()
    target = _sidecar(path)
    temporary = target.with_name(f"{target.name}.{os.getpid()}")
    with contextlib.suppress(OSError):
        temporary.write_text(json.dumps(found), encoding="utf-8")
        temporary.replace(target)


def _sidecar(path: Path) -> Path:
    return path.with_name(f".{path.name}.digest")


def _remembered(path: Path) -> dict[str, str]:
    """Saved digests of a file or folder; empty if there are none, or it was touched since."""
    try:
        found = json.loads(_sidecar(path).read_text(encoding="utf-8"))
        fits = found["signature"] == _signature(path)
        texts = all(isinstance(value, str) for value in found.values())
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return {}
    return found if fits and texts else {}


def _signature(path: Path) -> str:
    """Digest of names, sizes and times of modification."""
    total = hashlib.blake2b(digest_size=16)
    for file in _files(path):
        state = file.stat()
        name = file.relative_to(path).as_posix()
        total.update(f"{name}\0{state.st_size}\0{state.st_mtime_ns}\n".encode())
    return total.hexdigest()


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(p for p in path.rglob("[!.]*") if p.is_file())
    return [path]


def _digest(path: Path) -> str:
    total = hashlib.blake2b(digest_size=16)
    for file in _files(path):
        if path.is_dir():
            total.update(file.relative_to(path).as_posix().encode() + b"\0")
        total.update(_sha256(file))
    return total.hexdigest()


def _sha256(file: Path) -> bytes:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").digest()


def code_digest(module: str) -> str:
    """Digest of a module and of all modules that it imports of this package, or of its own.

    Computed from the syntax trees, without comments and layout. Snakemake does not notice edits of
    a package, so the rules pass this as a parameter. Methods and classifiers of other packages are
    digested in the same way.
    """
    total = hashlib.blake2b(digest_size=8)
    for name in sorted(filter(_has_effect, _reachable(module))):
        total.update(name.encode() + _read(name).digest)
    return total.hexdigest()


def _has_effect(module: str) -> bool:
    """Whether an edit of a module can change results; this package itself is a version number."""
    package, *names = module.split(".")
    return package != __package__ or (bool(names) and names[0] not in _WITHOUT_EFFECT)


def _reachable(module: str) -> set[str]:
    found, waiting = set(), [module]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(_read(name).imports)
    return found


@functools.cache
def _source(module: str) -> Path | None:
    """File of a module; None if `module` is an attribute of one, or is not written in Python.

    Looked up in the folders, since `importlib.util.find_spec` imports parent modules, so that
    torch would be imported when a workflow is only planned.
    """
    package, *names = module.split(".")
    if package == __package__:
        base = Path(__file__).parent
    else:
        spec = importlib.machinery.PathFinder.find_spec(package)
        if spec is None or not (spec.origin or "").endswith(".py"):
            return None
        if not names:
            return Path(spec.origin)
        base = Path(spec.origin).parent
    base = base.joinpath(*names)
    candidates = [base / "__init__.py", *([base.with_name(f"{base.name}.py")] if names else [])]
    return next((path for path in candidates if path.is_file()), None)


@dataclass(frozen=True)
class _Code:
    """What `code_digest` needs of one module.

    Attributes:
        digest: of its syntax tree.
        imports: modules of this package and of its own that it imports, anywhere in its text.
    """

    digest: bytes
    imports: tuple[str, ...]


@functools.cache
def _read(module: str) -> _Code:
    path = _source(module)
    if path is None:
        raise ModuleNotFoundError(f"no module named {module!r}")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    digest = hashlib.blake2b(ast.dump(tree).encode(), digest_size=16).digest()
    packages = {__package__, module.partition(".")[0]}
    ours = (name for name in _imports(tree) if name.partition(".")[0] in packages)
    return _Code(digest, tuple(sorted(name for name in ours if _source(name) is not None)))


def _imports(tree: ast.Module) -> set[str]:
    """All that a module imports; `a` and `a.b` for `from a import b`."""
    names = set()
    for statement in _statements(tree):
        if isinstance(statement, ast.Import):
            names.update(alias.name for alias in statement.names)
        elif isinstance(statement, ast.ImportFrom) and statement.module and not statement.level:
            names.add(statement.module)
            names.update(f"{statement.module}.{alias.name}" for alias in statement.names)
    return names


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """All statements below a node, without a walk through expressions, most of a tree."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.expr):
            yield child
            yield from _statements(child)
