"""A small streaming job for the Flink cluster: it counts for ever, and remembers."""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import apache_beam as beam
from apache_beam.coders import VarIntCoder
from apache_beam.io.flink.flink_streaming_impulse_source import (
    FlinkStreamingImpulseSource,
)
from apache_beam.metrics import Metrics
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.transforms.userstate import (
    ReadModifyWriteRuntimeState,
    ReadModifyWriteStateSpec,
    RuntimeTimer,
    TimerSpec,
    on_timer,
)
from apache_beam.utils.timestamp import Timestamp

KEYS = (b"0", b"1", b"2", b"3")
PAUSE_S = 0.2


class Count(beam.DoFn):
    """Counts a step a tick for each key; its state is what a checkpoint keeps."""

    COUNTED = ReadModifyWriteStateSpec("counted", VarIntCoder())
    TICK = TimerSpec("tick", TimeDomain.REAL_TIME)

    def __init__(self) -> None:
        self._ticks = Metrics.counter("looping", "ticks")

    def process(
        self,
        _element: tuple[bytes, bytes],
        tick: RuntimeTimer = beam.DoFn.TimerParam(TICK),
    ) -> None:
        tick.set(Timestamp.of(time.time()))

    @on_timer(TICK)
    def on_tick(
        self,
        key: bytes = beam.DoFn.KeyParam,
        counted: ReadModifyWriteRuntimeState = beam.DoFn.StateParam(COUNTED),
        tick: RuntimeTimer = beam.DoFn.TimerParam(TICK),
    ) -> Iterator[tuple[bytes, int]]:
        """Count on, and come again."""
        count = (counted.read() or 0) + 1
        counted.write(count)
        self._ticks.inc()
        tick.set(Timestamp.of(time.time() + PAUSE_S))
        yield key, count


class Tell(beam.DoFn):
    """Appends each count to a file of its key."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def process(self, element: tuple[bytes, int]) -> None:
        key, count = element
        with (Path(self._folder) / key.decode()).open("a", encoding="ascii") as file:
            file.write(f"{count}\n")


def submit(folder: str, options: list[str]) -> None:
    """Hand the job in; it goes on when this process has ended."""
    pipeline = beam.Pipeline(options=PipelineOptions(options))
    _ = (
        pipeline
        # Beam's Impulse says that time has ended, and timers set after that are lost.
        | FlinkStreamingImpulseSource().set_interval_ms(1_000).set_message_count(0)
        | beam.FlatMap(lambda _: [(key, b"") for key in KEYS]).with_output_types(
            tuple[bytes, bytes]
        )
        | beam.ParDo(Count())
        | beam.ParDo(Tell(folder))
    )
    pipeline.run()


if __name__ == "__main__":
    # Imported, so that workers find the classes by the module's name.
    import looping_job

    looping_job.submit(sys.argv[1], json.loads(sys.argv[2]))
