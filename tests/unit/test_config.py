"""groundswell.toml: what is wrong with it is said at once, with the remedy."""

import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from pipeline import config as configuration
from pipeline.config import (
    KAFKA_PASSWORD_VARIABLE,
    LLM_KEY_VARIABLE,
    SECRET_VARIABLE,
    KafkaSettings,
    check,
    kafka_password,
    llm_key,
    load,
    secret,
)
from pipeline.errors import ConfigError
from pipeline.jobs.init import init

SECRET = {SECRET_VARIABLE: "s" * 32}


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "groundswell.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_an_empty_file_means_every_default(tmp_path: Path) -> None:
    config = load(written(tmp_path, ""))
    assert config.warehouse.min_authors == 5
    assert config.log.url == f"sqlite:{tmp_path}/data/log.sqlite"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[logg]", "'logg' is no key of groundswell.toml: did you mean 'log'?"),
        ("[log]\nurll = 'sqlite:x'", "[log] 'urll' is no key .* did you mean 'url'"),
        ("[log]\nzzz = 1", "[log] 'zzz' is no key of groundswell.toml: remove it"),
        ("log = 3", "'log' must be a section: write it as [log]"),
        ("[log]\nretention_days = -1", "[log] retention_days: .*; change it"),
        ("[log]\nretention_days = 1e400", "[log] retention_days: .*; change it"),
        ("[warehouse]\nmin_authors = 4", "[warehouse] min_authors: .*>= 5; change it"),
        (
            "[tagging]\ntagger = 'gpt'",
            "[tagging] tagger: .*'gpt'; choose one of lexicon, encoder, transf.*, llm",
        ),
        ("[tagging]\ntier = 'best'", "'best'; choose one of fast, balanced, full"),
        (
            "[tagging.llm]\nbase = 'llm'",
            "[tagging.llm] base: .*'llm'; choose one of encoder, lexicon, transformers",
        ),
        (
            "[tagging.llm]\nurl = 'http://[::1/v1'",
            "[tagging.llm] url: it names no host, or no port from 1 to 65535; write it",
        ),
        ("[tagging.llm]\nurl = 'http://a:abc/v1'", "no port from 1 to 65535; write it"),
        ("[tagging.llm]\nurl = 'http://a:99999'", "no port from 1 to 65535; write it"),
        ("[tagging.llm]\nurl = 'http://a:0'", "no port from 1 to 65535; write it"),
        ("[flink]\nrest = 'http://[::1'", "it names no host, or no port"),
        (
            "[tagging.transformers]\nlanguages = ['english']",
            "languages: its form is wrong; write each as ISO 639-1 has it: 'en', 'es'",
        ),
        ("[tagging.transformers]\nlanguages = ['EN']", "write each as ISO 639-1"),
        ("[log]\nprefix = 'A b'", "[log] prefix: its form is wrong; write it in a-z"),
        ("sources = 3", "'sources' must be a list"),
        ("[log]\nurl = 'redis://x'", "write it as sqlite:PATH or kafka://HOST:PORT"),
        ("[log]\nurl = 'kafka://a'", "write it as sqlite:PATH or kafka://HOST:PORT"),
        ("[log]\nkafka = 3", "'log.kafka' must be a section: write it as [log.kafka]"),
        ("[log.kafka]\npartition = 3", "[log.kafka] 'partition' is no key .* mean"),
        ("[log.kafka]\nreplication = 0", "[log.kafka] replication: .*; change it"),
        ("[log.kafka]\nsecurity = 'sasl-tls'", "'sasl-tls' needs a username"),
        ("[log.kafka]\nusername = 'u'", "username is never asked for: set security"),
        (
            "[log.kafka]\nsecurity = 'tls'\ncert_file = 'x'",
            "cert_file and key_file: set both, or neither",
        ),
        ("[log.kafka]\nca_file = 'x'", "never used: set security to 'tls'"),
        ("[tagging]\nrunner = 'flink'", "set [log] url to kafka://HOST:PORT"),
        ("[flink]\nparallelism = 0", "[flink] parallelism: .*; change it"),
        ("[flink]\njob_server = 'x'", "its form is wrong; write it as HOST:PORT"),
        ("[[sources]]\nname='a'", "set type to one of replay, rss"),
        ("[[sources]]\ntype='rss'\nname='a'", "url is missing: add it"),
        ("[[sources]]\ntype='rss'\nname='A b'\nurl='http://x'", "write it in a-z"),
        (
            "[[sources]]\ntype='rss'\nname='a'\nurl='http://x'\nevry_s=1",
            "did you mean 'every_s'?",
        ),
        ("[[sources]]\ntype='rss'\nname='a'\nurl='http://x:y'", "it names no host, or"),
        (
            "[[sources]]\ntype='rss'\nname='all'\nurl='http://x'",
            "the name 'all' is taken; choose another",
        ),
    ],
)
def test_a_fault_is_one_sentence_with_its_remedy(
    tmp_path: Path, text: str, fault: str
) -> None:
    path = written(tmp_path, text)
    escaped = fault.replace("[", r"\[").replace("]", r"\]").replace("?", r"\?")
    with pytest.raises(ConfigError, match=escaped):
        load(path)
    faults = check(path, {KAFKA_PASSWORD_VARIABLE: "x"} | SECRET)
    assert len([fault for fault in faults if "x cannot be read" not in fault]) == 1


@pytest.mark.parametrize("number", ["inf", "nan", "1e300"])
@pytest.mark.parametrize(
    "key",
    [
        "log.retention_days",
        "log.retention_gb",
        "log.kafka.give_up_after_s",
        "warehouse.publish_every_s",
        "tagging.poll_s",
        "tagging.transformers.threshold",
        "tagging.llm.timeout_s",
        "flink.checkpoint_s",
    ],
)
def test_what_nobody_can_wait_or_count_is_refused(
    tmp_path: Path, key: str, number: str
) -> None:
    section, _, name = key.rpartition(".")
    (fault,) = check(written(tmp_path, f"[{section}]\n{name} = {number}"), SECRET)
    assert fault.startswith(f"[{section}] {name}: Expected `float`")


@pytest.mark.parametrize("given", ["every_s = inf", "speed = inf"])
def test_so_is_it_of_a_source(tmp_path: Path, given: str) -> None:
    about = "url = 'http://x'" if "every" in given else "files = ['groundswell.toml']"
    type_ = "rss" if "every" in given else "replay"
    text = f"[[sources]]\ntype = '{type_}'\nname = 'a'\n{about}\n{given}"
    (fault,) = check(written(tmp_path, text), SECRET)
    assert "Expected `float`" in fault


LLM = "[tagging]\ntagger = 'llm'\n[tagging.llm]\nmodel = 'm'\n"


@pytest.mark.parametrize(
    ("file", "fault"),
    [
        ("", "is no file; name one"),
        ("folder", "is no file; name one"),
        ("text", "is no SQLite database; name another"),
        ("empty", None),
        ("new/llm.sqlite", None),
    ],
)
def test_a_file_that_cannot_keep_answers_is_found(
    tmp_path: Path, file: str, fault: str | None
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "text").write_text("no database, but a text", encoding="utf-8")
    (tmp_path / "empty").touch()
    path = written(tmp_path, f"{LLM}file = '{file}'")
    wanted = [] if fault is None else [f"[tagging.llm] file: {tmp_path / file} {fault}"]
    assert check(path, SECRET) == wanted


def test_a_log_or_a_warehouse_that_is_a_folder_is_found(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for key in ("[log]\nurl = 'sqlite:folder'", "[warehouse]\npublished = 'folder'"):
        (fault,) = check(written(tmp_path, key), SECRET)
        assert fault.endswith("folder is no file; name one")


def test_a_file_that_was_used_before_is_no_fault(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "llm.sqlite")) as file:
        file.execute("CREATE TABLE answers (key)")
    assert check(written(tmp_path, f"{LLM}file = 'llm.sqlite'"), SECRET) == []


@pytest.mark.parametrize(
    ("key", "fault"),
    [
        ("", "is empty; write the key in it, or remove key_file"),
        (" \n", "is empty; write the key in it, or remove key_file"),
        ("one\ntwo\n", "holds no key: write it there alone, one line without spaces"),
        ("ké", "holds no key: write it there alone, one line without spaces"),
        ("sk-one.two_3\n", None),
    ],
)
def test_a_file_that_holds_no_key_is_found_before_it_is_used(
    tmp_path: Path, key: str, fault: str | None
) -> None:
    file = tmp_path / "key"
    file.write_text(key, encoding="utf-8")
    file.chmod(0o600)
    path = written(tmp_path, f"{LLM}key_file = 'key'")
    settings = load(path).tagging.llm
    if fault is None:
        assert check(path, SECRET) == []
        assert llm_key(settings, {}) == key.strip()
        return
    assert check(path, SECRET) == [f"[tagging.llm] key_file: {file} {fault}"]
    with pytest.raises(ConfigError, match=fault):
        llm_key(settings, {})


def test_a_key_of_two_lines_in_the_environment_is_found_and_not_repeated(
    tmp_path: Path,
) -> None:
    (fault,) = check(written(tmp_path, LLM), SECRET | {LLM_KEY_VARIABLE: "one\ntwo"})
    assert fault.startswith(f"{LLM_KEY_VARIABLE} holds no key: write it there alone")
    assert llm_key(
        load(written(tmp_path, LLM)).tagging.llm, {LLM_KEY_VARIABLE: ""}
    ) is (None)


def test_faults_of_models_are_found_beside_all_others(tmp_path: Path) -> None:
    faults = check(written(tmp_path, ""), {}, lambda settings: [settings.tagger])
    assert [SECRET_VARIABLE in faults[0], *faults[1:]] == [True, "encoder"]


def test_every_fault_is_found_at_once(tmp_path: Path) -> None:
    path = written(tmp_path, "[log]\nx = 1\nretention_gb = 0\n[viewer]\nport = -1")
    assert len(check(path, SECRET)) == 3


def test_a_missing_file_is_told_how_to_write_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="write one with `groundswell init`"):
        load(tmp_path / "none.toml")


def test_a_file_that_is_not_toml_names_the_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"not TOML .*line 1"):
        load(written(tmp_path, "= 3"))


def test_a_folder_in_place_of_the_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path)


def test_unreachable_paths_are_found(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    path = written(
        tmp_path,
        "[warehouse]\npath = 'file/w.duckdb'\n"
        "[[sources]]\ntype = 'replay'\nname = 'a'\nfiles = ['gone.jsonl']\n",
    )
    faults = check(path, SECRET)
    assert "cannot be written to; change it" in faults[0]
    assert "gone.jsonl cannot be read; check the path" in faults[1]


KAFKA = "[log]\nurl = 'kafka://a:9092,[::1]:9093'\n"
SASL = KAFKA + "[log.kafka]\nsecurity = 'sasl-tls'\nusername = 'u'\n"


def test_a_log_is_a_file_or_has_brokers(tmp_path: Path) -> None:
    embedded = load(written(tmp_path, "")).log
    assert (embedded.file, embedded.brokers) == (tmp_path / "data/log.sqlite", [])
    kafka = load(written(tmp_path, KAFKA)).log
    assert (kafka.file, kafka.brokers) == (None, ["a:9092", "[::1]:9093"])


def test_files_and_folders_are_relative_to_the_configuration(tmp_path: Path) -> None:
    text = SASL + "ca_file = 'ca.pem'\npassword_file = 'p'\n[flink]\nsavepoints = 's'"
    config = load(written(tmp_path, text))
    assert config.log.kafka.ca_file == str(tmp_path / "ca.pem")
    assert config.log.kafka.password_file == str(tmp_path / "p")
    assert config.flink.savepoints == f"file://{tmp_path}/s"
    shared = written(tmp_path, "[flink]\nsavepoints = 's3://bucket/savepoints'")
    assert load(shared).flink.savepoints == "s3://bucket/savepoints"


def test_a_missing_package_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, KAFKA)
    assert check(path, SECRET) == []
    monkeypatch.setattr(configuration, "find_spec", lambda _: None)
    assert "pip install groundswell[kafka]" in check(path, SECRET)[0]


def test_the_encoder_reads_unless_the_lexicon_is_asked_for(tmp_path: Path) -> None:
    tagging = load(written(tmp_path, "")).tagging
    assert (tagging.tagger, tagging.tier) == ("encoder", "balanced")
    cheapest = "[tagging]\ntagger = 'lexicon'\ntier = 'fast'"
    assert load(written(tmp_path, cheapest)).tagging.tagger == "lexicon"


def test_a_certificate_that_is_not_there_is_found(tmp_path: Path) -> None:
    path = written(tmp_path, "[log.kafka]\nsecurity = 'tls'\nca_file = 'gone.pem'")
    assert "gone.pem cannot be read; check the path" in check(path, SECRET)[0]


def test_the_password_of_kafka_is_asked_for_only_where_it_is_needed(
    tmp_path: Path,
) -> None:
    path = written(tmp_path, SASL)
    (fault,) = check(path, SECRET)
    assert "the password of Kafka's user 'u' is missing" in fault
    assert KAFKA_PASSWORD_VARIABLE in fault
    assert check(path, {KAFKA_PASSWORD_VARIABLE: "x"} | SECRET) == []
    assert kafka_password(KafkaSettings(), {}) is None


def test_the_password_of_kafka_is_for_its_owner_only(tmp_path: Path) -> None:
    path = written(tmp_path, SASL + "password_file = 'password'")
    assert "password cannot be read" in check(path, SECRET)[0]
    file = tmp_path / "password"
    file.write_text(" secret \n", encoding="utf-8")
    file.chmod(0o600)
    assert check(path, SECRET) == []
    kafka = load(path).log.kafka
    assert kafka_password(kafka, {}) == " secret "
    assert kafka_password(kafka, {KAFKA_PASSWORD_VARIABLE: "other"}) == "other"
    file.chmod(0o640)
    assert "chmod 600" in check(path, SECRET)[0]
    with pytest.raises(ConfigError, match="chmod 600"):
        kafka_password(kafka, {})


def test_a_missing_secret_says_where_to_put_one(tmp_path: Path) -> None:
    path = written(tmp_path, "")
    assert SECRET_VARIABLE in check(path, {})[0]
    with pytest.raises(ConfigError, match="secret for pseudonyms is missing"):
        secret(load(path), {})


def test_a_short_secret_is_refused(tmp_path: Path) -> None:
    faults = check(written(tmp_path, ""), {SECRET_VARIABLE: "short"})
    assert "fewer than 32 characters" in faults[0]


def test_a_secret_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "groundswell.toml"
    _, file = init(path, {})
    assert check(path, {}) == []
    assert len(secret(load(path), {})) == 64
    file.chmod(0o644)
    assert "chmod 600" in check(path, {})[0]


def test_init_writes_the_defaults_it_documents(tmp_path: Path) -> None:
    path = tmp_path / "new" / "groundswell.toml"
    init(path, {})
    empty = written(path.parent.parent, "")
    documented, defaults = load(path), load(empty)
    llm = msgspec.structs.replace(
        documented.tagging.llm, file=defaults.tagging.llm.file
    )
    tagging = msgspec.structs.replace(documented.tagging, llm=llm)
    assert tagging == defaults.tagging
    assert documented.flink.parallelism == defaults.flink.parallelism
    assert documented.forecast == defaults.forecast
    assert documented.viewer == defaults.viewer
    assert documented.log.retention_gb == defaults.log.retention_gb
    assert documented.log.kafka == defaults.log.kafka
    assert documented.warehouse.min_authors == defaults.warehouse.min_authors


def test_init_never_overwrites(tmp_path: Path) -> None:
    path = tmp_path / "groundswell.toml"
    assert init(path, SECRET) == [path]
    with pytest.raises(ConfigError, match="exists already"):
        init(path, SECRET)


def test_init_says_when_it_cannot_write(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="choose another folder"):
        init(tmp_path / "file" / "groundswell.toml", SECRET)


@pytest.mark.parametrize(
    "text",
    [
        "[warehouse]\npublished = 'groundswell.toml'",
        "[warehouse]\npath = 'x'\npublished = './x'",
        "[log]\nurl = 'sqlite:x'\n[privacy]\nsecret_file = 'x'",
    ],
)
def test_two_files_in_one_place_are_refused(tmp_path: Path, text: str) -> None:
    path = written(tmp_path, text)
    assert any("are the same file: change one" in f for f in check(path, SECRET))
    with pytest.raises(ConfigError, match="are the same file"):
        load(path)


def test_a_feed_without_its_package_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "[[sources]]\ntype = 'rss'\nname = 'a'\nurl = 'http://x'"
    path = written(tmp_path, text)
    assert check(path, SECRET) == []
    monkeypatch.setattr(configuration, "find_spec", lambda _name: None)
    (fault,) = check(path, SECRET)
    assert fault == "source 'a' needs feedparser: run pip install groundswell[rss]"


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "groundswell.toml"
    path.write_text("[viewer]\nport = 9\n", encoding="utf-8-sig")
    assert load(path).viewer.port == 9
