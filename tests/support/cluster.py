"""A real Slurm on this machine, for tests: controller, one node, a GPU that is a device file.

Needs Debian's slurmctld, slurmd, slurm-client and munge, and root. Everything lies in one folder.
By hand: `python tests/slurm/cluster.py FOLDER`, then in another shell what it prints; Ctrl-C ends.
"""

import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

NEEDED = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "scontrol")

# Many more processors than there are: jobs of 8 threads must fit, and nobody computes long.
# Without cgroups, which a container seldom has: memory is booked, and not enforced.
SLURM_CONF = """
ClusterName=wildlens
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser=root
SlurmdUser=root
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
JobCompType=jobcomp/filetxt
JobCompLoc={folder}/finished.txt
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_interval=2,bf_interval=2
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=10
MinJobAge=600
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs=32 RealMemory=64000 Gres=gpu:{gpus} State=UNKNOWN
PartitionName=all Nodes={host} Default=YES DefaultTime=10 MaxTime=INFINITE State=UP
"""


class Cluster:
    """A Slurm that runs while the block runs."""

    def __init__(self, folder: Path, gpus: int = 1):
        self.folder = folder.resolve()
        self.conf = self.folder / "slurm.conf"
        self.gpus = gpus
        self._daemons: list[subprocess.Popen] = []

    @staticmethod
    def missing() -> list[str]:
        """What this machine lacks to run one."""
        names = [name for name in NEEDED if shutil.which(name, path=_path()) is None]
        return names if os.geteuid() == 0 else [*names, "root"]

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs in its environment to use this Slurm."""
        return {"SLURM_CONF": str(self.conf), "PATH": f"{self.folder / 'bin'}:{_path()}"}

    def __enter__(self) -> "Cluster":
        try:
            self._configure()
            munge = self.folder / "munge"
            self._start(
                "munged", "--foreground", "--force", f"--key-file={munge / 'key'}",
                f"--socket={munge / 'socket'}", f"--pid-file={munge / 'pid'}",
                f"--seed-file={munge / 'seed'}", f"--log-file={munge / 'log'}",
            )  # fmt: skip
            self._wait(lambda: (munge / "socket").exists(), "munged")
            self._start("slurmctld", "-D")
            self._wait(lambda: "is UP" in self.run("scontrol", "ping"), "slurmctld")
            self._start("slurmd", "-D")
            self._wait(lambda: self.run("sinfo", "-h", "-o", "%T").strip() == "idle", "slurmd")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *failure) -> None:
        if len(self._daemons) == 3:
            self.run("scancel", "--user=root")
            end = time.monotonic() + 30
            while self.run("squeue", "-h").strip() and time.monotonic() < end:
                time.sleep(0.2)
        for daemon in reversed(self._daemons):
            daemon.terminate()
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        self._daemons.clear()

    def run(self, *command: str) -> str:
        """Standard output of a client; empty where it fails: without a daemon clients hang."""
        try:
            return subprocess.run(
                command, capture_output=True, text=True, timeout=10, env=self._all()
            ).stdout
        except subprocess.TimeoutExpired:
            return ""

    def finished(self) -> list[dict[str, str]]:
        """What Slurm recorded of ended jobs: JobId, JobState, StartTime, EndTime, Tres, ..."""
        path = self.folder / "finished.txt"
        lines = path.read_text().splitlines() if path.exists() else []
        pairs = ([word.partition("=") for word in line.split()] for line in lines)
        return [{key: value for key, _, value in line} for line in pairs]

    def with_gpu(self) -> set[str]:
        """JobIds of all jobs, ended ones too, that asked for a GPU: their record does not say."""
        lines = self.run("scontrol", "--oneliner", "show", "jobs").splitlines()
        asked = (re.match(r"JobId=(\d+) .*TresPerJob=gres:gpu[:=]1\b", line) for line in lines)
        return {job[1] for job in asked if job}

    def _configure(self) -> None:
        for name in ("munge", "state", "spool", "bin"):
            (self.folder / name).mkdir(parents=True, mode=0o755, exist_ok=True)
        key = self.folder / "munge/key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o600)
        # a device file makes Slurm set CUDA_VISIBLE_DEVICES, as with a real card
        devices = ["/dev/zero", "/dev/null", "/dev/full"][: self.gpus]
        (self.folder / "gres.conf").write_text("".join(f"Name=gpu File={d}\n" for d in devices))
        values = {"host": socket.gethostname().partition(".")[0], "folder": self.folder}
        values |= {"gpus": self.gpus, "controller_port": _free_port(), "node_port": _free_port()}
        self.conf.write_text(SLURM_CONF.format(**values).lstrip())
        # Snakemake's job step drops all variables of Slurm, and srun would not find this cluster;
        # on a real one the configuration lies where srun looks by itself
        srun = self.folder / "bin/srun"
        real = shutil.which("srun", path=_path())
        srun.write_text(f'#!/bin/sh\nSLURM_CONF={self.conf} exec {real} "$@"\n')
        srun.chmod(0o755)

    def _start(self, *command: str) -> None:
        with (self.folder / f"{command[0]}.out").open("w") as out:
            self._daemons.append(
                subprocess.Popen(
                    command, stdout=out, stderr=out, env=self._all(), start_new_session=True
                )
            )

    def _wait(self, ready, what: str) -> None:
        end = time.monotonic() + 30
        while not ready():
            if time.monotonic() > end or self._daemons[-1].poll() is not None:
                out = (self.folder / f"{what}.out").read_text()[-2000:]
                raise RuntimeError(f"{what} does not come up: {out}")
            time.sleep(0.1)

    def _all(self) -> dict[str, str]:
        return os.environ | self.environment


def _path() -> str:
    """The path with the folders of daemons, which users often do not have."""
    return f"{os.environ['PATH']}:/usr/sbin:/sbin"


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


if __name__ == "__main__":
    with Cluster(Path(sys.argv[1])) as cluster:
        for name, value in cluster.environment.items():
            print(f"export {name}={value}", flush=True)
        try:
            time.sleep(1e9)
        except KeyboardInterrupt:
            print("ending")
