"""A real Flink with Beam's job server and workers, for tests and for `make flink`.

Flink is here what it is elsewhere: a JobManager, TaskManagers of one slot each, Beam's
job server, and one pool of Python workers beside them, each a process of its own, so
that a test can kill any of them. All listen on the loopback only, on ports that they
keep when they are started again.
"""

import argparse
import json
import os
import re
import shutil
import signal
import socket
import string
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from loopback_ports import free_ports
from maven_jars import NotInstalledError, installed

ENGINES = Path(__file__).resolve().parent / "engines"
WORKERS = (sys.executable, "-m", "pipeline.cli", "worker", "--port={port}")
READY_S = 90.0
STOP_S = 15.0
ANSWER_S = 20.0
ENDED = frozenset({"CANCELED", "FAILED", "FINISHED", "SUSPENDED"})

_JAVA = (
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    # Why a job failed and started again stands at this level only.
    "-Dorg.slf4j.simpleLogger.log.org.apache.flink.runtime.executiongraph=info",
)
# As flink-conf.yaml has them: heap, metaspace, and all that is off the heap.
_TASK_MEMORY = (
    "-Xmx512m",
    "-XX:MaxMetaspaceSize=512m",
    "-XX:MaxDirectMemorySize=256m",
)
# What Flink and Beam reach into, and Java has closed since 17.
_OPENED = (
    "java.base/java.io",
    "java.base/java.lang",
    "java.base/java.lang.invoke",
    "java.base/java.lang.reflect",
    "java.base/java.math",
    "java.base/java.net",
    "java.base/java.nio",
    "java.base/java.text",
    "java.base/java.time",
    "java.base/java.util",
    "java.base/java.util.concurrent",
    "java.base/java.util.concurrent.atomic",
    "java.base/sun.net.util",
    "java.base/sun.nio.ch",
    "java.rmi/sun.rmi.registry",
    "java.security.jgss/sun.security.krb5",
)
# Beam hands its whole class path to Flink with each job: without what only Flink's own
# processes need it is half as much.
_SERVERS = re.compile("flink-(rpc-akka-loader|runtime-web|shaded-zookeeper)")
_JOB_MANAGER = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
_TASK_MANAGER = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"
_JOB_SERVER = "org.apache.beam.runners.flink.FlinkJobServerDriver"


class FlinkCluster:
    """A cluster with all that it keeps in `folder`.

    Its parts go by name: "jobmanager", "taskmanager-0" and so on, "job-server" and
    "workers". The JobManager keeps its jobs in memory only, as Flink does without
    ZooKeeper: what kills it ends them, and their last checkpoint is what remains.

    Args:
        folder: for configuration, logs, checkpoints and savepoints; made when missing.
        task_managers: how many, of one slot each.
        workers: the command of the worker pool; "{port}" in it becomes its port.
        environment: more variables for the pool and its workers, such as PYTHONPATH.

    Raises:
        NotInstalledError: this machine has no Java, or no Maven to install Flink with.
    """

    def __init__(
        self,
        folder: Path,
        *,
        task_managers: int = 2,
        workers: Sequence[str] = WORKERS,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        flink = installed(ENGINES / "flink")
        self._flink = f"{flink}/*"
        clients = (str(jar) for jar in flink.iterdir() if not _SERVERS.match(jar.name))
        self._beam = ":".join(
            [f"{installed(ENGINES / 'flink-job-server')}/*", *clients]
        )
        self.folder = folder
        names = ("rpc", "blob", "rest", "job", "artifact", "expansion", "workers")
        self._ports = dict(zip(names, free_ports(len(names)), strict=True))
        self._task_managers = tuple(f"taskmanager-{n}" for n in range(task_managers))
        self.parts = ("jobmanager", *self._task_managers, "job-server", "workers")
        self._workers = [word.format(port=self._ports["workers"]) for word in workers]
        self._environment = environment or {}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._starts = dict.fromkeys(self.parts, 0)
        self._configure()

    def __enter__(self) -> Self:
        """Start all of it, or none."""
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def rest(self) -> str:
        """The URL of Flink's REST interface, and of its web page."""
        return f"http://127.0.0.1:{self._ports['rest']}"

    @property
    def job_server(self) -> str:
        """HOST:PORT of Beam's job server."""
        return f"127.0.0.1:{self._ports['job']}"

    @property
    def workers(self) -> str:
        """HOST:PORT of the worker pool."""
        return f"127.0.0.1:{self._ports['workers']}"

    @property
    def savepoints(self) -> str:
        """The URL of the folder for savepoints."""
        return (self.folder / "savepoints").as_uri()

    def beam_options(self, *more: str) -> list[str]:
        """What a streaming Beam pipeline in Python needs to run here."""
        return [
            "--runner=PortableRunner",
            "--streaming",
            f"--job_endpoint={self.job_server}",
            "--environment_type=EXTERNAL",
            f"--environment_config={self.workers}",
            f"--parallelism={len(self._task_managers)}",
            *more,
        ]

    def start(self, *parts: str) -> None:
        """Start the parts named, or all, together, and wait until each is ready."""
        wanted = parts or self.parts
        for part in wanted:
            assert not self.alive(part), f"{part} runs already"
            self._launch(part)
        for part in wanted:
            self._wait_until_ready(part)

    def kill(self, part: str) -> None:
        """SIGKILL; when it returns the process is gone, and all workers of a pool."""
        self._end(part, signal.SIGKILL)

    def restart(self, part: str) -> None:
        """Kill a part and start it again."""
        self.kill(part)
        self.start(part)

    def stop(self) -> None:
        """End all that runs, those first that others lean on last."""
        for part in reversed(self.parts):
            self._end(part, signal.SIGTERM)

    def alive(self, part: str) -> bool:
        """Whether a part runs."""
        process = self._processes.get(part)
        return process is not None and process.poll() is None

    def pid(self, part: str) -> int:
        """The process of a part that was started."""
        return self._processes[part].pid

    def output(self, part: str) -> str:
        """The end of what a part has printed."""
        return self._log(part).read_text(errors="replace")[-4_000:]

    def tidy(self) -> None:
        """Start again what died, and cancel every job, for who uses it next."""
        for part in self.parts:
            if not self.alive(part):
                self.start(part)
        for job, state in self.jobs().items():
            if state not in ENDED:
                self.cancel(job)

    def jobs(self) -> dict[str, str]:
        """Flink's id of each job, and its state."""
        return {each["id"]: each["status"] for each in self.ask("/jobs")["jobs"]}

    def job(self, job: str) -> dict[str, Any]:
        """What Flink says of a job: its state, its vertices, when it did what."""
        return dict(self.ask(f"/jobs/{job}"))

    def checkpoints(self, job: str) -> dict[str, Any]:
        """The counts, sizes and history of a job's checkpoints."""
        return dict(self.ask(f"/jobs/{job}/checkpoints"))

    def metrics(self, job: str, name: str) -> dict[str, str]:
        """The metrics of all subtasks of a job in whose name `name` occurs."""
        return {
            metric["id"]: metric["value"]
            for vertex in self.job(job)["vertices"]
            for subtask in range(vertex["parallelism"])
            for metric in self._metrics(
                f"/jobs/{job}/vertices/{vertex['id']}/subtasks/{subtask}/metrics", name
            )
        }

    def cancel(self, job: str) -> None:
        """End a job as it stands, and wait until it has ended."""
        self.ask(f"/jobs/{job}?mode=cancel", method="PATCH")
        self.wait(lambda: self.jobs()[job] in ENDED, f"the end of job {job}")

    def ask(
        self, path: str, body: Mapping[str, Any] | None = None, method: str = "GET"
    ) -> Any:
        """What Flink's REST interface answers.

        Raises:
            OSError: it does not answer, or with an error.
        """
        request = urllib.request.Request(
            self.rest + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=ANSWER_S) as response:
            return json.loads(response.read() or b"{}")

    def wait(
        self, done: Callable[[], bool], what: str, seconds: float = READY_S
    ) -> None:
        """Ask again and again; an interface that does not answer is not done."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with suppress(OSError):
                if done():
                    return
            time.sleep(0.1)
        raise TimeoutError(f"waited {seconds:.0f} s for {what}")

    def _configure(self) -> None:
        for name in ("conf", "tmp", "artifacts", "checkpoints", "savepoints"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        template = (ENGINES / "flink" / "flink-conf.yaml").read_text(encoding="utf-8")
        conf = string.Template(template).substitute(
            {f"{name}_port": port for name, port in self._ports.items()},
            folder=self.folder,
            task_managers=len(self._task_managers),
        )
        (self.folder / "conf" / "flink-conf.yaml").write_text(conf, encoding="utf-8")

    def _launch(self, part: str) -> None:
        self._starts[part] += 1
        with self._log(part).open("ab") as output:
            self._processes[part] = subprocess.Popen(
                self._command(part),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self._variables(part),
                # A group of its own, which ends as one, workers of a pool included;
                # and Ctrl-C in a test leaves it to the fixture.
                start_new_session=True,
            )

    def _variables(self, part: str) -> dict[str, str]:
        more = self._environment if part == "workers" else {}
        return {**os.environ, **more}

    def _command(self, part: str) -> list[str]:
        conf = str(self.folder / "conf")
        if part == "jobmanager":
            flags = ["--configDir", conf, "--executionMode", "cluster"]
            return self._java(self._flink, "-Xmx192m", _JOB_MANAGER, *flags)
        if part == "job-server":
            return self._java(
                self._beam, "-Xmx192m", _JOB_SERVER, *self._job_server_flags(conf)
            )
        if part == "workers":
            return self._workers
        resource = f"-Dtaskmanager.resource-id={self._resource(part)}"
        flags = ["--configDir", conf, resource]
        return self._java(self._flink, *_TASK_MEMORY, _TASK_MANAGER, *flags)

    def _job_server_flags(self, conf: str) -> list[str]:
        given = {
            "flink-master": self.rest.removeprefix("http://"),
            "flink-conf-dir": conf,
            "job-host": "127.0.0.1",
            "job-port": self._ports["job"],
            "artifact-port": self._ports["artifact"],
            "expansion-port": self._ports["expansion"],
            "artifacts-dir": self.folder / "artifacts",
        }
        return [f"--{name}={value}" for name, value in given.items()]

    def _java(self, path: str, *arguments: str) -> list[str]:
        opened = [
            f"--add-{how}={package}=ALL-UNNAMED"
            for package in _OPENED
            for how in ("opens", "exports")
        ]
        tmp = f"-Djava.io.tmpdir={self.folder / 'tmp'}"
        return ["java", *_JAVA, tmp, *opened, "-cp", path, *arguments]

    def _resource(self, part: str) -> str:
        """How Flink knows a TaskManager: each time by another name."""
        return f"{part}.{self._starts[part]}"

    def _wait_until_ready(self, part: str) -> None:
        def ready() -> bool:
            if not self.alive(part):
                raise RuntimeError(f"{part} ended:\n{self.output(part)}")
            return self._ready(part)

        self.wait(ready, f"{part} to be ready")

    def _ready(self, part: str) -> bool:
        if part == "job-server":
            return _answers(self._ports["job"]) and _answers(self._ports["artifact"])
        if part == "workers":
            return _answers(self._ports["workers"])
        return self._registered() >= self._living(part)

    def _living(self, part: str) -> set[str]:
        """The TaskManagers that a part leans on: itself, or the JobManager's all."""
        parts = self._task_managers if part == "jobmanager" else (part,)
        return {self._resource(each) for each in parts if self.alive(each)}

    def _registered(self) -> set[str]:
        """The TaskManagers whose slots Flink knows."""
        found = self.ask("/taskmanagers")["taskmanagers"]
        return {each["id"] for each in found if each["slotsNumber"]}

    def _metrics(self, path: str, name: str) -> list[dict[str, str]]:
        wanted = [each["id"] for each in self.ask(path) if name in each["id"]]
        if not wanted:
            return []
        return list(self.ask(f"{path}?get={','.join(wanted)}"))

    def _end(self, part: str, number: signal.Signals) -> None:
        process = self._processes.pop(part, None)
        if process is None:
            return
        _signal_group(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_S)
        _signal_group(process.pid, signal.SIGKILL)
        process.wait()

    def _log(self, part: str) -> Path:
        return self.folder / f"{part}.log"


def _answers(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=1):
        return True


def _signal_group(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(pid, number)


def main() -> int:
    """Run a cluster in the foreground until Ctrl-C; what it kept goes with it."""
    parser = argparse.ArgumentParser(description="Flink and Beam's job server")
    parser.add_argument("--task-managers", type=int, default=2, help="of one slot each")
    parser.add_argument("--dir", type=Path, help="keep checkpoints and logs there")
    given = parser.parse_args()
    folder = given.dir or Path(tempfile.mkdtemp(prefix="groundswell-flink-"))
    # A shell's background jobs ignore Ctrl-C's signal unless told otherwise.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        with FlinkCluster(
            folder.resolve(), task_managers=given.task_managers
        ) as cluster:
            _tell(cluster)
            signal.pause()
    except NotInstalledError as error:
        print(f"Flink cannot run: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    finally:
        if not given.dir:
            shutil.rmtree(folder, ignore_errors=True)
    return 0


def _tell(cluster: FlinkCluster) -> None:
    print(
        "[flink]",
        f'job_server = "{cluster.job_server}"',
        f'rest = "{cluster.rest}"',
        f'workers = "{cluster.workers}"',
        f'savepoints = "{cluster.savepoints}"',
        "",
        f"Its page is {cluster.rest}; logs are in {cluster.folder}; Ctrl-C ends it.",
        sep="\n",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
