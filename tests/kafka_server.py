"""A real Kafka broker for tests and for developers: `make kafka`.

It comes from Maven Central, with the versions that engines/kafka/pom.xml pins, into
.cache/; it listens on free ports of this machine, and keeps them and its data when it
is killed and started again.
"""

import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path

from kafka import KafkaAdminClient
from kafka.errors import KafkaError
from loopback_ports import free_ports
from maven_jars import NotInstalledError, installed

ENGINE = Path(__file__).resolve().parent / "engines" / "kafka"
READY_S = 60.0
STOP_S = 20.0
HEAP = "-Xmx512m"

_PROPERTIES = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "num.partitions": "1",
    "auto.create.topics.enable": "false",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    # A broker that was killed may come back once its old session has ended.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    # Tests move the clocks of what they test.
    "log.message.timestamp.after.max.ms": "9223372036854775807",
    # Tests wait for retention and compaction; many topics must not fill the disk.
    "log.initial.task.delay.ms": "500",
    "log.retention.check.interval.ms": "1000",
    "log.cleaner.backoff.ms": "1000",
    "log.cleaner.dedupe.buffer.size": "16777216",
    "log.index.size.max.bytes": "1048576",
    "log.segment.delete.delay.ms": "1000",
}
_JVM = (HEAP, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
_LOG_LEVEL = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"


class KafkaServer:
    """One broker, its own controller, with its data in `folder`.

    Args:
        folder: for configuration, data and the broker's output; made when missing.
        listeners: name -> security protocol, besides the plain one that is always
            there.
        properties: more of server.properties.
        scram_users: user -> password; SCRAM-SHA-256 and SCRAM-SHA-512.

    Raises:
        NotInstalledError: Kafka cannot run on this machine.
    """

    def __init__(
        self,
        folder: Path,
        *,
        listeners: Mapping[str, str] | None = None,
        properties: Mapping[str, str] | None = None,
        scram_users: Mapping[str, str] | None = None,
    ) -> None:
        self._libs = installed(ENGINE)
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        protocols = {"PLAINTEXT": "PLAINTEXT", **(listeners or {})}
        names = [*protocols, "CONTROLLER"]
        self.ports = dict(zip(names, free_ports(len(names)), strict=True))
        folder.mkdir(parents=True, exist_ok=True)
        self._write_properties(protocols, properties or {})
        self._format(scram_users or {})

    @property
    def bootstrap(self) -> str:
        """HOST:PORT of the plain listener."""
        return self.address("PLAINTEXT")

    @property
    def url(self) -> str:
        """What [log] url names."""
        return f"kafka://{self.bootstrap}"

    def address(self, listener: str) -> str:
        """HOST:PORT of a listener."""
        return f"127.0.0.1:{self.ports[listener]}"

    @property
    def running(self) -> bool:
        """Whether it was started, and neither killed nor stopped since."""
        return self._process is not None

    @property
    def pid(self) -> int:
        """The broker's process."""
        assert self._process is not None, "the broker is not running"
        return self._process.pid

    def start(self) -> None:
        """Start the broker, and wait until it answers."""
        with (self._folder / "output.log").open("ab") as output:
            self._process = subprocess.Popen(
                [*self._java(), "kafka.Kafka", self._properties],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Ctrl-C in a test must leave it to the fixture to end the broker.
                start_new_session=True,
            )
        self._wait_until_ready()

    def kill(self) -> None:
        """SIGKILL; when it returns, the process is gone."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM, and SIGKILL when that takes too long."""
        self._end(signal.SIGTERM)

    def pause(self) -> None:
        """SIGSTOP: connections stay open and nothing answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)

    def forget(self, prefix: str) -> None:
        """Delete the topics whose names begin with `prefix` and a dot."""
        with closing(KafkaAdminClient(bootstrap_servers=self.bootstrap)) as admin:
            names = [n for n in admin.list_topics() if n.startswith(f"{prefix}.")]
            if names:
                admin.delete_topics(names)

    def remove(self) -> None:
        """Stop the broker and delete its folder."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(number)
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_S
        while not self._answers():
            assert self._process is not None
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(
                    f"Kafka did not start; its last words:\n{self._words()}"
                )

    def _answers(self) -> bool:
        """Whether the broker, and not only its port, is there."""
        logging.getLogger("kafka").setLevel(logging.CRITICAL)
        with suppress(KafkaError, OSError):
            admin = KafkaAdminClient(
                bootstrap_servers=self.bootstrap, bootstrap_timeout_ms=500
            )
            try:
                return bool(admin.describe_cluster()["brokers"])
            finally:
                admin.close()
        time.sleep(0.1)
        return False

    def _words(self) -> str:
        return (self._folder / "output.log").read_text(errors="replace")[-2_000:]

    def _write_properties(
        self, protocols: Mapping[str, str], more: Mapping[str, str]
    ) -> None:
        addresses = {name: f"{name}://{self.address(name)}" for name in self.ports}
        protocol_map = {**protocols, "CONTROLLER": "PLAINTEXT"}
        properties = {
            **_PROPERTIES,
            "controller.quorum.bootstrap.servers": self.address("CONTROLLER"),
            "listeners": ",".join(addresses.values()),
            "advertised.listeners": ",".join(addresses.values()),
            "listener.security.protocol.map": ",".join(
                f"{name}:{protocol}" for name, protocol in protocol_map.items()
            ),
            "log.dirs": str(self._folder / "data"),
            **more,
        }
        self._properties = self._folder / "server.properties"
        lines = (f"{key}={value}\n" for key, value in properties.items())
        self._properties.write_text("".join(lines), encoding="utf-8")

    def _format(self, scram_users: Mapping[str, str]) -> None:
        cluster = "Z3JvdW5kc3dlbGwtdGVzdA"
        arguments = ["format", "--standalone", "-t", cluster, "-c", self._properties]
        for user, password in scram_users.items():
            for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
                value = f"{mechanism}=[name={user},password={password}]"
                arguments += ["--add-scram", value]
        subprocess.run(
            [*self._java(), "kafka.tools.StorageTool", *arguments],
            check=True,
            timeout=READY_S,
            stdout=subprocess.DEVNULL,
        )

    def _java(self) -> list[str]:
        return ["java", *_JVM, _LOG_LEVEL, "-cp", f"{self._libs}/*"]


def main() -> int:
    """Run a broker in the foreground until Ctrl-C; its data goes with it."""
    folder = Path(tempfile.mkdtemp(prefix="groundswell-kafka-"))
    try:
        server = KafkaServer(folder)
    except NotInstalledError as error:
        print(f"Kafka cannot run: {error}", file=sys.stderr)
        return 1
    server.start()
    print(f'[log]\nurl = "{server.url}"\n\nCtrl-C ends it.', flush=True)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        signal.pause()
    # Whoever is impatient must not leave the broker behind.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    server.remove()
    return 0


if __name__ == "__main__":
    sys.exit(main())
