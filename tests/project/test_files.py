"""The files that platforms read agree with the project and with each other."""

from __future__ import annotations

import json
import re
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

CHECKOUT = Path(__file__).parents[2]
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
DIRECT = [
    Requirement(text) for text in PROJECT["dependencies"] + PROJECT["optional-dependencies"]["postgres"]
]


def pins() -> dict[str, str]:
    lines = (CHECKOUT / "requirements.txt").read_text().splitlines()
    pairs = [line.split("==") for line in lines if "==" in line]
    return {canonicalize_name(name): version for name, version in pairs}


def needed() -> dict[str, list[Requirement]]:
    """Every distribution that the project with its driver needs here, and what is asked of it."""
    asked: dict[str, list[Requirement]] = {}
    waiting = list(DIRECT)
    seen = set()
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        asked.setdefault(name, []).append(requirement)
        for extra in ("", *requirement.extras):
            if (name, extra) not in seen:
                seen.add((name, extra))
                waiting += _requirements_of(name, extra)
    return asked


def _requirements_of(name: str, extra: str) -> list[Requirement]:
    asked = [Requirement(text) for text in distribution(name).requires or []]
    return [entry for entry in asked if entry.marker is None or entry.marker.evaluate({"extra": extra})]


def test_requirements_pin_exactly_what_the_project_needs() -> None:
    assert sorted(needed()) == sorted(pins())


def test_every_pin_satisfies_whoever_asks() -> None:
    """Asked are those that are here as they are pinned: a newer release may ask for newer ones."""
    asked = list(DIRECT)
    for name, version in pins().items():
        if distribution(name).version == version:
            asked += _requirements_of(name, "")
    wrong = [
        f"{requirement} but pinned {pins()[canonicalize_name(requirement.name)]}"
        for requirement in asked
        if pins()[canonicalize_name(requirement.name)] not in requirement.specifier
    ]

    assert len(asked) > len(DIRECT)
    assert wrong == []


def test_requirements_install_the_hub_with_its_driver_and_name_no_index() -> None:
    lines = (CHECKOUT / "requirements.txt").read_text().splitlines()
    others = [line for line in lines if line and "==" not in line and not line.startswith("#")]

    assert others == [".[postgres]"]
    assert not any("://" in line or line.startswith("-") or "--hash" in line for line in lines)


def test_the_procfile() -> None:
    assert (CHECKOUT / "Procfile").read_text() == (
        "release: hub check && hub migrate\nweb: hub serve\nworker: hub worker\n"
    )


def test_every_start_line_is_a_command_of_the_hub() -> None:
    render = yaml.safe_load((CHECKOUT / "render.yaml").read_text())["services"][0]
    docker = re.search(r"^CMD (.*)$", (CHECKOUT / "Dockerfile").read_text(), re.MULTILINE)
    assert docker is not None
    procfile = [line.split(": ", 1)[1] for line in (CHECKOUT / "Procfile").read_text().splitlines()]
    lines = [*procfile, render["startCommand"], render["preDeployCommand"], " ".join(json.loads(docker[1]))]
    commands = {command for line in lines for command in re.findall(r"hub (\w+)", line)}

    assert commands == {"serve", "worker", "migrate", "check"}
    assert all((CHECKOUT / f"hub/commands/{command}.py").exists() for command in commands)


def test_render_asks_for_every_variable_of_the_shipped_routes() -> None:
    blueprint = yaml.safe_load((CHECKOUT / "render.yaml").read_text())
    (service,) = blueprint["services"]
    variables = {entry.pop("key"): entry for entry in service["envVars"]}

    assert service["type"] == "web"
    assert service["healthCheckPath"] == "/healthz"
    assert variables["HUB_PASSWORD"] == {"generateValue": True}
    assert variables["DATABASE_URL"]["fromDatabase"]["name"] == blueprint["databases"][0]["name"]
    assert {name for name, entry in variables.items() if entry == {"sync": False}} == shipped_variables()


def test_heroku_asks_for_every_variable_of_the_shipped_routes() -> None:
    manifest = json.loads((CHECKOUT / "app.json").read_text())

    assert manifest["addons"][0]["plan"].startswith("heroku-postgresql")
    assert manifest["formation"]["web"]["quantity"] == 1
    assert manifest["env"].keys() == shipped_variables() | {"HUB_PASSWORD", "HUB_PUBLIC_URL"}
    assert all(entry["description"] for entry in manifest["env"].values())
    optional = {name for name, entry in manifest["env"].items() if entry.get("required") is False}
    assert optional == shipped_variables() | {"HUB_PUBLIC_URL"}


def shipped_variables() -> set[str]:
    text = (CHECKOUT / "config" / "routes.yaml").read_text()
    code = "\n".join(line.partition("#")[0] for line in text.splitlines())
    return set(re.findall(r"\$\{(\w+)", code))


def test_one_python_version_everywhere() -> None:
    version = (CHECKOUT / ".python-version").read_text().strip()

    assert f"FROM python:{version}-slim" in (CHECKOUT / "Dockerfile").read_text()
    assert tuple(map(int, version.split("."))) >= (3, 11)


def test_the_image_runs_as_nobody_special_and_leaves_secrets_out() -> None:
    lines = (CHECKOUT / "Dockerfile").read_text().splitlines()
    ignored = (CHECKOUT / ".dockerignore").read_text().split()

    assert "USER hub" in lines
    assert {".git", ".env", ".venv", "*.db"} <= set(ignored)
    for source in re.findall(r"^COPY (.+) \S+$", "\n".join(lines), re.MULTILINE):
        for name in source.split():
            assert (CHECKOUT / name).exists(), name
