"""The files of deploy/ are well formed, and what they name is there. Nothing is built or started."""

from __future__ import annotations

import configparser
import re
import subprocess
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from registry.api.clients.options import VARIABLES
from schemas.catalogue import FOLDERS_VARIABLE
from shuqiao.cli.application import COMMANDS, GROUPS
from shuqiao.settings import Settings, variable

DEPLOY = Path(__file__).parent.parent.parent / "deploy"
TEXTS = [path for path in sorted(DEPLOY.rglob("*")) if path.is_file()]
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
AIRFLOW = {"api-server", "scheduler", "dag-processor", "triggerer", "db", "celery", "users"}
API_ONLY = {"SHUQIAO_API_HOST", "SHUQIAO_API_WORKERS", "SHUQIAO_TOKEN_KEY", "SHUQIAO_SMALLEST_GROUP", *VARIABLES}
DELIVERY_ONLY = {"SHUQIAO_WEBHOOK_CA_FILE"}
KEYS = {"SHUQIAO_MASTER_KEY", "SHUQIAO_MASTER_KEY_FILE", "SHUQIAO_PERSONAL_KEYS"}
IMAGE_ONLY = {"SHUQIAO_IMAGE"}


def commands(text: str) -> list[list[str]]:
    """The programs that a shell line starts."""
    return [part.split() for part in re.split(r"&&|;", text)]


def assert_known(command: list[str]) -> None:
    """A command of Airflow, of the hub, or a module of it."""
    program, *arguments = command
    if Path(program).name == "airflow":
        assert arguments[0] in {*AIRFLOW, "%i"}
    elif Path(program).name == "shuqiao":
        assert arguments[0] in {*COMMANDS, *GROUPS}
    elif arguments[:1] == ["-m"]:
        import_module(f"{arguments[1]}.__main__")
    else:
        raise AssertionError(f"what is {command}?")


@pytest.mark.parametrize("path", [path for path in TEXTS if path.suffix == ".yaml"], ids=lambda path: path.name)
def test_yaml_is_well_formed(path: Path) -> None:
    assert all(isinstance(document, dict) for document in yaml.safe_load_all(path.read_text("utf-8")))


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_settings_that_a_file_names_are_settings_of_the_hub(path: Path) -> None:
    of_settings = {variable(name) for name in Settings.__dataclass_fields__}
    known = of_settings | {FOLDERS_VARIABLE} | API_ONLY | DELIVERY_ONLY | IMAGE_ONLY | KEYS

    assert set(re.findall(r"SHUQIAO_[A-Z0-9_]+", path.read_text("utf-8"))) <= known


def test_compose_names_only_services_and_volumes_that_it_has() -> None:
    for name, service in COMPOSE["services"].items():
        assert set(service.get("depends_on", {})) <= set(COMPOSE["services"]), name
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            if source.startswith("./"):
                assert (DEPLOY / source).exists(), source
            elif not source.startswith("$"):
                assert source in COMPOSE["volumes"], source


def test_compose_mounts_every_folder_that_a_service_is_told_of() -> None:
    for name, service in COMPOSE["services"].items():
        mounted = {re.sub(":ro$", "", volume).rpartition(":")[2] for volume in service.get("volumes", [])}
        told = {text for key, text in service.get("environment", {}).items() if f"{text}".startswith("/srv/")}
        assert all(folder in mounted or str(Path(folder).parent) in mounted for folder in told), name


def test_compose_publishes_ports_on_loopback_only() -> None:
    ports = [port for service in COMPOSE["services"].values() for port in service.get("ports", [])]

    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_every_variable_that_compose_needs_stands_in_the_example() -> None:
    wanted = set(re.findall(r"\$\{([A-Z_]+)", (DEPLOY / "compose.yaml").read_text("utf-8"))) - IMAGE_ONLY
    offered = set(re.findall(r"^#?([A-Z_]+)=", (DEPLOY / "env.example").read_text("utf-8"), re.MULTILINE))

    assert wanted == offered


def test_compose_starts_programs_that_there_are() -> None:
    for name, service in COMPOSE["services"].items():
        if name in {"postgres", "redis"}:
            continue
        command = service["command"]
        for each in commands(command[2]) if command[:2] == ["sh", "-c"] else [command]:
            assert_known(each)


@pytest.mark.parametrize("path", [path for path in TEXTS if path.suffix == ".service"], ids=lambda path: path.name)
def test_a_systemd_unit_starts_programs_that_there_are(path: Path) -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(path.read_text("utf-8"))

    assert {"Unit", "Service"} <= set(unit.sections())
    for line in re.findall(r"^ExecStart=(.+)$", path.read_text("utf-8"), re.MULTILINE):
        assert_known(line.split())


def test_the_systemd_target_names_units_that_there_are() -> None:
    wanted = re.findall(r"([\w@-]+)\.service", (DEPLOY / "systemd" / "shuqiao.target").read_text("utf-8"))
    files = {path.stem for path in (DEPLOY / "systemd").glob("*.service")}

    assert {re.sub("@.*", "@", name) for name in wanted} <= files
    assert {name.partition("@")[2] for name in wanted if "@" in name} == AIRFLOW - {"db", "celery", "users"}


def test_kubernetes_mounts_only_volumes_that_the_pod_has() -> None:
    documents = list(yaml.safe_load_all((DEPLOY / "helm" / "registry-api.yaml").read_text("utf-8")))
    assert [document["kind"] for document in documents] == ["Deployment", "Service"]
    pod = documents[0]["spec"]["template"]["spec"]
    mounts = {
        mount["name"]
        for container in [*pod["initContainers"], *pod["containers"]]
        for mount in container.get("volumeMounts", [])
    }

    assert mounts == {volume["name"] for volume in pod["volumes"]}


def test_shell_scripts_are_shell() -> None:
    ended = subprocess.run(["sh", "-n", str(DEPLOY / "postgres-init.sh")], check=False)

    assert ended.returncode == 0
