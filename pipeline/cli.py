"""The command line: reads arguments, calls one function, prints what it says.

Each command imports its own part when it runs, so that `groundswell --help` and
`groundswell tag` do not wait for Beam.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, get_args

import msgspec

from pipeline import config as configuration
from pipeline.config import Runner
from pipeline.errors import GroundswellError, LogStoppedError
from pipeline.jobs.logs import configure_logs
from pipeline.jobs.stop import Stop

FAILED = 1
INTERRUPTED = 130
BROKEN_PIPE = 141
NOT_FOR = (
    "groundswell shows how groups of people fare. It diagnoses nobody, and it is "
    "not for watching employees."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit status: 0, 1 (failed) or 2 (misused)."""
    given = _parser().parse_args(arguments)
    configure_logs(sys.stderr)
    try:
        status: int = given.command(given)
        sys.stdout.flush()
    except LogStoppedError:
        return 0  # a job that was asked to end has ended
    except GroundswellError as error:
        print(f"groundswell: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our pipe has gone; keep Python from complaining at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="groundswell",
        description="Listens to developer channels; shows when and why people "
        "struggle.",
        epilog=NOT_FOR,
    )
    parser.add_argument(
        "--version", action="version", version=f"groundswell {version('groundswell')}"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_demo(commands)
    _add_configuration(commands)
    _add_jobs(commands)
    _add_status(commands)
    _add_tag(commands)
    _add_evaluate(commands)
    _add_backtest(commands)
    _add_train(commands)
    _add_sql(commands)
    _add_replay(commands)
    _add_dead_letters(commands)
    _add_forget(commands)
    _add_dashboards(commands)
    return parser


def _command(
    commands: Any, name: str, run: Callable[[argparse.Namespace], int], text: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=text, description=text, epilog=NOT_FOR
    )
    parser.set_defaults(command=run)
    return parser


def _with_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config",
        type=Path,
        default=Path("groundswell.toml"),
        metavar="FILE",
        help="the configuration (default: groundswell.toml)",
    )


def _with_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON for scripts")


def _stop(supervisor: int | None = None) -> Stop:
    stop = Stop()
    stop.watch_signals()
    if supervisor is not None:
        stop.watch_parent(supervisor)
    return stop


# ── demo ────────────────────────────────────────────────────────────────────────


def _add_demo(commands: Any) -> None:
    parser = _command(
        commands, "demo", _demo, "real messages, a planted crisis, all on localhost"
    )
    parser.add_argument(
        "--dir", type=Path, default=Path("groundswell-demo"), help="where it works"
    )
    parser.add_argument("--port", type=_port, default=8080, help="the page's port")
    parser.add_argument(
        "--once", action="store_true", help="stop after the first publication"
    )


def _port(text: str) -> int:
    port = int(text)
    if not 0 < port < 65_536:  # noqa: PLR2004 - TCP's own limits
        raise argparse.ArgumentTypeError("choose a port from 1 to 65535")
    return port


def _count(text: str) -> int:
    count = int(text)
    if not 0 < count <= 1_000_000:  # noqa: PLR2004 - more than anybody reads
        raise argparse.ArgumentTypeError("choose a number from 1 to 1000000")
    return count


def _demo(given: argparse.Namespace) -> int:
    from pipeline.jobs.demo import demo

    demo(given.dir, port=given.port, once=given.once, stop=_stop())
    return 0


# ── configuration ───────────────────────────────────────────────────────────────


def _add_configuration(commands: Any) -> None:
    parser = _command(commands, "init", _init, "write a commented groundswell.toml")
    _with_config(parser)
    parser = _command(
        commands, "check", _check, "say what is wrong with the configuration"
    )
    _with_config(parser)
    _with_json(parser)


def _init(given: argparse.Namespace) -> int:
    from pipeline.jobs.init import init

    for path in init(given.config, os.environ):
        print(f"wrote {path}")
    print("next: name your sources in it, then `groundswell check`")
    return 0


def _check(given: argparse.Namespace) -> int:
    faults = configuration.check(given.config, os.environ, _model_faults)
    if given.json:
        print(msgspec.json.encode({"faults": faults}).decode())
    else:
        print("\n".join(faults) or f"{given.config}: nothing is wrong")
    return FAILED if faults else 0


def _model_faults(settings: configuration.TaggingSettings) -> list[str]:
    faults = []
    if settings.model is not None:
        from pipeline.tagging.model_folder import faults_of

        faults = faults_of(Path(settings.model))
    if "transformers" in settings.taggers and settings.transformers.model:
        faults += _transformers_faults(settings)
    return faults


def _transformers_faults(settings: configuration.TaggingSettings) -> list[str]:
    try:
        from pipeline.tagging.transformers_labels import model_faults
    except ModuleNotFoundError:
        return []  # that its packages are not installed is a fault already
    return model_faults(settings.transformers)


# ── jobs ────────────────────────────────────────────────────────────────────────


def _add_jobs(commands: Any) -> None:
    for name, run, text in (
        ("run", _run, "all parts in one process tree"),
        ("connect", _connect, "read the sources into the log"),
        ("process", _process, "tag the messages on the log"),
        ("load", _load, "load tags into the warehouse, forecast, publish"),
    ):
        parser = _command(commands, name, run, text)
        _with_config(parser)
        parser.add_argument(
            "--once", action="store_true", help="do what there is to do, then stop"
        )
        parser.add_argument("--supervised", type=int, help=argparse.SUPPRESS)
        if name == "process":
            parser.add_argument(
                "--runner",
                choices=get_args(Runner),
                help="what runs the job (default: [tagging] runner)",
            )
    parser = _command(
        commands, "worker", _worker, "serve Flink's TaskManagers with Python workers"
    )
    parser.add_argument("--host", default="127.0.0.1", help="where to listen")
    parser.add_argument("--port", type=_port, default=50_000)
    parser = _command(commands, "view", _view, "show the dashboards in a browser")
    _with_config(parser)
    parser.add_argument("--supervised", type=int, help=argparse.SUPPRESS)


def _run(given: argparse.Namespace) -> int:
    from pipeline.jobs.run import run

    configuration.load(given.config)
    run(given.config, os.environ, _stop(), once=given.once)
    return 0


def _connect(given: argparse.Namespace) -> int:
    from pipeline.jobs.connect import connect

    config = configuration.load(given.config)
    stop = _stop(given.supervised)
    connect(config, os.environ, stop, once=given.once)
    return 0


def _process(given: argparse.Namespace) -> int:
    config = configuration.load(given.config)
    stop = _stop(given.supervised)
    match given.runner or config.tagging.runner:
        case "flink":
            from pipeline.jobs.flink import process_on_flink

            process_on_flink(config, stop, once=given.once)
        case "prism":
            from pipeline.jobs.prism import process_on_prism

            process_on_prism(config, stop, once=given.once)
        case _:
            from pipeline.jobs.process import process

            process(config, stop, once=given.once)
    return 0


def _worker(given: argparse.Namespace) -> int:
    from pipeline.jobs.worker import serve_workers

    serve_workers(given.host, given.port, _stop())
    return 0


def _load(given: argparse.Namespace) -> int:
    from pipeline.jobs.load import load

    config = configuration.load(given.config)
    load(config, _stop(given.supervised), once=given.once)
    return 0


def _view(given: argparse.Namespace) -> int:
    from dashboards.viewer.server import serve

    config = configuration.load(given.config)
    stop = _stop(given.supervised)
    serve(
        Path(config.warehouse.published),
        config.viewer.host,
        config.viewer.port,
        stop.is_set,
        lambda url: print(f"groundswell: the dashboards are at {url}", flush=True),
    )
    return 0


# ── questions ───────────────────────────────────────────────────────────────────


def _add_status(commands: Any) -> None:
    parser = _command(
        commands, "status", _status, "lag, rates, ages, dead letters, per source"
    )
    _with_config(parser)
    _with_json(parser)


def _status(given: argparse.Namespace) -> int:
    from datetime import UTC, datetime

    from pipeline.jobs.status import read_status, render

    status = read_status(configuration.load(given.config), datetime.now(UTC))
    if given.json:
        print(msgspec.json.encode(status).decode())
    else:
        print(render(status))
    return FAILED if status.log_error else 0


def _add_sql(commands: Any) -> None:
    parser = _command(
        commands, "sql", _sql, "ask the published file, read-only, in SQL"
    )
    parser.add_argument("query", nargs="?", help="without one: the tables there are")
    _with_config(parser)
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="print JSON lines")
    shape.add_argument("--csv", action="store_true", help="print CSV")


TABLES = (
    "SELECT table_name, comment FROM duckdb_tables() WHERE NOT internal "
    "ORDER BY table_name"
)


def _sql(given: argparse.Namespace) -> int:
    from pipeline.jobs.sql import Shape, print_rows
    from pipeline.warehouse.query import query

    published = Path(configuration.load(given.config).warehouse.published)
    shape: Shape = "json" if given.json else "csv" if given.csv else "table"
    print_rows(query(published, given.query or TABLES), shape, sys.stdout)
    return 0


def _add_dead_letters(commands: Any) -> None:
    parser = _command(
        commands, "dead-letters", _dead_letters, "what could not be processed, and why"
    )
    _with_config(parser)
    parser.add_argument("--last", type=_count, default=20, metavar="N", help="how many")
    _with_json(parser)


def _dead_letters(given: argparse.Namespace) -> int:
    from pipeline.jobs.dead_letters import newest, render

    letters = newest(configuration.load(given.config), given.last)
    if given.json:
        for letter in letters:
            print(msgspec.json.encode(letter).decode())
    else:
        print(render(letters))
    return 0


def _add_forget(commands: Any) -> None:
    parser = _command(
        commands, "forget", _forget, "erase what an author wrote, or single messages"
    )
    _with_config(parser)
    parser.add_argument("--source", metavar="NAME", required=True)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument(
        "--author",
        metavar="NAME|-",
        help="as the platform names them; - reads the name from standard input",
    )
    which.add_argument(
        "--message", nargs="+", metavar="ID", default=[], help="ids of messages"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="count them, and change nothing"
    )
    _with_json(parser)


def _forget(given: argparse.Namespace) -> int:
    from pipeline.jobs.forget import Asked, forget, render

    author = given.author
    if author == "-":
        author = sys.stdin.readline().rstrip("\r\n")
    forgotten = forget(
        configuration.load(given.config),
        os.environ,
        Asked(given.source, author, tuple(given.message)),
        dry_run=given.dry_run,
    )
    print(msgspec.json.encode(forgotten).decode() if given.json else render(forgotten))
    return 0


# ── files ───────────────────────────────────────────────────────────────────────


def _add_tag(commands: Any) -> None:
    parser = _command(
        commands, "tag", _tag, 'JSONL {"id", "text", …} in, its marks as JSONL out'
    )
    parser.add_argument("file", metavar="FILE|-", help="JSONL, or - for standard input")
    parser.add_argument(
        "--all", action="store_true", dest="every_mark", help="unflagged marks too"
    )
    parser.add_argument(
        "--tagger",
        choices=get_args(configuration.TaggerName),
        help="what reads the texts (default: the configuration's)",
    )
    parser.add_argument(
        "--tier",
        choices=get_args(configuration.Tier),
        help="how thoroughly the encoder reads (default: the configuration's)",
    )
    _with_optional_config(parser)


def _with_optional_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="whose [tagging], and [privacy] suicidality, to use",
    )


def _config_or_defaults(given: argparse.Namespace) -> configuration.Config:
    return configuration.load(given.config) if given.config else configuration.Config()


def _tag(given: argparse.Namespace) -> int:
    from pipeline.jobs.redacted import load_for_files
    from pipeline.jobs.tag import tag_file

    config = _config_or_defaults(given)
    asked = {"tagger": given.tagger, "tier": given.tier}
    settings = msgspec.structs.replace(
        config.tagging, **{name: value for name, value in asked.items() if value}
    )
    tagger = load_for_files(settings, suicidality=config.privacy.suicidality)
    path = None if given.file == "-" else Path(given.file)
    bad = tag_file(path, sys.stdout.buffer, tagger, every_mark=given.every_mark)
    if bad:
        print(
            f"groundswell: {bad} lines could not be tagged: mend those whose output "
            "says error",
            file=sys.stderr,
        )
    return FAILED if bad else 0


def _add_evaluate(commands: Any) -> None:
    parser = _command(
        commands, "evaluate", _evaluate, "how good a tagger is on gold labels"
    )
    parser.add_argument(
        "folder", nargs="?", type=Path, metavar="FOLDER", help="*.jsonl of gold labels"
    )
    parser.add_argument(
        "--tagger",
        metavar="NAME[:TIER]",
        help="what is judged (default: the configuration's)",
    )
    _with_optional_config(parser)
    parser.add_argument(
        "--evidence",
        action="store_true",
        help="test, too, whether scores rest on the words that marks point at",
    )
    parser.add_argument(
        "--compare",
        nargs=2,
        metavar=("A", "B"),
        help="which of two is better: files of --json, or taggers, which need FOLDER",
    )
    _with_json(parser)
    parser.set_defaults(misused=parser.error)


def _evaluate(given: argparse.Namespace) -> int:
    from pipeline.evaluation.compare import compare
    from pipeline.evaluation.report import render, render_comparison

    if given.compare:
        comparison = compare(*(_judged(given, asked) for asked in given.compare))
        found: msgspec.Struct = comparison
        text = render_comparison(comparison)
    else:
        result = _judged(given, given.tagger)
        found, text = result, render(result)
    print(msgspec.json.encode(found).decode() if given.json else text)
    return 0


def _judged(given: argparse.Namespace, asked: str | None) -> Any:
    """What was found of a tagger, perhaps earlier."""
    from pipeline.evaluation.result import read_result
    from pipeline.jobs.evaluate import evaluate, load_asked

    if given.compare and asked and not _is_tagger(asked):
        return read_result(Path(asked))
    if given.folder is None:
        given.misused(
            "a FOLDER of gold labels is needed, unless two files are compared"
        )
    config = _config_or_defaults(given)
    return evaluate(
        given.folder,
        load_asked(asked, config.tagging, suicidality=config.privacy.suicidality),
        evidence=given.evidence,
        show_progress=sys.stderr.isatty(),
    )


def _is_tagger(asked: str) -> bool:
    """Whether it is a tagger that is to be compared, and not what was kept of one."""
    name = asked.partition(":")[0]
    known = get_args(configuration.TaggerName)
    return (name in known or not name) and not Path(asked).is_file()


def _add_backtest(commands: Any) -> None:
    parser = _command(
        commands, "backtest", _backtest, "date,value in, the track record out"
    )
    parser.add_argument("series", type=Path, metavar="SERIES.csv")
    parser.add_argument(
        "--horizon",
        type=int,
        default=7,
        metavar="DAYS",
        help="how far to look ahead, 1 to 28 (default: 7)",
    )
    parser.add_argument(
        "--days", type=int, default=240, help="origins to go back (default: 240)"
    )
    parser.add_argument("--output", type=Path, metavar="F.jsonl")
    parser.add_argument("--plot", type=Path, metavar="F.svg", help="a picture of it")
    parser.add_argument(
        "--also",
        action="append",
        default=[],
        metavar="MODEL",
        help="gru or prophet, if its extra (deep, prophet) is installed",
    )
    _with_json(parser)


def _backtest(given: argparse.Namespace) -> int:
    from pipeline.jobs.backtest_input import read_series

    series = read_series(
        given.series,
        horizon=given.horizon,
        days=given.days,
        outputs=(given.output, given.plot),
    )

    # It takes seconds to import, which a refusal need not wait for.
    from pipeline.jobs.backtest import backtest, render

    summary = backtest(
        series,
        horizon=given.horizon,
        days=given.days,
        output=given.output,
        plot=given.plot,
        also=given.also,
        show_progress=sys.stderr.isatty(),
    )
    print(msgspec.json.encode(summary).decode() if given.json else render(summary))
    return 0


def _add_train(commands: Any) -> None:
    parser = _command(
        commands, "train", _train, "labelled texts in, the neural tagger out; resumable"
    )
    for name, text, required in (
        ("--data", "labelled texts and chats", True),
        ("--base", "weights to begin with", True),
        ("--output", "where it works", True),
        ("--teacher-base", "other weights for the teachers to begin with", False),
        ("--soft-labels", "ready soft labels; no teachers", False),
    ):
        parser.add_argument(
            name, type=Path, metavar="FOLDER", required=required, help=text
        )
    parser.add_argument(
        "--stage",
        choices=("teachers", "soft-labels", "student", "export", "all"),
        default="all",
        help="do this one alone",
    )
    parser.add_argument("--teachers", type=_count, default=2, metavar="N")
    parser.add_argument(
        "--subset", type=_count, metavar="N", help="labelled texts, messages at most"
    )
    parser.add_argument(
        "--without",
        type=lambda names: tuple(names.split(",")),
        default=(),
        metavar="SET,…",
        help="leave out sets or chats",
    )
    parser.add_argument("--seed", type=_count, default=1, metavar="N")
    _with_json(parser)


def _train(given: argparse.Namespace) -> int:
    from pipeline.jobs.train import render, train

    figures = train(
        given.output,
        given.stage,
        show_progress=sys.stderr.isatty(),
        data=given.data,
        base=given.base,
        teacher_base=given.teacher_base,
        teachers=given.teachers,
        soft_labels=given.soft_labels,
        without=given.without,
        subset=given.subset,
        seed=given.seed,
    )
    print(msgspec.json.encode(figures).decode() if given.json else render(figures))
    return 0


def _add_replay(commands: Any) -> None:
    parser = _command(
        commands, "replay", _replay, "a JSONL archive into the log; resumable"
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    _with_config(parser)
    parser.add_argument(
        "--source", metavar="NAME", help="its name (default: each file's own name)"
    )
    parser.add_argument("--platform", default="archive")
    parser.add_argument("--kind", choices=("comment", "chat", "post"), default="chat")
    parser.add_argument(
        "--speed",
        type=float,
        default=0.0,
        metavar="N",
        help="N times the archive's own pace (default: at once)",
    )
    _with_json(parser)


def _replay(given: argparse.Namespace) -> int:
    from pipeline.jobs.replay import replay, source_name

    config = configuration.load(given.config)
    stop = _stop()
    archives: dict[str, list[Path]] = {}
    for path in given.files:
        archives.setdefault(given.source or source_name(path), []).append(path)
    for name, files in archives.items():
        settings = configuration.replay_settings(
            config,
            name,
            files,
            platform=given.platform,
            kind=given.kind,
            speed=given.speed,
        )
        summary = replay(
            config, os.environ, settings, stop, show_progress=sys.stderr.isatty()
        )
        print(
            msgspec.json.encode({"source": name, "summary": summary}).decode()
            if given.json
            else f"{name}: {summary.messages:,} messages, "
            f"{summary.dead_letters:,} dead letters"
        )
    return 0


def _add_dashboards(commands: Any) -> None:
    parser = _command(commands, "dashboards", _dashboards, "Grafana's dashboards")
    parser.add_argument("action", choices=("build",), help="write their JSON anew")


def _dashboards(_given: argparse.Namespace) -> int:
    from dashboards.build import write_all

    for path in write_all():
        print(f"wrote {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
