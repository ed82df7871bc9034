"""The one exception that reaches a user: what was wrong, where, and what to do, in one line."""


class WildLensError(Exception):
    """A problem with input, settings or a result that a user can fix.

    The command line prints the message as one line, without a traceback, and exits with
    `exit_status`.
    """

    exit_status = 1


def one_line(error: BaseException, longest: int | None = None) -> str:
    """What another library's error says, maybe in many lines, as one, cut to `longest` letters."""
    return " ".join(str(error).split())[:longest]
