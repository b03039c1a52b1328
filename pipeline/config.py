"""groundswell.toml: its sections, their defaults, and what is wrong with a file.

Every part reads its own section; paths are relative to the file's folder.
"""

import os
import re
import stat
import tomllib
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec
from msgspec import Meta

from pipeline.addresses import host_of
from pipeline.errors import ConfigError
from pipeline.records import Kind, Name
from pipeline.tagger_settings import (
    LLM_KEY_VARIABLE,
    LlmSettings,
    TransformersSettings,
    llm_faults,
    transformers_faults,
)

SECRET_VARIABLE = "GROUNDSWELL_SECRET"  # noqa: S105 - the variable's name, no secret
KAFKA_PASSWORD_VARIABLE = "GROUNDSWELL_KAFKA_PASSWORD"  # noqa: S105 - its name only
MIN_SECRET = 32
SQLITE = "sqlite:"
KAFKA = "kafka://"

NO_TRANSFORMERS = (
    "[tagging] tagger 'transformers' needs torch and transformers: run pip install "
    "groundswell[transformers]"
)
_NAMED = "write it in a-z, 0-9, ., _ and -, from a letter or digit on, 63 at most"
_REMEDIES = {
    "log.url": "write it as sqlite:PATH or kafka://HOST:PORT,HOST:PORT",
    "log.prefix": _NAMED,
    "sources.name": _NAMED,
    "sources.platform": _NAMED,
    "sources.url": "write it as http://HOST/PATH or https://HOST/PATH",
    "tagging.llm.url": "write it as http://HOST:PORT/PATH, without password or query",
    "tagging.transformers.languages": "write each as ISO 639-1 has it: 'en', 'es'",
    "flink.job_server": "write it as HOST:PORT",
    "flink.workers": "write it as HOST:PORT",
    "flink.rest": "write it as http://HOST:PORT",
}
_PATTERN = "matching regex"
"""What msgspec says of a value, before it says what nobody wants to read."""

_URLS = frozenset({"sources.url", "tagging.llm.url", "flink.rest"})
_SQLITE_FILES = frozenset({"[log] url", "[tagging.llm] file"})
_SQLITE_HEAD = b"SQLite format 3\0"
_LLM_KEY = re.compile(r"[!-~]+")

Positive = Annotated[float, Meta(gt=0, le=1_000_000_000)]
"""Seconds; in more than 30 years no clock can wait."""

Count = Annotated[int, Meta(ge=1)]
TaggerName = Literal["lexicon", "encoder", "transformers", "llm"]
Tier = Literal["fast", "balanced", "full"]
Runner = Literal["local", "flink", "prism"]
Address = Annotated[str, Meta(pattern=r"^\S+:\d{1,5}$")]


_BROKER = r"(\[[0-9A-Fa-f:.]+\]|[^\s:,/@\[\]]+):\d{1,5}"
_LOG_URL = rf"^(sqlite:.+|kafka://{_BROKER}(,{_BROKER})*)$"


class KafkaSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the log is kept on Kafka, and how its brokers are reached.

    The password is no setting: `kafka_password` reads it where it is needed.
    """

    partitions: Annotated[int, Meta(ge=1, le=1_000)] = 8
    replication: Annotated[int, Meta(ge=1, le=32)] = 1
    security: Literal["plaintext", "tls", "sasl-plaintext", "sasl-tls"] = "plaintext"
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    username: str | None = None
    password_file: str | None = None
    give_up_after_s: Positive = 900.0

    @property
    def uses_tls(self) -> bool:
        """Whether connections are encrypted."""
        return self.security in ("tls", "sasl-tls")

    @property
    def uses_sasl(self) -> bool:
        """Whether the brokers ask for a user and a password."""
        return self.security in ("sasl-plaintext", "sasl-tls")


class LogSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where messages wait between the parts.

    Only the two properties know what a url looks like.
    """

    url: Annotated[str, Meta(pattern=_LOG_URL)] = "sqlite:data/log.sqlite"
    prefix: Name = "groundswell"
    retention_days: Annotated[float, Meta(gt=0, le=36_500)] = 30.0
    retention_gb: Annotated[float, Meta(gt=0, le=1_000_000)] = 10.0
    kafka: KafkaSettings = msgspec.field(default_factory=KafkaSettings)

    @property
    def file(self) -> Path | None:
        """The SQLite file, or None where the log is on Kafka."""
        given = self.url.removeprefix(SQLITE)
        return None if given == self.url else Path(given)

    @property
    def brokers(self) -> list[str]:
        """HOST:PORT of the Kafka brokers to ask first; none where there is a file."""
        given = self.url.removeprefix(KAFKA)
        return [] if given == self.url else given.split(",")


class WarehouseSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The private warehouse and the file that leaves the operator's hands."""

    path: str = "data/warehouse.duckdb"
    published: str = "data/published.duckdb"
    publish_every_s: Positive = 60.0
    min_authors: Annotated[int, Meta(ge=5)] = 5
    min_authors_markers: Annotated[int, Meta(ge=10)] = 10
    notice: str = ""


class PrivacySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How authors are protected."""

    secret_file: str = "data/secret"  # noqa: S105 - a path, no secret
    suicidality: bool = False


class TaggingSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What reads the messages; `model`, `tier` and `threads` are the encoder's."""

    tagger: TaggerName = "encoder"
    model: Annotated[str, Meta(min_length=1)] | None = None
    tier: Tier = "balanced"
    threads: Annotated[int, Meta(ge=1, le=64)] = 1
    runner: Runner = "local"
    batch: Annotated[int, Meta(ge=1, le=100_000)] = 20_000
    poll_s: Positive = 1.0
    transformers: TransformersSettings = msgspec.field(
        default_factory=TransformersSettings
    )
    llm: LlmSettings = msgspec.field(default_factory=LlmSettings)

    @property
    def taggers(self) -> tuple[TaggerName, TaggerName]:
        """The tagger asked for, and what stands below it; perhaps itself."""
        below = {"transformers": self.transformers.base, "llm": self.llm.base}
        return (self.tagger, below.get(self.tagger, self.tagger))


class FlinkSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the tagging job runs as one streaming job on Flink.

    `workers` is the worker pool beside each TaskManager; `savepoints` is a folder
    that the JobManager and the TaskManagers share.
    """

    job_server: Address = "127.0.0.1:8099"
    rest: Annotated[str, Meta(pattern=r"^https?://.+")] = "http://127.0.0.1:8081"
    workers: Address = "127.0.0.1:50000"
    parallelism: Count = 2
    checkpoint_s: Positive = 10.0
    savepoints: Annotated[str, Meta(min_length=1)] = "data/savepoints"


class ForecastSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Forecasts of the daily series."""

    enabled: bool = True
    horizon_days: Annotated[int, Meta(ge=1, le=28)] = 7
    backtest_days: Annotated[int, Meta(ge=14, le=730)] = 60


class ViewerSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The small web page over the published file."""

    enabled: bool = True
    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535)] = 8080


class ReplaySettings(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="replay", kw_only=True
):
    """JSONL archives, plain or gzip, read in the order given.

    `speed` 0 reads at once; N reads at N times the archive's own pace.
    """

    name: Name
    files: Annotated[list[str], Meta(min_length=1)]
    platform: Name = "archive"
    kind: Kind = "chat"
    speed: Annotated[float, Meta(ge=0, le=1_000_000_000)] = 0.0


class RssSettings(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="rss", kw_only=True
):
    """One RSS or Atom feed over HTTP."""

    name: Name
    url: Annotated[str, Meta(pattern=r"^https?://.+")]
    platform: Name = "rss"
    kind: Kind = "post"
    every_s: Annotated[float, Meta(ge=1, le=1_000_000_000)] = 900.0


SourceSettings = ReplaySettings | RssSettings


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole of groundswell.toml."""

    log: LogSettings = msgspec.field(default_factory=LogSettings)
    warehouse: WarehouseSettings = msgspec.field(default_factory=WarehouseSettings)
    privacy: PrivacySettings = msgspec.field(default_factory=PrivacySettings)
    tagging: TaggingSettings = msgspec.field(default_factory=TaggingSettings)
    flink: FlinkSettings = msgspec.field(default_factory=FlinkSettings)
    forecast: ForecastSettings = msgspec.field(default_factory=ForecastSettings)
    viewer: ViewerSettings = msgspec.field(default_factory=ViewerSettings)
    sources: list[SourceSettings] = msgspec.field(default_factory=list)


def load(path: Path) -> Config:
    """The configuration in `path`, its relative paths made absolute.

    Raises:
        ConfigError: the file cannot be used; the message lists every fault.
    """
    table = _read(path)
    faults = _faults(table)
    if faults:
        raise ConfigError(f"{path}: " + "; ".join(faults))
    config = _absolute(msgspec.convert(table, Config), path.resolve().parent)
    # Publishing replaces a file as a whole: it must never be one of the others.
    faults = [*_shared_paths(config, path), *_contradictions(config)]
    if faults:
        raise ConfigError(f"{path}: " + "; ".join(faults))
    return config


def _no_faults(_settings: TaggingSettings) -> list[str]:
    return []


def check(
    path: Path,
    environ: Mapping[str, str],
    model_faults: Callable[[TaggingSettings], list[str]] = _no_faults,
) -> list[str]:
    """Every fault of the configuration in `path`, each with its remedy.

    Args:
        path: the file.
        environ: may hold the secrets.
        model_faults: what is wrong with the taggers' models.

    Raises:
        ConfigError: the file is missing or is not TOML.
    """
    table = _read(path)
    faults = _faults(table)
    if faults:
        return faults
    config = _absolute(msgspec.convert(table, Config), path.resolve().parent)
    llm = config.tagging.llm
    return [
        *_shared_paths(config, path),
        *_contradictions(config),
        *_path_faults(config),
        *_missing_packages(config),
        *_secret_faults(config, environ),
        *_kafka_password_faults(config.log, environ),
        *(_llm_key_faults(llm, environ) if config.tagging.tagger == "llm" else []),
        *model_faults(config.tagging),
    ]


def replay_settings(
    config: Config, name: str, files: Sequence[Path], **given: Any
) -> ReplaySettings:
    """What the command line says of an archive, held to what the file would be.

    Raises:
        ConfigError: the name is taken, or a value is none that a source may have.
    """
    if name in {"all", *(source.name for source in config.sources)}:
        raise ConfigError(f"the name {name!r} is taken: choose another with --source")
    paths = [str(path.resolve()) for path in files]
    table = {"type": "replay", "name": name, "files": paths, **given}
    faults = _one_source_faults(table, f"source {name!r}", ReplaySettings)
    if faults:
        raise ConfigError("; ".join(faults))
    return msgspec.convert(table, ReplaySettings)


def secret(config: Config, environ: Mapping[str, str]) -> bytes:
    """The secret that keys the authors' pseudonyms.

    Raises:
        ConfigError: there is none, or it is too short.
    """
    faults = _secret_faults(config, environ)
    if faults:
        raise ConfigError(faults[0])
    given = environ.get(SECRET_VARIABLE)
    text = given or Path(config.privacy.secret_file).read_text(encoding="utf-8")
    return text.strip().encode()


def kafka_password(settings: KafkaSettings, environ: Mapping[str, str]) -> str | None:
    """What the user logs in with at the brokers; None where they ask for nothing.

    Raises:
        ConfigError: it is missing, or others can read it.
    """
    if not settings.uses_sasl:
        return None
    if KAFKA_PASSWORD_VARIABLE in environ:
        return environ[KAFKA_PASSWORD_VARIABLE]
    faults = _password_file_faults(settings)
    if faults:
        raise ConfigError(faults[0])
    text = Path(settings.password_file or "").read_text(encoding="utf-8")
    return text.rstrip("\r\n")


def llm_key(settings: LlmSettings, environ: Mapping[str, str]) -> str | None:
    """What the chat endpoint knows its user by; None where it asks for nothing.

    Raises:
        ConfigError: its file cannot be read, or others can read it, or it is no key.
    """
    faults = _llm_key_faults(settings, environ)
    if faults:
        raise ConfigError(faults[0])
    given = environ.get(LLM_KEY_VARIABLE)
    if given is None and settings.key_file is not None:
        given = Path(settings.key_file).read_text(encoding="utf-8")
    return (given or "").strip() or None


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise ConfigError(
            f"{path} does not exist: write one with `groundswell init`"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML ({error}): mend that line") from error
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read ({error.strerror}): check its permissions"
        ) from error


def _faults(table: dict[str, Any]) -> list[str]:
    sections = {field.name: field.type for field in msgspec.structs.fields(Config)}
    faults = [_unknown(key, sections, "") for key in table if key not in sections]
    for name, type_ in sections.items():
        if name in table and name != "sources":
            faults += _section_faults(table[name], name, type_)
    return faults + _source_faults(table.get("sources", []))


def _unknown(key: str, known: Any, where: str) -> str:
    near = get_close_matches(key, known, n=1)
    remedy = f"did you mean {near[0]!r}?" if near else "remove it"
    return f"{where}{key!r} is no key of groundswell.toml: {remedy}"


def _section_faults(section: Any, name: str, type_: Any) -> list[str]:
    """What is wrong in a section, and in the sections within it."""
    if not isinstance(section, dict):
        return [f"{name!r} must be a section: write it as [{name}]"]
    known = {field.name: field.type for field in msgspec.structs.fields(type_)}
    faults = [_unknown(k, known, f"[{name}] ") for k in section if k not in known]
    for key in (key for key in section if key in known):
        if msgspec.inspect.is_struct_type(known[key]):
            faults += _section_faults(section[key], f"{name}.{key}", known[key])
        elif fault := _key_fault(section[key], f"{name}.{key}", known[key]):
            faults.append(f"[{name}] {key}: {fault}")
    return faults


def _key_fault(value: Any, key: str, type_: Any) -> str | None:
    """What is wrong with a value, and what to do."""
    fault = _fault(value, type_) or _unusable(value, key)
    if fault is None:
        return None
    said = "its form is wrong" if _PATTERN in fault else fault
    return f"{said}; {_remedy(key, type_)}"


def _remedy(key: str, type_: Any) -> str:
    if get_origin(type_) is Literal:
        return f"choose one of {', '.join(get_args(type_))}"
    return _REMEDIES.get(key, "change it")


def _fault(value: Any, type_: Any) -> str | None:
    try:
        msgspec.convert(value, type_)
    except msgspec.ValidationError as error:
        return str(error)
    return None


def _unusable(value: Any, key: str) -> str | None:
    """What no type tells of a value: that nothing can ever be reached there."""
    if key in _URLS and host_of(value) is None:
        return "it names no host, or no port from 1 to 65535"
    return None


def _source_faults(sources: Any) -> list[str]:
    if not isinstance(sources, list) or not all(isinstance(s, dict) for s in sources):
        return ["'sources' must be a list: write each source as [[sources]]"]
    types = {type_.__struct_config__.tag: type_ for type_ in get_args(SourceSettings)}
    faults, names = [], set()
    for number, source in enumerate(sources, start=1):
        where = f"[[sources]] {number}"
        if source.get("type") not in types:
            faults.append(f"{where}: set type to one of {', '.join(sorted(types))}")
            continue
        type_ = types[source["type"]]
        faults += _one_source_faults(source, where, type_)
        name = source.get("name")
        if name in names or name == "all":
            faults.append(f"{where}: the name {name!r} is taken; choose another")
        names.add(name)
    return faults


def _one_source_faults(source: dict[str, Any], where: str, type_: Any) -> list[str]:
    fields = {field.name: field for field in msgspec.structs.fields(type_)}
    known = fields.keys() | {"type"}
    faults = [_unknown(key, known, f"{where} ") for key in source if key not in known]
    for key, field in fields.items():
        if key not in source:
            if field.required:
                faults.append(f"{where}: {key} is missing: add it")
        elif fault := _key_fault(source[key], f"sources.{key}", field.type):
            faults.append(f"{where} {key}: {fault}")
    return faults


def _absolute(config: Config, folder: Path) -> Config:
    def path(given: str) -> str:
        return str(folder / Path(given).expanduser())

    def optional(given: str | None) -> str | None:
        return None if given is None else path(given)

    def model(given: str) -> str:
        return path(given) if given and Path(path(given)).is_dir() else given

    def source(settings: SourceSettings) -> SourceSettings:
        if isinstance(settings, ReplaySettings):
            files = [path(file) for file in settings.files]
            return msgspec.structs.replace(settings, files=files)
        return settings

    replace = msgspec.structs.replace
    file, kafka, savepoints = config.log.file, config.log.kafka, config.flink.savepoints
    return replace(
        config,
        log=replace(
            config.log,
            url=config.log.url if file is None else SQLITE + path(str(file)),
            kafka=replace(
                kafka,
                ca_file=optional(kafka.ca_file),
                cert_file=optional(kafka.cert_file),
                key_file=optional(kafka.key_file),
                password_file=optional(kafka.password_file),
            ),
        ),
        flink=replace(
            config.flink,
            savepoints=savepoints
            if "://" in savepoints
            else Path(path(savepoints)).as_uri(),
        ),
        warehouse=replace(
            config.warehouse,
            path=path(config.warehouse.path),
            published=path(config.warehouse.published),
        ),
        privacy=replace(config.privacy, secret_file=path(config.privacy.secret_file)),
        tagging=replace(
            config.tagging,
            model=optional(config.tagging.model),
            transformers=replace(
                config.tagging.transformers,
                model=model(config.tagging.transformers.model),
            ),
            llm=replace(
                config.tagging.llm,
                file=path(config.tagging.llm.file),
                key_file=optional(config.tagging.llm.key_file),
            ),
        ),
        sources=[source(settings) for settings in config.sources],
    )


def _written_files(config: Config) -> dict[str, Path]:
    """The files that the jobs write, by the key that names each."""
    files = {} if config.log.file is None else {"[log] url": config.log.file}
    if config.tagging.tagger == "llm":
        files["[tagging.llm] file"] = Path(config.tagging.llm.file)
    return files | {
        "[warehouse] path": Path(config.warehouse.path),
        "[warehouse] published": Path(config.warehouse.published),
    }


def _shared_paths(config: Config, path: Path) -> list[str]:
    secret_file = {"[privacy] secret_file": Path(config.privacy.secret_file)}
    taken: dict[Path, str] = {}
    faults = []
    files = {"this file": path} | _written_files(config) | secret_file
    for key, given in files.items():
        other = taken.setdefault(given.resolve(), key)
        if other != key:
            faults.append(f"{key} and {other} are the same file: change one")
    return faults


def _contradictions(config: Config) -> list[str]:
    """Values that are right alone and wrong together."""
    kafka, faults = config.log.kafka, []
    if kafka.uses_sasl and kafka.username is None:
        faults.append(f"[log.kafka] security {kafka.security!r} needs a username")
    if not kafka.uses_sasl and kafka.username is not None:
        remedy = "set security to 'sasl-tls', or remove it"
        faults.append(f"[log.kafka] username is never asked for: {remedy}")
    if (kafka.cert_file is None) != (kafka.key_file is None):
        faults.append("[log.kafka] cert_file and key_file: set both, or neither")
    if not kafka.uses_tls and (kafka.ca_file or kafka.cert_file):
        remedy = "set security to 'tls' or 'sasl-tls', or remove them"
        faults.append(f"[log.kafka] ca_file and cert_file are never used: {remedy}")
    if config.tagging.runner == "flink" and config.log.file is not None:
        remedy = "set [log] url to kafka://HOST:PORT"
        faults.append(f"[tagging] runner 'flink' needs the log on Kafka: {remedy}")
    return faults + _tagger_faults(config.tagging)


def _tagger_faults(settings: TaggingSettings) -> list[str]:
    """What is wrong with the sections of the taggers that are asked for."""
    faults = llm_faults(settings.llm) if settings.tagger == "llm" else []
    if "transformers" in settings.taggers:
        faults += transformers_faults(settings.transformers)
    return faults


def _missing_packages(config: Config) -> list[str]:
    faults = []
    if config.log.brokers and not find_spec("kafka"):
        need = "needs kafka-python: run pip install groundswell[kafka]"
        faults.append(f"[log] url {need}")
    installed = all(map(find_spec, ("torch", "transformers")))
    if "transformers" in config.tagging.taggers and not installed:
        faults.append(NO_TRANSFORMERS)
    wanted = [s.name for s in config.sources if isinstance(s, RssSettings)]
    if wanted and not find_spec("feedparser"):
        need = "needs feedparser: run pip install groundswell[rss]"
        faults.append(f"source {wanted[0]!r} {need}")
    return faults


def _path_faults(config: Config) -> list[str]:
    faults = []
    for key, file in _written_files(config).items():
        if fault := _written_fault(key, file):
            faults.append(f"{key}: {fault}")
    kafka = config.log.kafka
    for key in ("ca_file", "cert_file", "key_file"):
        given = getattr(kafka, key)
        if given is not None and not os.access(given, os.R_OK):
            faults.append(f"[log.kafka] {key}: {given} cannot be read; check the path")
    for settings in config.sources:
        if isinstance(settings, ReplaySettings):
            faults += [
                f"source {settings.name!r}: {file} cannot be read; check the path"
                for file in settings.files
                if not os.access(file, os.R_OK)
            ]
    return faults


def _written_fault(key: str, file: Path) -> str | None:
    folder = _nearest_existing(file.parent)
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        return f"{folder} cannot be written to; change it"
    if not file.exists():
        return None
    if not file.is_file():
        return f"{file} is no file; name one"
    if not os.access(file, os.R_OK | os.W_OK):
        return f"{file} cannot be read and written; check its permissions"
    if key in _SQLITE_FILES and not _may_be_sqlite(file):
        return f"{file} is no SQLite database; name another"
    return None


def _may_be_sqlite(file: Path) -> bool:
    """Whether it begins as one does, or is still empty."""
    with file.open("rb") as opened:
        return opened.read(len(_SQLITE_HEAD)) in {b"", _SQLITE_HEAD}


def _nearest_existing(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder


def _secret_faults(config: Config, environ: Mapping[str, str]) -> list[str]:
    given = environ.get(SECRET_VARIABLE)
    file = Path(config.privacy.secret_file)
    if given is None:
        try:
            given = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            missing = f"the secret for pseudonyms is missing: set {SECRET_VARIABLE}, "
            return [missing + f"or let `groundswell init` write {file}"]
        if _is_open_to_others(file):
            return [f"{file} can be read by others: run chmod 600 on it"]
    if len(re.sub(r"\s", "", given)) < MIN_SECRET:
        short = f"the secret for pseudonyms has fewer than {MIN_SECRET} characters"
        return [f"{short}: use a longer random one"]
    return []


def _kafka_password_faults(
    settings: LogSettings, environ: Mapping[str, str]
) -> list[str]:
    kafka = settings.kafka
    if not kafka.uses_sasl or KAFKA_PASSWORD_VARIABLE in environ:
        return []
    return _password_file_faults(kafka)


def _password_file_faults(settings: KafkaSettings) -> list[str]:
    if settings.password_file is None:
        missing = f"the password of Kafka's user {settings.username!r} is missing"
        remedy = f"set {KAFKA_PASSWORD_VARIABLE}, or [log.kafka] password_file"
        return [f"{missing}: {remedy}"]
    return _guarded_file_faults(
        "[log.kafka] password_file", Path(settings.password_file)
    )


def _llm_key_faults(settings: LlmSettings, environ: Mapping[str, str]) -> list[str]:
    if LLM_KEY_VARIABLE in environ:
        key = environ[LLM_KEY_VARIABLE].strip()
        return _no_key_faults(LLM_KEY_VARIABLE, key) if key else []
    if settings.key_file is None:
        return []
    where, file = "[tagging.llm] key_file", Path(settings.key_file)
    faults = _guarded_file_faults(where, file)
    if faults:
        return faults
    key = file.read_text(encoding="utf-8").strip()
    if not key:
        return [f"{where}: {file} is empty; write the key in it, or remove key_file"]
    return _no_key_faults(f"{where}: {file}", key)


def _no_key_faults(where: str, key: str) -> list[str]:
    """What would not go through as a header of HTTP; it is never repeated."""
    if _LLM_KEY.fullmatch(key):
        return []
    return [f"{where} holds no key: write it there alone, one line without spaces"]


def _guarded_file_faults(key: str, file: Path) -> list[str]:
    try:
        file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return [f"{key}: {file} cannot be read; check the path"]
    if _is_open_to_others(file):
        return [f"{file} can be read by others: run chmod 600 on it"]
    return []


def _is_open_to_others(file: Path) -> bool:
    return bool(file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))
