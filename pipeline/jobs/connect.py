"""The job that reads all configured sources into the log."""

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence

from connectors.build import build
from connectors.edge import Edge
from connectors.runner import Runner, Tally
from connectors.source import Source
from pipeline import config as configuration
from pipeline.clock import utc_now
from pipeline.config import Config
from pipeline.jobs.lock import exclusive, lock_path
from pipeline.jobs.stop import Stop
from pipeline.log.open import open_log


def connect(
    config: Config, environ: Mapping[str, str], stop: Stop, *, once: bool = False
) -> None:
    """Read the sources of `config` until `stop`, or `once` all there is for now.

    Raises:
        ConfigError: the secret is missing.
        BusyError: another process reads them.
        LogError: the log cannot be used.
        GroundswellError: with `once`, a source failed; the others were read.
    """
    sources = [build(settings, utc_now) for settings in config.sources]
    with exclusive(lock_path(config, "connect"), "connect"):
        drive(config, environ, sources, stop, once=once)


def drive(  # noqa: PLR0913 - what the two jobs that read sources differ in
    config: Config,
    environ: Mapping[str, str],
    sources: Sequence[Source],
    stop: Stop,
    *,
    once: bool,
    on_page: Callable[[str, Tally], None] = lambda _name, _tally: None,
) -> dict[str, Tally]:
    """Run `sources` into the log of `config`; the tally of each.

    Raises:
        GroundswellError: see `connect`.
    """
    edge = Edge(configuration.secret(config, environ))
    log = open_log(config.log, stop.is_set)
    try:
        runner = Runner(
            log,
            edge,
            clock=utc_now,
            jitter=random.Random(),  # noqa: S311 - spreads requests, guards nothing
            on_page=on_page,
        )
        return asyncio.run(runner.run(sources, stop.is_set, once=once))
    finally:
        log.close()
