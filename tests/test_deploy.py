"""The recipes of a server, read as what runs them would: nothing runs as root, nothing but the
proxy is reached, and what they name is there. They were not run: there is no container here.
"""

import argparse
import re
from pathlib import Path

import pytest
import yaml

from als_ml.commands import serve
from als_ml.pages.patient_pages import Setting
from als_ml.serving.guard import PATHS, WATCHED
from als_ml.serving.page import page_routes, schema_routes
from als_ml.tracking.loader import model_in

ROOT = Path(__file__).resolve().parents[1]
DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_may_do_little(name):
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert int(service["user"].split(":")[0]) > 0
    assert "privileged" not in service
    assert not [v for v in service.get("volumes", []) if "docker.sock" in v]


def test_nothing_but_the_proxy_is_reached():
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["proxy"]
    assert COMPOSE["networks"]["inside"]["internal"] is True
    outside = [name for name, service in SERVICES.items() if "outside" in service["networks"]]
    assert outside == ["proxy"]


def test_images_come_by_what_the_site_states():
    """No tag moves under a running service: each image is named in .env, by digest."""
    for service in SERVICES.values():
        assert "build" in service or re.match(r"\$\{\w+:\?", service["image"])
    stated = dict(
        line.split("=", 1)
        for line in (DEPLOY / "example.env").read_text().splitlines()
        if "=" in line and not line.startswith("#")
    )
    asked = set(re.findall(r"\$\{(\w+):\?", (DEPLOY / "compose.yaml").read_text()))
    assert asked == set(stated)
    assert all("@sha256:" in stated[name] for name in asked if name.endswith("_IMAGE"))


def test_secrets_are_files_and_none_is_shipped():
    named = {secret for service in SERVICES.values() for secret in service.get("secrets", [])}
    assert named == set(COMPOSE["secrets"])
    assert (
        not (DEPLOY / "secrets").exists() or "deploy/secrets/" in (ROOT / ".gitignore").read_text()
    )
    assert "PASSWORD:" not in (DEPLOY / "compose.yaml").read_text()


def test_the_endpoint_is_started_as_the_command_takes_it():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quiet", action="store_true")
    serve.add_options(parser)
    words = SERVICES["endpoint"]["command"]
    assert words[0] == "serve"
    given = parser.parse_args(words[1:])
    assert given.api_keys == "/run/secrets/api_keys"
    assert not given.insecure


def test_the_proxy_lets_through_what_the_endpoint_has():
    """All of it but the counts, which stay inside."""
    model = model_in(ROOT / "tests/fixtures/models_format_1/progression").predictor()
    own = {*schema_routes(model), *page_routes([model], Setting(rules=()))}
    text = (DEPLOY / "Caddyfile").read_text()
    let = set(re.search(r"@scores path (.*)", text)[1].split())
    assert {path for path in let if not path.endswith("*")} | {
        path for path in own if path.startswith("/schema/")
    } == {*PATHS, *WATCHED, *own} - {"/metrics"}


def test_the_image_has_what_it_copies_and_no_root():
    lines = [line.split(maxsplit=1) for line in (DEPLOY / "Dockerfile").read_text().splitlines()]
    steps = [words for words in lines if len(words) == 2 and words[0].isupper()]
    for words in (words[1].split()[:-1] for words in steps if words[0] == "COPY"):
        assert all((ROOT / word).exists() for word in words), words
    users = [argument for name, argument in steps if name == "USER"]
    assert users == ["10001"]
    runs = [argument for name, argument in steps if name == "RUN"]
    assert "--require-hashes" in runs[0]
