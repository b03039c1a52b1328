"""The tagging job on Prism, Beam's own local engine: one process, no cluster."""

import shutil

from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.runner import PipelineState

from pipeline.clock import utc_now
from pipeline.config import Config
from pipeline.errors import EngineError
from pipeline.jobs.lock import exclusive, lock_path
from pipeline.jobs.pace import Pace
from pipeline.jobs.stop import Stop
from pipeline.jobs.streaming import build
from pipeline.log.open import open_log
from pipeline.transforms.positions import adopt, bounds_of, reached

POLL_S = 0.5
RETENTION_S = 60.0


def process_on_prism(config: Config, stop: Stop, *, once: bool = False) -> None:
    """Tag the messages on the log until `stop`; with `once`, only what is there.

    Raises:
        BusyError: another process does this job.
        EngineError: Prism is missing or failed.
        LogError: the log cannot be used.
    """
    options = _options()
    retention = Pace(RETENTION_S)
    with exclusive(lock_path(config, "process"), "process"):
        message_log = open_log(config.log)
        try:
            wanted = bounds_of(message_log) if once else None
            adopt(message_log)
            result = build(config, options, hold_watermark=False).run()
            while not stop.wait(POLL_S):
                if PipelineState.is_terminal(result.state):
                    raise EngineError(
                        f"Prism ended the job ({result.state}): start it again"
                    )
                if retention.due():
                    message_log.enforce_retention(utc_now())
                if wanted is not None and reached(message_log, wanted):
                    break
            result.cancel()
        finally:
            message_log.close()


def _options() -> PipelineOptions:
    prism = shutil.which("prism")
    if prism is None:
        raise EngineError(
            "Prism is not on the PATH: install it with `go install "
            "github.com/apache/beam/sdks/v2/go/cmd/prism@v2.77.0`, or set another "
            "[tagging] runner"
        )
    return PipelineOptions(
        [
            "--runner=PrismRunner",
            f"--prism_location={prism}",
            "--environment_type=LOOPBACK",
            "--streaming",
        ]
    )
