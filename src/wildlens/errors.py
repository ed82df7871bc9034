"""The exception for users: the problem, its location, and what to do, in one line."""

import difflib
from collections.abc import Collection


class WildLensError(Exception):
    """A problem with input, settings or a result that a user can fix.

    The command line prints the message as one line, without a traceback, and exits with
    `exit_status`.
    """

    exit_status = 1


def did_you_mean(name: str, known: Collection[str]) -> str:
    """` (did you mean 'x'?)` with the known name nearest to one that is not; empty for none."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
    return f" (did you mean '{near[0]}'?)" if near else ""


def one_line(error: BaseException, longest: int | None = None) -> str:
    """Message of another library's error as one line of at most `longest` characters."""
    return " ".join(str(error).split())[:longest]
