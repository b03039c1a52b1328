"""Which partition a key belongs to: Java's rule, remembered."""

from functools import lru_cache
from typing import Any

from kafka.partitioner import Partitioner, murmur2

_REMEMBERED = 65_536

_hash = lru_cache(maxsize=_REMEMBERED)(murmur2)


class KeyPartitioner(Partitioner):
    """Where every Kafka client puts a key; the hash, slow in Python, is kept."""

    def partition(  # noqa: PLR0913, PLR0917 - kafka-python's signature
        self,
        topic: str,
        key: Any,  # noqa: ARG002
        serialized_key: bytes,
        value: Any,  # noqa: ARG002
        serialized_value: Any,  # noqa: ARG002
        cluster: Any,
    ) -> int:
        """The partition of `serialized_key`."""
        partitions = sorted(cluster.partitions_for_topic(topic))
        chosen: int = partitions[(_hash(serialized_key) & 0x7FFFFFFF) % len(partitions)]
        return chosen
