"""Kafka's brokers: how they are reached, waited for, and what their errors mean.

kafka-python tries again by itself, and tells nobody why it does. Here a wait has an
end, a line a minute, and a reason; and what waiting cannot mend is an error at once.
"""

import logging
import os
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import structlog
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, errors
from kafka.codec import has_zstd
from kafka.net.compat import KafkaNetClient
from kafka.protocol.metadata import MetadataRequest

from pipeline.config import KafkaSettings, kafka_password
from pipeline.errors import LogError, LogStoppedError
from pipeline.log.kafka_partitioner import KeyPartitioner

MAX_REQUEST_BYTES = 16 * 2**20
TRY_S = 3.0
"""How long one attempt may take before it counts as failed."""
PAUSE_S = 0.5
LOOK_AGAIN_S = 5.0
"""How long partitions and their leaders are believed."""
_REFUSALS = 3
TELL_EVERY_S = 60.0

_SECURITY = {
    "plaintext": "PLAINTEXT",
    "tls": "SSL",
    "sasl-plaintext": "SASL_PLAINTEXT",
    "sasl-tls": "SASL_SSL",
}
_MENDED_BY_TIME = (
    errors.RetriableError,
    errors.UnknownBrokerIdError,
    errors.BrokerNotAvailableError,
    # The producer's own state, or another thread's: a new producer starts afresh.
    errors.IllegalStateError,
    errors.OutOfOrderSequenceNumberError,
    errors.UnknownProducerIdError,
    errors.InvalidProducerEpochError,
    errors.InvalidProducerIdMappingError,
    errors.ProducerFencedError,
    # A leader was lost with records that were never acknowledged.
    errors.LogTruncationError,
    OSError,
)
_PASSING_TLS = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)
_REMEDIES: dict[type[Exception], str] = {
    errors.SaslAuthenticationFailedError: (
        "lets nobody in like this: check [log.kafka] security, username, "
        "sasl_mechanism and the password"
    ),
    errors.UnsupportedSaslMechanismError: (
        "does not offer this login: set another [log.kafka] sasl_mechanism"
    ),
    errors.IllegalSaslStateError: (
        "does not ask for a login there: set another port or [log.kafka] security"
    ),
    errors.AuthorizationError: (
        "does not allow this user to use the log's topics: grant it Create, Describe, "
        "DescribeConfigs, AlterConfigs, Read, Write and Delete on topics with the "
        "prefix"
    ),
    errors.InvalidReplicationFactorError: (
        "has too few brokers: lower [log.kafka] replication"
    ),
    errors.PolicyViolationError: (
        "has a policy that forbids the topic: make it yourself, or change [log.kafka]"
    ),
    errors.UnsupportedVersionError: "is too old: use Kafka 2.5 or later",
    errors.InvalidTimestampError: (
        "has another time than this machine: set the clocks right"
    ),
    errors.KafkaProtocolError: (
        "does not speak like this: does [log.kafka] security fit the port?"
    ),
    errors.CorruptRecordError: (
        "gave a record that is damaged: restore the topic, or remove the record"
    ),
}

T = TypeVar("T")

log = structlog.get_logger()


def is_mended_by_time(error: Exception) -> bool:
    """Whether the same attempt may succeed later."""
    return tls_fault(error) is None and isinstance(error, _MENDED_BY_TIME)


def tls_fault(error: BaseException | None) -> ssl.SSLError | None:
    """What was wrong with the encryption, where that was the cause."""
    while error is not None:
        for found in (error, *error.args):
            if isinstance(found, ssl.SSLError) and not isinstance(found, _PASSING_TLS):
                return found
        error = error.__cause__ or error.__context__
    return None


class Brokers:
    """Makes clients of the brokers, and waits for them.

    Args:
        addresses: HOST:PORT of those asked first.
        settings: how they are reached.
        stopped: whether to give up waiting, as the process must end.
    """

    def __init__(
        self,
        addresses: list[str],
        settings: KafkaSettings,
        stopped: Callable[[], bool],
    ) -> None:
        _quieten_client()
        self._addresses = addresses
        self._settings = settings
        self._stopped = stopped
        self._lock = threading.Lock()
        self._away_since: float | None = None
        self._told_at = 0.0

    @property
    def stopped(self) -> bool:
        """Whether the process must end."""
        return self._stopped()

    def admin(self) -> KafkaAdminClient:
        """A client for topics and their configuration."""
        options = self._reached()
        return KafkaAdminClient(request_timeout_ms=int(TRY_S * 1_000), **options)

    def consumer(self) -> KafkaConsumer:
        """A client that reads what it is told to, and never from anywhere else."""
        return KafkaConsumer(
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            # A fetch that waits for new records holds up those after it.
            fetch_max_wait_ms=50,
            metrics_enabled=False,
            **self._reached(),
        )

    def producer(self) -> KafkaProducer:
        """A client that writes each record once, in the order of its key.

        It tries again for as long as we do, so that a batch stays in its place.
        """
        give_up_ms = int(self._settings.give_up_after_s * 1_000)
        request_ms = 30_000
        return KafkaProducer(
            acks="all",
            enable_idempotence=True,
            partitioner=KeyPartitioner(),
            compression_type="zstd" if has_zstd() else "gzip",
            linger_ms=5,
            batch_size=256 * 2**10,
            max_request_size=MAX_REQUEST_BYTES,
            max_block_ms=int(TRY_S * 1_000),
            request_timeout_ms=request_ms,
            delivery_timeout_ms=give_up_ms + 2 * request_ms,
            metrics_enabled=False,
            **self._reached(),
        )

    def patiently(self, attempt: Callable[[], T]) -> T:
        """What `attempt` returns, once the brokers let it.

        Raises:
            LogStoppedError: the process must end.
            LogError: waiting is of no use, or has been for too long.
        """
        since = time.monotonic()
        while True:
            try:
                result = attempt()
            except (errors.KafkaError, OSError) as error:
                self.wait(since, error)
            else:
                self.reached()
                return result

    def wait(self, since: float, error: Exception) -> None:
        """Pause before the next attempt of what has failed since `since`.

        Raises:
            LogStoppedError: the process must end.
            LogError: waiting is of no use, or has been for too long.
        """
        if not is_mended_by_time(error):
            raise self._explanation(error) from error
        waited = time.monotonic() - since
        if self._stopped():
            raise LogStoppedError(f"{self} could not be reached: {_words(error)}")
        if waited >= self._settings.give_up_after_s:
            raise LogError(
                f"{self} could not be reached for {waited:.0f} s ({_words(error)}): "
                "start it, or set another [log] url"
            ) from error
        self._tell(waited, error)
        deadline = time.monotonic() + PAUSE_S
        while time.monotonic() < deadline and not self._stopped():
            time.sleep(0.05)

    def reached(self) -> None:
        """Say that a wait is over, where one was told."""
        if self._away_since is None:
            return
        with self._lock:
            since, self._away_since = self._away_since, None
        if since is not None:
            away_s = round(time.monotonic() - since, 1)
            log.info("log-reachable", log=str(self), away_s=away_s)

    def probe(self) -> None:
        """Log in at one of the brokers.

        Raises:
            KafkaError, OSError: why none of them could be reached.
        """
        for _ in range(_REFUSALS):
            with suppress(_ClosedError):
                self._ask()
                return
        # A broker that ends would have closed its port by now.
        raise errors.SaslAuthenticationFailedError("it closes the connection")

    def _ask(self) -> None:
        client = KafkaNetClient(**self._options())
        try:
            client._net.run(_ask_one, client._manager)  # noqa: SLF001 - says why not
        finally:
            client.close()

    def __str__(self) -> str:
        return f"Kafka at {','.join(self._addresses)}"

    def _tell(self, waited: float, error: Exception) -> None:
        now = time.monotonic()
        with self._lock:
            first = self._away_since is None
            if not first and now - self._told_at < TELL_EVERY_S:
                return
            self._away_since = self._away_since or now - waited
            self._told_at = now
            away_s = round(now - self._away_since)
        log.warning(
            "log-unreachable", log=str(self), away_s=away_s, error=_words(error)
        )

    def _explanation(self, error: Exception) -> LogError:
        fault = tls_fault(error)
        if fault is not None:
            return LogError(f"{self} {_tls_remedy(fault)}")
        for kind, remedy in _REMEDIES.items():
            if isinstance(error, kind):
                return LogError(f"{self} {remedy} ({_words(error)})")
        return LogError(f"{self} cannot be used ({_words(error)}): check its own log")

    def _reached(self) -> dict[str, Any]:
        # A client that cannot log in would keep the reason to itself.
        self.probe()
        return self._options()

    def _options(self) -> dict[str, Any]:
        settings = self._settings
        options: dict[str, Any] = {
            "bootstrap_servers": self._addresses,
            "client_id": "groundswell",
            "security_protocol": _SECURITY[settings.security],
            "bootstrap_timeout_ms": int(TRY_S * 1_000),
            "reconnect_backoff_max_ms": 1_000,
            "metadata_max_age_ms": int(LOOK_AGAIN_S * 1_000),
        }
        if settings.uses_tls:
            options["ssl_context"] = _tls_context(settings)
        if settings.uses_sasl:
            options["sasl_mechanism"] = settings.sasl_mechanism
            options["sasl_plain_username"] = settings.username
            options["sasl_plain_password"] = kafka_password(settings, os.environ)
        return options


class _ClosedError(Exception):
    """A broker answered, and closed the connection instead of letting us in.

    It says why, but kafka-python may read that together with the end, and drop it.
    """


async def _ask_one(manager: Any) -> None:
    failures: list[Exception] = []
    for broker in manager.cluster.bootstrap_brokers():
        try:
            await _ask_broker(manager, broker.node_id)
        except (errors.KafkaError, OSError, _ClosedError) as error:
            failures.append(error)
        else:
            return
    # One that says no tells more than one that is away.
    raise next((f for f in failures if not is_mended_by_time(f)), failures[-1])


async def _ask_broker(manager: Any, node_id: Any) -> None:
    connection = manager.get_connection(
        node_id, timeout_ms=TRY_S * 1_000, refresh_metadata_on_err=False
    )
    try:
        await connection
        await connection.send_request(MetadataRequest(topics=[]))
    except errors.KafkaConnectionError as error:
        if connection.broker_version is not None and tls_fault(error) is None:
            raise _ClosedError from error
        raise


def _tls_context(settings: KafkaSettings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
        if settings.cert_file is not None:
            context.load_cert_chain(settings.cert_file, settings.key_file)
    except (OSError, ssl.SSLError) as error:
        raise LogError(
            f"the certificates of [log.kafka] cannot be used ({error}): check ca_file, "
            "cert_file and key_file"
        ) from error
    return context


def _tls_remedy(fault: ssl.SSLError) -> str:
    if isinstance(fault, ssl.SSLCertVerificationError):
        return (
            f"has a certificate that cannot be trusted ({fault.verify_message}): set "
            "[log.kafka] ca_file, or name the broker as its certificate does"
        )
    return (
        f"cannot be spoken to in TLS ({fault.reason}): check the port, [log.kafka] "
        "security, cert_file and key_file"
    )


def _words(error: Exception) -> str:
    """The reason in a few words, never with what a record holds."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    said = str(error).partition("\n")[0][:200] or type(error).__name__
    if "socket disconnected" in said or "UNEXPECTED_EOF" in said:
        return "it closes the connection: does [log.kafka] security fit the port?"
    return said


def _quieten_client() -> None:
    """Leave it to us to say what is wrong; its debug lines would hold texts."""
    client_log = logging.getLogger("kafka")
    if client_log.level == logging.NOTSET:
        client_log.setLevel(logging.CRITICAL + 1)


def close_quietly(client: Any, **arguments: Any) -> None:
    """Close a client that may be in any state."""
    with suppress(errors.KafkaError, OSError, RuntimeError):
        client.close(**arguments)
