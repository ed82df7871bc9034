"""The one exception that reaches a user: what was wrong, where, and what to do, in one line."""


class WildLensError(Exception):
    """A problem with input, settings or a result that the user can mend.

    The command line prints the message as one line, without a traceback, and exits with
    `exit_status`.
    """

    exit_status = 1
