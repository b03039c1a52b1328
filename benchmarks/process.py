"""Messages a second through the Beam job, beside a plain loop over its functions.

The loop reads, decodes, deduplicates, tags, encodes and appends as the job does, but
without Beam, so the ratio is what Beam costs. It is shown for a tagger that finds
nothing, which leaves the transport alone, and for the lexicon tagger. The messages
are those of the demo, 20,000 lines of Ubuntu's IRC channels.

    python benchmarks/process.py
"""

import gzip
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median

from pipeline.config import LogSettings, TaggingSettings
from pipeline.jobs import demo_data
from pipeline.jobs.micro_batch import MicroBatch
from pipeline.log.message_log import Entry, MessageLog
from pipeline.log.open import open_log
from pipeline.records import Mark, Message, decode, encode
from pipeline.tagging.load import load_tagger
from pipeline.tagging.tagger import Tagger, TextToTag
from pipeline.transforms.decode import Decoded
from pipeline.transforms.deduplicate import Seen
from pipeline.transforms.held import Held
from pipeline.transforms.tag import BATCH, Model, Tagged, TaggerHandler

ROUNDS = 5
SAMPLE = Path(demo_data.__file__).with_name("ubuntu_irc_sample.jsonl.gz")
NOW = datetime.now(UTC)
SLICE = 10_000

Prepared = tuple[Callable[[int, int], object], Callable[[], None]]
Way = Callable[[LogSettings, Callable[[], Tagger]], Prepared]


class SilentTagger:
    """Finds nothing, at no cost."""

    name = "silent-1"

    def tag(self, texts: Sequence[TextToTag]) -> list[list[Mark]]:
        """No marks for any text."""
        return [[] for _ in texts]


def main() -> int:
    """Print rates and ratios; 1 when the job misses its targets."""
    settings = TaggingSettings(tagger="lexicon")
    lexicon = partial(load_tagger, settings, suicidality=False)
    missed = False
    for name, make, language, target in (
        ("no tagger", SilentTagger, "en", 15_000),
        ("lexicon", lexicon, None, 5_000),
    ):
        messages = sample(language)
        rounds = [
            (rate(beam_job, make, messages), rate(plain_loop, make, messages))
            for _ in range(ROUNDS)
        ]
        beam, loop = (median(rates) for rates in zip(*rounds, strict=True))
        missed |= beam < target
        print(
            f"{name:10} Beam job {beam:8,.0f}/s   plain loop {loop:8,.0f}/s   "
            f"ratio {beam / loop:5.2f}   (target {target:,}/s)"
        )
    return int(missed)


def sample(language: str | None) -> list[Entry]:
    """The demo's messages as entries of the log."""
    with gzip.open(SAMPLE, "rt", encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for line in lines]
    return [
        Entry("irc/ubuntu/", encode(message(number, text, language)))
        for number, text in enumerate(texts)
    ]


def message(number: int, text: str, language: str | None) -> Message:
    """One message of the sample."""
    return Message(
        source="irc",
        platform="irc",
        id=str(number),
        channel="ubuntu",
        author="0123456789abcdef",
        sent_at=NOW,
        seen_at=NOW,
        language=language,
        text=text,
    )


def rate(prepare: Way, make: Callable[[], Tagger], messages: list[Entry]) -> float:
    """Messages a second, once a way of working is prepared for a log of its own."""
    with tempfile.TemporaryDirectory() as folder:
        settings = LogSettings(url=f"sqlite:{folder}/log.sqlite")
        log = open_log(settings)
        log.append("messages", messages)
        work, close = prepare(settings, make)
        begun = time.perf_counter()
        for start in range(0, len(messages), SLICE):
            work(start, min(start + SLICE, len(messages)))
        seconds = time.perf_counter() - begun
        assert log.bounds("tagged")[0][1] == len(messages)
        close()
        log.close()
    return len(messages) / seconds


def beam_job(settings: LogSettings, make: Callable[[], Tagger]) -> Prepared:
    """The job's micro-batches."""
    batch = MicroBatch(partial(open_log, settings), make)
    return (lambda start, end: batch.run({("messages", 0): (start, end)})), batch.close


def plain_loop(settings: LogSettings, make: Callable[[], Tagger]) -> Prepared:
    """The same without Beam."""
    log, seen, model = open_log(settings), Seen(), Model(make())
    handler = TaggerHandler(Held(make))

    def work(start: int, end: int) -> None:
        decoded = new_messages(log, seen, start, end)
        results = [
            result
            for first in range(0, len(decoded), BATCH)
            for result in handler.run_inference(decoded[first : first + BATCH], model)
        ]
        tagged = [result.tagged for result in results if isinstance(result, Tagged)]
        entries = [Entry(it.message.partition_key, encode(it)) for it in tagged]
        log.append("tagged", entries)

    return work, log.close


def new_messages(log: MessageLog, seen: Seen, start: int, end: int) -> list[Decoded]:
    """The messages of a slice that were not met before."""
    found = []
    while start < end:
        for stored in log.read("messages", 0, start, min(1_000, end - start)):
            message = decode(stored.value, Message)
            if not seen.repeats(message.key, stored):
                found.append(Decoded(stored, message))
            start = stored.offset + 1
    return found


if __name__ == "__main__":
    sys.exit(main())
