"""How records travel between Beam stages that run apart: as msgpack."""

from typing import Any, Self

import msgspec
from apache_beam import coders

from pipeline.log.message_log import Entry, Stored
from pipeline.records import DeadLetter, Message, TaggedMessage
from pipeline.transforms.decode import Decoded
from pipeline.transforms.tag import Tagged

TYPES = (Stored, Entry, Message, TaggedMessage, DeadLetter, Decoded, Tagged)


def register_coders() -> None:
    """Make Beam encode our records with `RecordCoder`.

    Beam chooses coders while a pipeline is built, so call it before that.
    """
    for type_ in TYPES:
        coders.registry.register_coder(type_, RecordCoder)


class RecordCoder(coders.Coder):
    """Encodes records of one type; equal records give equal bytes.

    Args:
        record_type: a type that msgspec knows.
    """

    def __init__(self, record_type: type[Any]) -> None:
        self._type = record_type
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(record_type)

    @classmethod
    def from_type_hint(
        cls, typehint: type[Any], _registry: coders.typecoders.CoderRegistry
    ) -> Self:
        """The coder of a registered type."""
        return cls(typehint)

    def encode(self, value: Any) -> bytes:
        """The record as msgpack."""
        return self._encoder.encode(value)

    def decode(self, encoded: bytes) -> Any:
        """The record that was encoded.

        Raises:
            msgspec.ValidationError: the bytes hold no record of this type.
        """
        return self._decoder.decode(encoded)

    def is_deterministic(self) -> bool:
        """Whether equal records are equal bytes, as keys must be."""
        return True

    def to_type_hint(self) -> type[Any]:
        """The type of the records."""
        return self._type

    def __reduce__(self) -> tuple[type[Self], tuple[type[Any]]]:
        return type(self), (self._type,)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RecordCoder) and self._type is other._type

    def __hash__(self) -> int:
        return hash((type(self), self._type))
