"""The files of deploy/ agree with one another, with the command line and with docs."""

import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
import tomllib
from configparser import ConfigParser
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml
from apache_beam.options.pipeline_options import FlinkRunnerOptions

from pipeline import config as configuration
from pipeline.cli import _parser
from pipeline.config import Config

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").rglob("*.service"))
ONE_SHOT = {"flink-state-owner"}
OURS = ("connect", "load", "process", "view", "worker")

Service = dict[str, Any]


def yaml_of(name: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((DEPLOY / name).read_text("utf-8"))
    return content


def properties(name: str) -> dict[str, str]:
    lines = (DEPLOY / name).read_text("utf-8").splitlines()
    pairs = (line.split("=", 1) for line in lines if "=" in line and line[0] != "#")
    return dict(pairs)


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml_of("compose.yaml")


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, Service]:
    found: dict[str, Service] = compose["services"]
    return found


@pytest.fixture(scope="module")
def config() -> Config:
    return configuration.load(DEPLOY / "groundswell.toml")


def mounts(service: Service) -> dict[str, tuple[str, bool]]:
    """Where in the container -> what lies there, and whether it can be written."""
    parts = [volume.split(":") for volume in service.get("volumes", [])]
    return {there: (what, mode != ["ro"]) for what, there, *mode in parts}


def bases() -> list[str]:
    files = (DEPLOY / "Dockerfile", DEPLOY / "grafana" / "Dockerfile")
    found = (
        re.findall(r"^FROM (\S+)", f.read_text("utf-8"), re.MULTILINE) for f in files
    )
    return [image for images in found for image in images]


def health_command() -> list[str]:
    dockerfile = (DEPLOY / "Dockerfile").read_text("utf-8")
    command = re.search(r"HEALTHCHECK.*?CMD (\[.*?\])", dockerfile, re.DOTALL)
    assert command
    words: list[str] = yaml.safe_load(command[1])
    return words


def unit(path: Path) -> ConfigParser:
    parser = ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(path.read_text("utf-8"))
    return parser


@pytest.mark.timeout(60)
def test_compose_keeps_to_the_specification() -> None:
    checker = [sys.executable, "-m", "check_jsonschema"]
    schema = ["--builtin-schema", "vendor.compose-spec", DEPLOY / "compose.yaml"]
    done = subprocess.run([*checker, *schema], capture_output=True, check=False)
    assert done.returncode == 0, done.stdout.decode()


def test_every_image_has_a_full_version_that_the_documentation_names(
    services: dict[str, Service],
) -> None:
    documentation = (ROOT / "docs" / "cluster.md").read_text("utf-8")
    for image in {*(service["image"] for service in services.values()), *bases()}:
        name, _, tag = image.partition(":")
        assert re.match(r"\d+\.\d+\.\d+", tag), image
        assert name.startswith("groundswell") or f"`{image}`" in documentation


def test_our_images_have_our_version_and_grafanas(
    services: dict[str, Service],
) -> None:
    ours = {services[name]["image"] for name in OURS}
    assert ours == {f"groundswell:{version('groundswell')}"}
    grafana = services["grafana"]["image"].partition(":")[2]
    assert f"grafana/grafana:{grafana}-ubuntu" in bases()


def test_the_job_server_is_of_our_beam_and_of_a_flink_that_beam_knows(
    services: dict[str, Service],
) -> None:
    image = services["jobserver"]["image"]
    found = re.fullmatch(r"apache/beam_flink(.+)_job_server:(.+)", image)
    assert found
    flink, beam = found.groups()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert f"apache-beam=={beam.rpartition('.')[0]}.*" in project["dependencies"]
    assert f"apache-beam=={beam} " in (ROOT / "constraints.txt").read_text("utf-8")
    assert flink in FlinkRunnerOptions.PUBLISHED_FLINK_VERSIONS
    for name in ("jobmanager", "taskmanager"):
        assert services[name]["image"].startswith(f"flink:{flink}.")


def test_the_broker_is_the_one_that_the_tests_run(
    services: dict[str, Service],
) -> None:
    tag = services["kafka"]["image"].partition(":")[2]
    pom = (ROOT / "tests" / "engines" / "kafka" / "pom.xml").read_text("utf-8")
    assert f">{tag}<" in pom


@pytest.mark.parametrize("name", OURS)
def test_every_command_of_compose_is_one_of_the_command_line(
    services: dict[str, Service], name: str
) -> None:
    given = _parser().parse_args(services[name]["command"])
    if name != "worker":
        assert str(given.config) in mounts(services[name])


def test_the_health_check_is_a_command_of_the_command_line() -> None:
    program, *arguments = health_command()
    assert program == "groundswell"
    assert _parser().parse_args(arguments).config.name == "groundswell.toml"


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_every_unit_starts_a_command_of_the_command_line(path: Path) -> None:
    for part in ("connect", "process", "load", "view"):
        start = unit(path)["Service"]["ExecStart"].replace("%i", part)
        program, *arguments = shlex.split(start)
        assert program == "/opt/groundswell/.venv/bin/groundswell"
        _parser().parse_args(arguments)


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_every_unit_restarts_and_may_do_little(path: Path) -> None:
    service = unit(path)["Service"]
    assert service["Restart"] == "always"
    assert service["User"] == "groundswell"
    assert service["ProtectSystem"] == "strict"
    assert service["CapabilityBoundingSet"] == ""
    assert service["NoNewPrivileges"] == "yes"
    assert "MemoryMax" in service


@pytest.mark.timeout(60)
def test_systemd_finds_nothing_wrong(tmp_path: Path) -> None:
    """Where systemd is not installed, the units were at least parsed, above."""
    analyze = shutil.which("systemd-analyze")
    shutil.copytree(DEPLOY / "systemd", tmp_path, dirs_exist_ok=True)
    for path in tmp_path.glob("*.service"):
        # The program must exist for systemd, and this one does.
        text = path.read_text("utf-8")
        path.write_text(re.sub(r"/opt/groundswell/\S+", sys.executable, text))
    names = ["groundswell.service", "groundswell-worker.service"]
    names += [f"groundswell@{part}.service" for part in ("process", "view")]
    command = [analyze, "verify", *(tmp_path / name for name in names)]
    if analyze:
        done = subprocess.run(command, capture_output=True, check=False)
        assert (done.returncode, done.stderr.decode()) == (0, "")


def test_every_file_that_is_mounted_or_copied_is_there(
    services: dict[str, Service],
) -> None:
    for service in services.values():
        for what, _ in mounts(service).values():
            assert not what.startswith(".") or (DEPLOY / what).exists(), what
    dockerfile = (DEPLOY / "Dockerfile").read_text("utf-8")
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
    for sources in re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile, re.MULTILINE):
        for source in sources.split():
            assert (ROOT / source).exists()
            assert f"!{source}" in ignored


def test_the_image_has_the_extras_that_the_log_and_feeds_need() -> None:
    dockerfile = (DEPLOY / "Dockerfile").read_text("utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    asked = set(re.findall(r"--extra (\w+)", dockerfile))
    assert asked == {"rss", "kafka"} <= set(project["optional-dependencies"])
    assert "--require-hashes" in dockerfile


def test_nothing_of_ours_runs_as_root() -> None:
    for file in (DEPLOY / "Dockerfile", DEPLOY / "grafana" / "Dockerfile"):
        *_, last = re.findall(r"^USER (\S+)", file.read_text("utf-8"), re.MULTILINE)
        assert last not in ("root", "0")


def test_every_service_is_confined_and_comes_back(
    services: dict[str, Service],
) -> None:
    for name, service in services.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        if name not in ONE_SHOT:
            assert service["restart"] == "unless-stopped", name
            assert "memory" in service["deploy"]["resources"]["limits"], name


def test_ports_are_open_to_this_machine_only_and_the_logs_to_nobody(
    services: dict[str, Service],
) -> None:
    ports = {name: service.get("ports", []) for name, service in services.items()}
    assert all(
        port.startswith("127.0.0.1:") for each in ports.values() for port in each
    )
    assert {name for name, each in ports.items() if each} == {
        "jobmanager",
        "view",
        "grafana",
    }


def test_only_who_needs_a_secret_sees_it(services: dict[str, Service]) -> None:
    seen = {name: set(each.get("secrets", [])) for name, each in services.items()}
    assert {name for name in seen if "groundswell_secret" in seen[name]} == {"connect"}
    assert {name for name in seen if "kafka_password" in seen[name]} == {
        "kafka",
        "connect",
        "process",
        "load",
        "worker",
    }
    for service in services.values():
        for key in service.get("environment", {}):
            assert "PASSWORD" not in key or key.endswith("__FILE")
            assert "SECRET" not in key


def test_who_shows_figures_sees_the_published_file_alone(
    services: dict[str, Service], config: Config
) -> None:
    published = str(Path(config.warehouse.published).parent)
    for name in ("view", "grafana"):
        seen = mounts(services[name])
        assert seen[published] == ("published", False)
        assert "warehouse" not in {what for what, _ in seen.values()}
        assert services[name]["networks"] == ["outside"]
    assert mounts(services["load"])[published] == ("published", True)
    warehouse = str(Path(config.warehouse.path).parent)
    for name in ("connect", "process", "load"):  # where their locks are
        assert mounts(services[name])[warehouse] == ("warehouse", True)


def test_grafana_finds_the_file_and_the_dashboards(
    services: dict[str, Service], config: Config
) -> None:
    environment = services["grafana"]["environment"]
    assert environment["GROUNDSWELL_PUBLISHED"] == config.warehouse.published
    assert environment["GROUNDSWELL_DASHBOARDS"] in mounts(services["grafana"])


def test_the_configuration_names_what_compose_starts(
    services: dict[str, Service], config: Config
) -> None:
    flink = yaml_of("flink/config.yaml")
    assert config.flink.rest == f"http://jobmanager:{flink['rest.port']}"
    assert config.flink.job_server == "jobserver:8099"
    assert "--job-port=8099" in services["jobserver"]["command"]
    assert "--flink-master=jobmanager:8081" in services["jobserver"]["command"]
    port = services["worker"]["command"][-1]
    assert config.flink.workers == f"127.0.0.1:{port}"
    assert config.flink.parallelism <= flink["taskmanager.numberOfTaskSlots"]
    assert f"127.0.0.1:8080:{config.viewer.port}" in services["view"]["ports"]
    assert config.tagging.runner == "flink"


def test_workers_and_their_task_manager_share_a_network_that_outlives_both(
    services: dict[str, Service],
) -> None:
    for name in ("taskmanager", "worker"):
        assert services[name]["network_mode"] == "service:slots"
    alias = services["slots"]["networks"]["flink"]["aliases"]
    assert f"-Dtaskmanager.host={alias[0]}" in services["taskmanager"]["command"]


def test_flinks_parts_share_the_folder_of_checkpoints_and_savepoints(
    services: dict[str, Service], config: Config
) -> None:
    flink = yaml_of("flink/config.yaml")
    folders = [
        config.flink.savepoints,
        flink["execution.checkpointing.dir"],
        flink["execution.checkpointing.savepoint-dir"],
    ]
    for name in ("jobmanager", "taskmanager"):
        assert mounts(services[name])["/state"] == ("flink-state", True)
        where = services[name]["environment"]["FLINK_CONF_DIR"]
        assert mounts(services[name])[where] == ("./flink", False)
    made = services["flink-state-owner"]["command"]
    assert {folder.removeprefix("file://") for folder in folders} <= set(made)


def test_stopping_leaves_the_time_for_a_savepoint(
    services: dict[str, Service],
) -> None:
    part = unit(DEPLOY / "systemd" / "groundswell@.service")["Service"]
    assert services["process"]["stop_grace_period"] == "90s"
    assert part["TimeoutStopSec"] == "90"


def test_the_broker_knows_the_user_and_reads_its_password_from_the_secret(
    config: Config,
) -> None:
    broker = properties("kafka/server.properties")
    kafka = config.log.kafka
    assert f"CLIENT://{config.log.brokers[0]}" in broker["advertised.listeners"]
    assert "CLIENT:SASL_PLAINTEXT" in broker["listener.security.protocol.map"]
    assert kafka.security == "sasl-plaintext"
    assert broker["sasl.enabled.mechanisms"] == kafka.sasl_mechanism
    login = broker["listener.name.client.plain.sasl.jaas.config"]
    password = f'user_{kafka.username}="${{secrets:/run/secrets:kafka_password}}"'
    assert password in login
    assert kafka.password_file == "/run/secrets/kafka_password"
    assert config.privacy.secret_file == "/run/secrets/groundswell_secret"


@pytest.mark.timeout(30)
def test_secrets_are_made_once_for_their_owner_alone(
    tmp_path: Path, compose: dict[str, Any]
) -> None:
    script = Path(shutil.copy(DEPLOY / "secrets.sh", tmp_path))
    first = subprocess.run([script], capture_output=True, check=False)
    if os.getuid() not in (0, 1000):
        assert first.returncode == 1
        return
    assert first.returncode == 0, first.stderr.decode()
    made = {path: path.read_bytes() for path in (tmp_path / "secrets").iterdir()}
    assert {f"./secrets/{path.name}" for path in made} == {
        secret["file"] for secret in compose["secrets"].values()
    }
    for path, content in made.items():
        assert re.fullmatch(rb"[0-9a-f]{64}", content)
        assert stat.S_IMODE(path.stat().st_mode) == 0o400
        assert path.stat().st_uid == 1000
    subprocess.run([script], capture_output=True, check=True)
    assert made == {path: path.read_bytes() for path in made}
