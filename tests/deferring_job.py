"""A source as it is usually written in Python: it defers when there is nothing to read.

It stands beside ours in benchmarks/checkpoints.py, as what we would else have done.
"""

from collections.abc import Iterator
from typing import Any

import apache_beam as beam
from apache_beam.io.restriction_trackers import OffsetRange, OffsetRestrictionTracker
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.transforms.core import RestrictionProvider
from apache_beam.utils.timestamp import Duration

FOREVER = 2**62


class _Ranges(RestrictionProvider):
    def initial_restriction(self, _element: bytes) -> OffsetRange:
        return OffsetRange(0, FOREVER)

    def create_tracker(self, restriction: OffsetRange) -> OffsetRestrictionTracker:
        return OffsetRestrictionTracker(restriction)

    def restriction_size(self, _element: bytes, _restriction: OffsetRange) -> int:
        return 1


class Poll(beam.DoFn):
    """Looks once, finds nothing, and asks to be called again in a second."""

    @beam.DoFn.unbounded_per_element()
    def process(
        self,
        element: bytes,
        tracker: Any = beam.DoFn.RestrictionParam(_Ranges()),
    ) -> Iterator[bytes]:
        start = tracker.current_restriction().start
        if tracker.try_claim(start):
            tracker.defer_remainder(Duration(seconds=1))
            yield element


def submit(options: list[str]) -> None:
    """Hand the job in; it goes on when this process has ended."""
    options = [*options, "--job_name=deferring-sdf"]
    pipeline = beam.Pipeline(options=PipelineOptions(options))
    _ = pipeline | beam.Impulse() | beam.ParDo(Poll()) | beam.Map(len)
    pipeline.run()
