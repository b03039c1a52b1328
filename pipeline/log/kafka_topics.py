"""The topics of a log on Kafka: made when missing, adopted when there."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

import structlog
from kafka import KafkaAdminClient, TopicPartition, errors
from kafka.admin import ConfigResource, ConfigResourceType

from pipeline.config import LogSettings
from pipeline.errors import LogError
from pipeline.log.kafka_brokers import (
    LOOK_AGAIN_S,
    MAX_REQUEST_BYTES,
    Brokers,
    close_quietly,
)
from pipeline.log.message_log import COMPACTED, TOPICS, Topic

SPREAD: frozenset[Topic] = frozenset({"messages", "history", "tagged"})
"""Topics with as many partitions as configured; the others are small and have one."""

_GIGABYTE = 10**9
_LEAST_SEGMENT = 2**20
_LARGEST_SEGMENT = 2**30
_SHORTEST_SEGMENT = timedelta(hours=1)
_LONGEST_SEGMENT = timedelta(days=7)
_ADOPTED = ("cleanup.policy", "retention.ms", "retention.bytes", "max.message.bytes")
"""What a topic that was there is given; the rest is its owner's."""

T = TypeVar("T")

log = structlog.get_logger()


class Topics:
    """Knows the topics' names and partitions; safe between threads.

    Args:
        brokers: where they are.
        settings: how they are named and made, and how much they keep.
    """

    def __init__(self, brokers: Brokers, settings: LogSettings) -> None:
        self.names: dict[Topic, str] = {
            topic: f"{settings.prefix}.{topic}" for topic in TOPICS
        }
        self._brokers = brokers
        self._settings = settings.kafka
        self._max_age = timedelta(days=settings.retention_days)
        self._max_bytes = int(settings.retention_gb * _GIGABYTE)
        self._lock = threading.RLock()
        self._admin: KafkaAdminClient | None = None
        self._are_there = False
        self._partitions: dict[Topic, tuple[float, list[TopicPartition]]] = {}

    def partitions(self, topic: Topic) -> list[TopicPartition]:
        """The topic's partitions, new ones among them after `LOOK_AGAIN_S`.

        Raises:
            KafkaError: they cannot be asked for now.
            LogError: the topics cannot be made.
        """
        with self._lock:
            looked_at, known = self._partitions.get(topic, (0.0, []))
            if not known or time.monotonic() - looked_at > LOOK_AGAIN_S:
                known = self._ask(lambda admin: self._look(admin, topic))
                self._partitions[topic] = (time.monotonic(), known)
            return known

    def delete_before(self, offsets: dict[TopicPartition, int]) -> None:
        """Let nobody read what lies before `offsets` any more.

        Raises:
            KafkaError: nothing, or only some of it, is deleted.
        """
        for partition, offset in offsets.items():
            # One at a time, as errors of several would come without their kinds.
            self._ask(partial(_delete, partition, offset))

    def close(self) -> None:
        """Let go of the connection."""
        with self._lock:
            if self._admin is not None:
                close_quietly(self._admin)
            self._admin, self._are_there = None, False
            self._partitions.clear()

    def _ask(self, question: Callable[[KafkaAdminClient], T]) -> T:
        with self._lock:
            try:
                if self._admin is None:
                    self._admin = self._brokers.admin()
                if not self._are_there:
                    self._make_or_adopt(self._admin)
                    self._are_there = True
                return question(self._admin)
            except (errors.KafkaError, OSError, LogError):
                self.close()
                raise

    def _look(self, admin: KafkaAdminClient, topic: Topic) -> list[TopicPartition]:
        (found,) = admin.describe_topics([self.names[topic]])
        _raise_for(found["error_code"], found["name"])
        numbers = sorted(each["partition_index"] for each in found["partitions"])
        return [TopicPartition(self.names[topic], number) for number in numbers]

    def _make_or_adopt(self, admin: KafkaAdminClient) -> None:
        there = {
            found["name"]
            for found in admin.describe_topics([*self.names.values()])
            if found["error_code"] == 0
        }
        missing = [topic for topic in TOPICS if self.names[topic] not in there]
        if missing:
            self._make(admin, missing)
        self._adopt(admin, [topic for topic in TOPICS if topic not in missing])

    def _make(self, admin: KafkaAdminClient, missing: list[Topic]) -> None:
        wanted = {
            self.names[topic]: {
                "num_partitions": self._count(topic),
                "replication_factor": self._settings.replication,
                "configs": self._configuration(topic),
            }
            for topic in missing
        }
        made = admin.create_topics(wanted, raise_errors=False)
        for answer in made["topics"]:
            # Another process may have been faster.
            if answer["error_code"] != errors.TopicAlreadyExistsError.errno:
                _raise_for(answer["error_code"], answer["name"], "cannot be made")
        admin.wait_for_topics([*wanted])

    def _adopt(self, admin: KafkaAdminClient, topics: list[Topic]) -> None:
        if not topics:
            return
        asked = [_resource(self.names[topic]) for topic in topics]
        answers = admin.describe_configs(asked, config_filter="all")["topic"]
        for topic in topics:
            has, wanted = answers[self.names[topic]], self._configuration(topic)
            changes = {
                key: wanted[key]
                for key in _ADOPTED
                if key in wanted and has.get(key, {}).get("value") != wanted[key]
            }
            if changes:
                self._change(admin, topic, has, changes)

    def _change(
        self,
        admin: KafkaAdminClient,
        topic: Topic,
        has: dict[str, dict[str, Any]],
        changes: dict[str, str],
    ) -> None:
        name = self.names[topic]
        # "Unknown" is also what a user may not see.
        resources = [_resource(name, changes)]
        answers = admin.alter_configs(resources, raise_on_unknown=False)
        if answers["topic"][name] == "OK":
            log.info("topic-changed", topic=name, changes=changes)
        elif topic in COMPACTED and {"cleanup.policy"} <= changes.keys() & has.keys():
            raise LogError(
                f"the topic {name} must be compacted, lest positions are lost: set its "
                "cleanup.policy to compact"
            )
        else:
            # Its owner may not let us, and may keep it otherwise on purpose.
            log.warning("topic-not-changed", topic=name, wanted=changes)

    def _count(self, topic: Topic) -> int:
        return self._settings.partitions if topic in SPREAD else 1

    def _configuration(self, topic: Topic) -> dict[str, str]:
        configuration = {
            "max.message.bytes": str(MAX_REQUEST_BYTES),
            "message.timestamp.type": "CreateTime",
            "min.insync.replicas": str(max(1, self._settings.replication - 1)),
        }
        if topic in COMPACTED:
            # Small segments are compacted soon, and whoever starts reads them all.
            return configuration | {
                "cleanup.policy": "compact",
                "segment.bytes": str(_LEAST_SEGMENT),
                "segment.ms": str(_ms(_SHORTEST_SEGMENT)),
                "min.cleanable.dirty.ratio": "0.1",
            }
        retained = [topic for topic in TOPICS if topic not in COMPACTED]
        share = self._max_bytes // sum(map(self._count, retained))
        segment = min(max(share // 8, _LEAST_SEGMENT), _LARGEST_SEGMENT)
        segment_age = min(max(self._max_age / 8, _SHORTEST_SEGMENT), _LONGEST_SEGMENT)
        return configuration | {
            "cleanup.policy": "delete",
            "retention.ms": str(_ms(self._max_age)),
            "retention.bytes": str(share),
            # Only whole segments are dropped.
            "segment.bytes": str(segment),
            "segment.ms": str(_ms(segment_age)),
        }


def _delete(partition: TopicPartition, until: int, admin: KafkaAdminClient) -> None:
    admin.delete_records({partition: until})


def _resource(name: str, changes: dict[str, str] | None = None) -> ConfigResource:
    return ConfigResource(ConfigResourceType.TOPIC, name, configs=changes)


def _raise_for(code: int, name: str, what: str = "cannot be used") -> None:
    if code:
        raise errors.for_code(code)(f"topic {name} {what}")


def _ms(duration: timedelta) -> int:
    return duration // timedelta(milliseconds=1)
