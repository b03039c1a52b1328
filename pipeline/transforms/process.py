"""What is done to every record of the log, on whatever engine."""

from typing import Any

import apache_beam as beam

from pipeline.log.message_log import MessageLog, Stored
from pipeline.tagging.tagger import Tagger
from pipeline.transforms.dead_letters import DEAD
from pipeline.transforms.decode import Decode
from pipeline.transforms.deduplicate import Deduplicate, Seen
from pipeline.transforms.encode import Encode
from pipeline.transforms.held import Held
from pipeline.transforms.tag import Tag
from pipeline.transforms.write import Write, WriteDeadLetters


@beam.typehints.with_input_types(Stored)
class Process(beam.PTransform):
    """Decodes, deduplicates, tags and encodes records, and appends what comes of it.

    Args:
        log: tagged messages and dead letters are appended to it.
        tagger: loaded once a process.
        seen: the keys met lately.
    """

    def __init__(
        self, log: Held[MessageLog], tagger: Held[Tagger], seen: Held[Seen]
    ) -> None:
        super().__init__()
        self._log = log
        self._tagger = tagger
        self._seen = seen

    def expand(self, stored: beam.PCollection[Stored]) -> Any:
        """Records -> nothing: all is on the log when a bundle ends."""
        decoded = stored | Decode()
        tagged = decoded.decoded | Deduplicate(self._seen) | Tag(self._tagger)
        encoded = tagged.tagged | Encode()
        for stage, output in (
            ("Decode", decoded),
            ("Tag", tagged),
            ("Encode", encoded),
        ):
            letters = WriteDeadLetters(self._log)
            _ = output[DEAD] | f"{stage}DeadLetters" >> letters
        return encoded.entries | Write(self._log, "tagged")
