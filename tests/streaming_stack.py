"""groundswell on Kafka and Flink: its configuration, its jobs, and what they say."""

import json
import secrets
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from flink_cluster import FlinkCluster

from pipeline.clock import utc_now
from pipeline.config import load
from pipeline.jobs.status import Status, read_status
from pipeline.log.message_log import MessageLog
from pipeline.log.open import open_log

WORKERS = (sys.executable, "-m", "pipeline.cli", "worker", "--port", "{port}")
"""The worker pool of a `FlinkCluster` that runs groundswell."""

CONFIGURATION = """
[log]
url = "{url}"
prefix = "{prefix}"
[log.kafka]
partitions = {partitions}
give_up_after_s = 120
[tagging]
tagger = "lexicon"
runner = "{runner}"
[flink]
job_server = "{flink.job_server}"
rest = "{flink.rest}"
workers = "{flink.workers}"
savepoints = "{flink.savepoints}"
checkpoint_s = {checkpoint_s}
[warehouse]
publish_every_s = {publish_every_s}
[viewer]
enabled = false
"""


class Stack:
    """One installation in `folder`, on servers that others may share.

    Args:
        folder: for configuration and data; made when missing.
        url: of the log.
        flink: where the tagging job runs.
        prefix: keeps its topics and its job apart.
        sources: more of groundswell.toml.
        runner: of the tagging job.
        partitions: of each topic.
        checkpoint_s: how often Flink notes how far it is.
        publish_every_s: how often the tables are published, and forecasts begun.
    """

    def __init__(  # noqa: PLR0913 - what tests differ in
        self,
        folder: Path,
        url: str,
        flink: FlinkCluster,
        prefix: str,
        *,
        sources: str = "",
        runner: str = "flink",
        partitions: int = 4,
        checkpoint_s: float = 2.0,
        publish_every_s: float = 5.0,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._started: list[subprocess.Popen[bytes]] = []
        self.prefix = prefix
        self.path = folder / "groundswell.toml"
        text = CONFIGURATION.format(
            url=url,
            prefix=prefix,
            flink=flink,
            runner=runner,
            partitions=partitions,
            checkpoint_s=checkpoint_s,
            publish_every_s=publish_every_s,
        )
        self.path.write_text(text + sources, encoding="utf-8")
        (folder / "data").mkdir(exist_ok=True)
        secret = folder / "data" / "secret"
        secret.touch(mode=0o600)
        secret.write_text(secrets.token_hex(32), encoding="utf-8")

    def share_secret(self, other: Path) -> None:
        """Give authors the pseudonyms that the configuration `other` gives them."""
        secret = (other.parent / "data" / "secret").read_text(encoding="utf-8")
        (self.folder / "data" / "secret").write_text(secret, encoding="utf-8")

    def open_log(self) -> MessageLog:
        """The log, to look into; close it."""
        return open_log(load(self.path).log)

    def tagged(self) -> int:
        """Records on the topic `tagged`, repetitions included."""
        with closing(self.open_log()) as log:
            return sum(end for _, end in log.bounds("tagged").values())

    def start(self, job: str, *options: str) -> subprocess.Popen[bytes]:
        """Start a job; what it says goes to a file."""
        with (self.folder / f"{job}.log").open("ab") as log:
            process = subprocess.Popen(
                self._command(job, *options),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._started.append(process)
        return process

    def end(self) -> None:
        """Kill what still runs, as after a test that failed."""
        for process in self._started:
            process.kill()
            process.wait()

    def finish(self, job: str, *options: str, seconds: float = 180) -> None:
        """Run a job to its end, which must be a good one."""
        process = self.start(job, *options)
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        assert status == 0, self.said(job)

    def said(self, job: str) -> str:
        """The end of what a job said."""
        return (self.folder / f"{job}.log").read_text(errors="replace")[-4_000:]

    def status(self) -> Status:
        """How the parts are, without a process that would have to be started."""
        return read_status(load(self.path), utc_now())

    def told(self) -> dict[str, Any]:
        """What `groundswell status --json` tells."""
        command = self._command("status", "--json")
        run = subprocess.run(command, capture_output=True, check=False, timeout=60)
        return dict(json.loads(run.stdout))

    def _command(self, job: str, *options: Any) -> Sequence[str]:
        command = [sys.executable, "-m", "pipeline.cli", job]
        return [*command, "--config", str(self.path), *options]
