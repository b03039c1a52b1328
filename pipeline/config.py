"""groundswell.toml: its sections, their defaults, and what is wrong with a file.

Every part reads its own section; paths are relative to the file's folder.
"""

import os
import re
import stat
import tomllib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta

from pipeline.errors import ConfigError
from pipeline.records import Kind, Name

SECRET_VARIABLE = "GROUNDSWELL_SECRET"  # noqa: S105 - the variable's name, no secret
MIN_SECRET = 32

Positive = Annotated[float, Meta(gt=0)]
Count = Annotated[int, Meta(ge=1)]


class LogSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where messages wait between the parts."""

    url: Annotated[str, Meta(pattern=r"^sqlite:.+")] = "sqlite:data/log.sqlite"
    prefix: Name = "groundswell"
    retention_days: Annotated[float, Meta(gt=0, le=36_500)] = 30.0
    retention_gb: Annotated[float, Meta(gt=0, le=1_000_000)] = 10.0


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
    """What reads the messages."""

    tagger: Literal["lexicon"] = "lexicon"
    batch: Annotated[int, Meta(ge=1, le=100_000)] = 20_000
    poll_s: Positive = 1.0


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
    speed: Annotated[float, Meta(ge=0)] = 0.0


class RssSettings(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="rss", kw_only=True
):
    """One RSS or Atom feed over HTTP."""

    name: Name
    url: Annotated[str, Meta(pattern=r"^https?://.+")]
    platform: Name = "rss"
    kind: Kind = "post"
    every_s: Annotated[float, Meta(ge=1)] = 900.0


SourceSettings = ReplaySettings | RssSettings


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole of groundswell.toml."""

    log: LogSettings = msgspec.field(default_factory=LogSettings)
    warehouse: WarehouseSettings = msgspec.field(default_factory=WarehouseSettings)
    privacy: PrivacySettings = msgspec.field(default_factory=PrivacySettings)
    tagging: TaggingSettings = msgspec.field(default_factory=TaggingSettings)
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
    shared = _shared_paths(config, path)
    if shared:
        raise ConfigError(f"{path}: " + "; ".join(shared))
    return config


def check(path: Path, environ: Mapping[str, str]) -> list[str]:
    """Every fault of the configuration in `path`, each with its remedy.

    Raises:
        ConfigError: the file is missing or is not TOML.
    """
    table = _read(path)
    faults = _faults(table)
    if faults:
        return faults
    config = _absolute(msgspec.convert(table, Config), path.resolve().parent)
    return [
        *_shared_paths(config, path),
        *_path_faults(config),
        *_missing_packages(config),
        *_secret_faults(config, environ),
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
    try:
        return msgspec.convert(table, ReplaySettings)
    except msgspec.ValidationError as error:
        raise ConfigError(f"source {name!r}: {error}; change it") from error


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
    faults = [*_unknown_keys(table)]
    for section in msgspec.structs.fields(Config):
        if section.name in table and section.name != "sources":
            faults += _value_faults(table, section.name, section.type)
    faults += _source_faults(table.get("sources", []))
    return faults


def _unknown_keys(table: dict[str, Any]) -> list[str]:
    sections = {field.name: field.type for field in msgspec.structs.fields(Config)}
    faults = [_unknown(key, sections, "") for key in table if key not in sections]
    for name, type_ in sections.items():
        if name != "sources" and isinstance(table.get(name), dict):
            known = {field.name for field in msgspec.structs.fields(type_)}
            faults += [
                _unknown(key, known, f"[{name}] ")
                for key in table[name]
                if key not in known
            ]
    return faults


def _unknown(key: str, known: Any, where: str) -> str:
    near = get_close_matches(key, known, n=1)
    remedy = f"did you mean {near[0]!r}?" if near else "remove it"
    return f"{where}{key!r} is no key of groundswell.toml: {remedy}"


def _value_faults(table: dict[str, Any], name: str, type_: Any) -> list[str]:
    section = table[name]
    if not isinstance(section, dict):
        return [f"{name!r} must be a section: write it as [{name}]"]
    faults = []
    for field in msgspec.structs.fields(type_):
        if field.name in section:
            fault = _fault(section[field.name], field.type)
            if fault:
                faults.append(f"[{name}] {field.name}: {fault}; change it")
    return faults


def _fault(value: Any, type_: Any) -> str | None:
    try:
        msgspec.convert(value, type_)
    except msgspec.ValidationError as error:
        return str(error)
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
        known = {field.name for field in msgspec.structs.fields(type_)} | {"type"}
        unknown = [key for key in source if key not in known]
        faults += [_unknown(key, known, f"{where} ") for key in unknown]
        fault = None if unknown else _fault(source, type_)
        if fault:
            faults.append(f"{where}: {fault}; change it")
        name = source.get("name")
        if name in names or name == "all":
            faults.append(f"{where}: the name {name!r} is taken; choose another")
        names.add(name)
    return faults


def _absolute(config: Config, folder: Path) -> Config:
    def path(given: str) -> str:
        return str(folder / Path(given).expanduser())

    def source(settings: SourceSettings) -> SourceSettings:
        if isinstance(settings, ReplaySettings):
            files = [path(file) for file in settings.files]
            return msgspec.structs.replace(settings, files=files)
        return settings

    replace = msgspec.structs.replace
    log_url = "sqlite:" + path(config.log.url.removeprefix("sqlite:"))
    return replace(
        config,
        log=replace(config.log, url=log_url),
        warehouse=replace(
            config.warehouse,
            path=path(config.warehouse.path),
            published=path(config.warehouse.published),
        ),
        privacy=replace(config.privacy, secret_file=path(config.privacy.secret_file)),
        sources=[source(settings) for settings in config.sources],
    )


def _shared_paths(config: Config, path: Path) -> list[str]:
    keys = {
        "this file": str(path),
        "[log] url": config.log.url.removeprefix("sqlite:"),
        "[warehouse] path": config.warehouse.path,
        "[warehouse] published": config.warehouse.published,
        "[privacy] secret_file": config.privacy.secret_file,
    }
    taken: dict[Path, str] = {}
    faults = []
    for key, given in keys.items():
        other = taken.setdefault(Path(given).resolve(), key)
        if other != key:
            faults.append(f"{key} and {other} are the same file: change one")
    return faults


def _missing_packages(config: Config) -> list[str]:
    wanted = [s.name for s in config.sources if isinstance(s, RssSettings)]
    if not wanted or find_spec("feedparser"):
        return []
    need = "needs feedparser: run pip install groundswell[rss]"
    return [f"source {wanted[0]!r} {need}"]


def _path_faults(config: Config) -> list[str]:
    faults = []
    written = {
        "[log] url": config.log.url.removeprefix("sqlite:"),
        "[warehouse] path": config.warehouse.path,
        "[warehouse] published": config.warehouse.published,
    }
    for key, file in written.items():
        folder = _nearest_existing(Path(file).parent)
        if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
            faults.append(f"{key}: {folder} cannot be written to; change it")
    for settings in config.sources:
        if isinstance(settings, ReplaySettings):
            faults += [
                f"source {settings.name!r}: {file} cannot be read; check the path"
                for file in settings.files
                if not os.access(file, os.R_OK)
            ]
    return faults


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
        if file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            return [f"{file} can be read by others: run chmod 600 on it"]
    if len(re.sub(r"\s", "", given)) < MIN_SECRET:
        short = f"the secret for pseudonyms has fewer than {MIN_SECRET} characters"
        return [f"{short}: use a longer random one"]
    return []
