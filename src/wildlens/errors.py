"""The exception for users: the problem, its location, and what to do, in one line."""


class WildLensError(Exception):
    """A problem with input, settings or a result that a user can fix.

    The command line prints the message as one line, without a traceback, and exits with
    `exit_status`.
    """

    exit_status = 1


def one_line(error: BaseException, longest: int | None = None) -> str:
    """Message of another library's error as one line of at most `longest` characters."""
    return " ".join(str(error).split())[:longest]
