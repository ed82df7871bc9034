"""Names that a user asks for, checked against those that exist."""

from collections.abc import Collection

from wildlens.errors import WildLensError, did_you_mean


def check_name(name: str, known: Collection[str], where: str, kind: str, command: str) -> None:
    """Refuse a name that is not known, with the nearest one and all others.

    Since only known names become paths, no name leads out of the folder of results.

    Args:
        where: folder or file that was looked in; kind: what the name is of, such as "scene".
        command: what makes one.

    Raises:
        WildLensError: in one line.
    """
    if name in known:
        return
    given = " ".join(str(name).split())
    if not known:
        raise WildLensError(f"{where}: has no {kind} '{given}', nor any other: run {command}")
    raise WildLensError(
        f"{where}: has no {kind} '{given}'{did_you_mean(given, known)}; it has"
        f" {', '.join(known)}; {command} makes others"
    )
