"""Console of the workflow: a line per job, with the share of the run and the time that is left.

Snakemake finds this package by its name; `profiles/default` chooses it (`--logger wildlens`).
Snakemake's own messages about each job, with inputs, reasons and shell commands, are in its log
file as before. Errors, dry runs and `--verbose` look as Snakemake prints them.
"""

import logging
import sys
import time
from logging import LogRecord

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

from snakemake_logger_plugin_wildlens.costs import cost
from snakemake_logger_plugin_wildlens.run import TARGETS, Run, title
from wildlens.progress import duration

SHORT = 1.0  # seconds that a job usually takes, below which it is not told
LONG = 10.0  # seconds of a job from which on its end is told, too
TOLD = ("Nothing to be done", "Complete log(s)", "Will exit after finishing")  # of plain messages
UNTOLD = {
    LogEvent.WORKFLOW_STARTED, LogEvent.RESOURCES_INFO, LogEvent.JOB_STARTED, LogEvent.SHELLCMD,
    LogEvent.PROGRESS, LogEvent.GROUP_INFO, LogEvent.DEBUG_DAG, LogEvent.RULEGRAPH,
}  # fmt: skip


class LogHandler(LogHandlerBase):
    """Writes to standard error what a person wants to know of a run."""

    writes_to_stream = True
    writes_to_file = has_filter = has_formatter = needs_rulegraph = False

    def __post_init__(self) -> None:
        self.run = Run(time.monotonic)
        self.told = {
            LogEvent.RUN_INFO: self._plan,
            LogEvent.JOB_INFO: self._start,
            LogEvent.JOB_FINISHED: self._finish,
        }

    def emit(self, record: LogRecord) -> None:
        try:
            for line in self._lines(record):
                print(line, file=sys.stderr, flush=True)
        except Exception:  # as every handler: a message must not end a run
            self.handleError(record)

    def _lines(self, record: LogRecord) -> list[str]:
        event = getattr(record, "event", None)
        settings = self.common_settings
        if settings.dryrun or settings.verbose or record.levelno >= logging.WARNING:
            return [self.format(record)]
        if event in self.told:
            return self.told[event](record)
        if event in UNTOLD or (event is None and not str(record.msg).startswith(TOLD)):
            return []
        return [self.format(record)]

    def _plan(self, record: LogRecord) -> list[str]:
        self.run.plan(record.stats)
        kinds = ", ".join(title(rule) for rule in self.run.counts if cost(rule) >= SHORT)
        return [f"{_now()} {self.run.total} jobs: {kinds}"]

    def _start(self, record: LogRecord) -> list[str]:
        if record.rule_name in TARGETS:
            return []
        self.run.start(record.jobid, record.rule_name, dict(record.wildcards or {}))
        if cost(record.rule_name) < SHORT:
            return []
        return [f"{_now()} {self.run.progress()}  {self.run.name(record.jobid)}"]

    def _finish(self, record: LogRecord) -> list[str]:
        seconds = self.run.finish(record.job_id)
        if seconds < LONG:
            return []
        name = self.run.name(record.job_id)
        return [f"{_now()} {self.run.progress()}  {name}: done in {duration(seconds)}"]


def _now() -> str:
    return time.strftime("%H:%M:%S")
