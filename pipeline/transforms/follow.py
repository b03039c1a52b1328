"""Reads the log for ever, in a streaming engine.

A fixed number of shards share the partitions. Each is a key with one value of state,
its positions, and one timer: when it fires, the shard reads a slice, moves its
positions and sets the timer anew. So a checkpoint holds the same few bytes after
months. (A splittable DoFn that defers its remainder would be the usual source, but
Flink keeps a state of its own for each deferral and never forgets it:
https://github.com/apache/beam/issues/27648.)
"""

import math
import time
from collections.abc import Callable, Generator, Iterable

import apache_beam as beam
from apache_beam.coders import BytesCoder
from apache_beam.metrics import Metrics
from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.transforms.userstate import (
    ReadModifyWriteStateSpec,
    RuntimeTimer,
    TimerSpec,
    on_timer,
)
from apache_beam.utils.timestamp import Timestamp

from pipeline.log.message_log import Entry, MessageLog, Stored
from pipeline.transforms.held import Held
from pipeline.transforms.positions import (
    KEY,
    Bounds,
    Claim,
    Place,
    Positions,
    bounds_of,
    committed,
    decode_positions,
    encode_positions,
    next_claim,
)
from pipeline.transforms.read import records

SHARDS = 16
SLICE = 10_000
"""Records a shard reads at once, at most."""
SLICE_S = 0.25
"""Seconds after which a shard lets the others read: what is live waits for them."""

BOUNDS_S = 0.5
"""How long bounds are believed, so that idle shards ask for them together."""

_FAR_S = 50 * 365 * 86_400.0

Shard = tuple[int, bytes]


class Follow(beam.PTransform):
    """Reads the topics to be tagged, the more urgent first, and goes on for ever.

    Each partition is read in order and by one shard. New partitions are found.

    Args:
        log: read from; what is behind us is told to its topic `cursors`.
        poll_s: how long a shard waits when there is nothing to read.
        hold_watermark: for engines whose `Impulse` declares the end of time at once,
            and that drop the timers of whoever comes after it, as Flink does.
        clock: seconds since 1970, as timers count.
    """

    def __init__(
        self,
        log: Held[MessageLog],
        *,
        poll_s: float,
        hold_watermark: bool,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__()
        self._log = log
        self._poll_s = poll_s
        self._hold = hold_watermark
        self._clock = clock

    def expand(self, pbegin: beam.pvalue.PBegin) -> beam.PCollection[Stored]:
        """Beginning -> records of the topics to be tagged."""
        shards = pbegin | beam.Impulse() | beam.FlatMap(_shards)
        if self._hold:
            shards |= "HoldWatermark" >> beam.ParDo(_HoldWatermark(self._clock))
        reader = _ReadShard(self._log, self._poll_s, self._clock)
        return shards | "ReadShard" >> beam.ParDo(reader)


def _shards(_impulse: bytes) -> Iterable[Shard]:
    return [(shard, b"") for shard in range(SHARDS)]


@beam.typehints.with_input_types(Shard)
@beam.typehints.with_output_types(Shard)
class _HoldWatermark(beam.DoFn):
    """Passes its input on; its timer, decades away, keeps time from ending."""

    NEVER = TimerSpec("never", TimeDomain.REAL_TIME)

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock

    def process(
        self, shard: Shard, never: RuntimeTimer = beam.DoFn.TimerParam(NEVER)
    ) -> Iterable[Shard]:
        never.set(Timestamp.of(self._clock() + _FAR_S))
        yield shard

    @on_timer(NEVER)
    def on_never(self) -> None:
        """Beam demands a method for each timer."""


@beam.typehints.with_input_types(Shard)
@beam.typehints.with_output_types(Stored)
class _ReadShard(beam.DoFn):
    POSITIONS = ReadModifyWriteStateSpec("positions", BytesCoder())
    TICK = TimerSpec("tick", TimeDomain.REAL_TIME)

    def __init__(
        self, log: Held[MessageLog], poll_s: float, clock: Callable[[], float]
    ) -> None:
        self._log = log
        self._poll_s = poll_s
        self._clock = clock
        self._read = Metrics.counter("groundswell", "read")
        self._lost = Metrics.counter("groundswell", "lost")

    def setup(self) -> None:
        self._claimed_in: dict[int, int] = {}
        self._told: dict[int, bytes] = {}
        self._bundle = 0
        self._bounds: Bounds = {}
        self._bounds_at = -math.inf

    def start_bundle(self) -> None:
        self._bundle += 1

    def process(
        self, _shard: Shard, tick: RuntimeTimer = beam.DoFn.TimerParam(TICK)
    ) -> None:
        tick.set(Timestamp.of(self._clock()))

    @on_timer(TICK)
    def on_tick(
        self,
        shard: int = beam.DoFn.KeyParam,
        state: ReadModifyWriteStateSpec = beam.DoFn.StateParam(POSITIONS),
        tick: RuntimeTimer = beam.DoFn.TimerParam(TICK),
    ) -> Iterable[Stored]:
        """Read the shard's next slice."""
        log = self._log.get()
        held = state.read()
        known = decode_positions(held) if held else {}
        bounds = self._bounds_of(log, shard, known)
        positions = self._within(bounds, known, shard)
        if self._claimed_in.get(shard) != self._bundle:
            self._tell(shard, encode_positions(positions))
        claim = next_claim(positions, bounds, SLICE)
        if claim or not held:
            self._claimed_in[shard] = self._bundle
            moved = yield from self._slice(log, claim)
            state.write(encode_positions(positions | moved))
        pause = 0.0 if claim else self._poll_s
        tick.set(Timestamp.of(self._clock() + pause))

    def _bounds_of(self, log: MessageLog, shard: int, positions: Positions) -> Bounds:
        now = self._clock()
        # Another of the engine's copies of us may have seen the log grow since.
        outrun = any(
            offset > self._bounds.get(place, (0, offset))[1]
            for place, offset in positions.items()
        )
        if outrun or shard not in self._told or now - self._bounds_at >= BOUNDS_S:
            self._bounds, self._bounds_at = bounds_of(log), now
        return {
            place: bounds
            for place, bounds in self._bounds.items()
            if place[1] % SHARDS == shard
        }

    def _slice(
        self, log: MessageLog, claim: Claim
    ) -> Generator[Stored, None, dict[Place, int]]:
        """Records of `claim`, until it is time for others; then where to go on.

        Whoever takes a record processes it before it asks for the next.
        """
        begun = self._clock()
        moved: dict[Place, int] = {}
        for stored in records(log, claim):
            self._read.inc()
            yield stored
            moved[stored.topic, stored.partition] = stored.offset + 1
            if self._clock() - begun > SLICE_S:
                return moved
        return {place: end for place, (_, end) in claim.items()}

    def _tell(self, shard: int, positions: bytes) -> None:
        """Commit what earlier bundles did: they have ended, so it is on the log."""
        if self._told.get(shard) != positions:
            self._log.get().append("cursors", [Entry(f"{KEY}/{shard}", positions)])
            self._told[shard] = positions

    def _within(
        self, bounds: Bounds, positions: Positions, shard: int
    ) -> dict[Place, int]:
        """A position for each partition: ours, or where others stopped.

        Others may have gone on from where an old checkpoint or savepoint left us.
        """
        known = dict(positions)
        if shard not in self._told or bounds.keys() - known.keys():
            for place, position in committed(self._log.get()).items():
                known[place] = max(position, known.get(place, 0))
        return {
            place: self._position(known.get(place, first), first, end)
            for place, (first, end) in bounds.items()
        }

    def _position(self, position: int, first: int, end: int) -> int:
        if position < first:
            self._lost.inc(first - position)
        return position if first <= position <= end else first
