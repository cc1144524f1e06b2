"""What `deploy/` describes, run without containers: PostgreSQL, MLflow and the endpoint by the
words of `compose.yaml`, and Caddy by our Caddyfile before them.

Only places are other: ports of this machine, files for secrets, a model that is trained here.
"""

import json
import re
import shlex
import shutil
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from http.client import RemoteDisconnected
from pathlib import Path

import mlflow
import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

import train
from als_ml.prediction.example import EXAMPLE
from als_ml.tracking.loader import load
from tests.als_ml.tracking.test_store import words
from tests.conftest import ROOT
from tests.servers import free_port, postgres, running

DEPLOY = ROOT / "deploy"
SERVICES = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
KEY = "a-key-of-this-test-and-of-nobody-else"
MODEL = "models:/als-progression@champion"
ANY = "0.0.0.0"  # noqa: S104  in a container; nothing listens there in a test


def certificate(folder: Path, name: str, signer=None):
    """Write `NAME.pem` and `NAME-key.pem`; give what signs others."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer, by = signer or (subject, key)
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=signer is None, path_length=None), critical=True)
        .sign(by, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / f"{name}.pem").write_bytes(made.public_bytes(pem))
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / f"{name}-key.pem").write_bytes(key.private_bytes(pem, *plain))
    return subject, key


@pytest.fixture(scope="module")
def secrets(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("secrets")
    signer = certificate(folder, "authority")
    for name in ("server", "ward"):
        certificate(folder, name, signer)
    certificate(folder, "stranger")
    (folder / "api_keys").write_text(KEY + "\n")
    (folder / "api_keys").chmod(0o600)
    return folder


def caddyfile(secrets: Path, ports: dict[str, int], version: str) -> str:
    """Ours, with places of this machine; Caddy before 2.8 has another word for the authority."""
    text = (DEPLOY / "Caddyfile").read_text()
    places = {
        "/run/secrets/tls_certificate": secrets / "server.pem",
        "/run/secrets/tls_key": secrets / "server-key.pem",
        "/run/secrets/client_ca": secrets / "authority.pem",
        ":8443": f":{ports['scores']}",
        ":8444": f":{ports['store']}",
        "endpoint:5001": f"127.0.0.1:{ports['endpoint']}",
        "tracking:5000": f"127.0.0.1:{ports['tracking']}",
    }
    for old, new in places.items():
        assert old in text
        text = text.replace(old, str(new))
    if tuple(map(int, re.findall(r"\d+", version)[:2])) < (2, 8):
        text = text.replace("trust_pool file", "trusted_ca_cert_file")
    return text


def tracking_words(ports: dict[str, int], place: Path) -> list[str]:
    """The command of the service, without the shell that reads the password."""
    command = SERVICES["tracking"]["command"][0].rpartition("exec ")[2]
    for old, new in {
        ANY: "127.0.0.1",
        "--port 5000": f"--port {ports['tracking']}",
        "tracking:5000": f"127.0.0.1:{ports['tracking']}",
        "$$PUBLIC_HOST:8444": f"localhost:{ports['store']}",
        "$$PUBLIC_HOST": "localhost",
        "/artifacts": str(place / "artifacts"),
    }.items():
        assert old in command
        command = command.replace(old, new)
    return [sys.executable, "-m", *shlex.split(command)]


def endpoint_words(ports: dict[str, int], secrets: Path) -> list[str]:
    text = " ".join(SERVICES["endpoint"]["command"])
    text = re.sub(r"\$\{MODEL:[^}]*\}", MODEL, text)
    text = re.sub(r"\$\{PUBLIC_HOST:[^}]*\}", "localhost", text)
    text = text.replace(ANY, "127.0.0.1").replace("=5001", f"={ports['endpoint']}")
    text = text.replace("/run/secrets/", f"{secrets}/")
    return [sys.executable, "-m", "als_ml", *text.split()]


@pytest.fixture(scope="module")
def site(demo, secrets, tmp_path_factory):
    """Everything runs, a model was trained over it; ports by their names."""
    caddy = shutil.which("caddy")
    if not caddy:
        pytest.skip("no Caddy here")
    version = subprocess.run([caddy, "version"], capture_output=True, text=True, check=True).stdout
    place = tmp_path_factory.mktemp("site")
    ports = {name: free_port() for name in ("tracking", "endpoint", "scores", "store")}
    (place / "Caddyfile").write_text(caddyfile(secrets, ports, version))
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        uri = {"MLFLOW_BACKEND_STORE_URI": stack.enter_context(postgres())}
        tracking = tracking_words(ports, place)
        stack.enter_context(running(tracking, ports["tracking"], place, **uri))
        patch.chdir(place)
        patch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{ports['tracking']}")
        assert train.main(words(demo)) == 0
        stack.enter_context(running(endpoint_words(ports, secrets), ports["endpoint"], place))
        proxy = [caddy, "run", "--config", str(place / "Caddyfile"), "--adapter", "caddyfile"]
        own = {"PUBLIC_HOST": "localhost", "XDG_DATA_HOME": str(place), "HOME": str(place)}
        stack.enter_context(running(proxy, ports["scores"], place, **own))
        yield ports


def answer(port: int, path: str, secrets: Path, body: bytes | None = None, **more: str):
    """Status and body of a request over TLS; `who` names a certificate of the client's."""
    trusted = ssl.create_default_context(cafile=secrets / "authority.pem")
    if who := more.pop("who", ""):
        trusted.load_cert_chain(secrets / f"{who}.pem", secrets / f"{who}-key.pem")
    headers = {"Content-Type": "application/json"} | more
    request = urllib.request.Request(f"https://localhost:{port}{path}", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=60, context=trusted) as reply:
            return reply.status, reply.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


@pytest.mark.slow
def test_a_score_comes_through_the_proxy_with_a_key_alone(site, secrets):
    body = json.dumps({"inputs": [EXAMPLE]}).encode()
    key = {"Authorization": f"Bearer {KEY}"}
    assert answer(site["scores"], "/invocations", secrets, body)[0] == 401
    status, told = answer(site["scores"], "/invocations", secrets, body, **key)
    assert status == 200
    row = json.loads(told)["predictions"][0]
    expected = load(MODEL).predict_records([EXAMPLE])[0]
    assert row["probability"] == expected["probability"]  # to the last bit, over all of it
    assert (row["model_name"], row["model_version"]) == ("als-progression", "1")


@pytest.mark.slow
def test_what_the_proxy_lets_through(site, secrets):
    for path, status in {"/ping": 200, "/ready": 200, "/metrics": 404, "/docs": 404}.items():
        assert answer(site["scores"], path, secrets)[0] == status, path
    with pytest.raises(urllib.error.HTTPError, match="400"):  # no TLS
        urllib.request.urlopen(f"http://localhost:{site['scores']}/ping", timeout=30)


@pytest.mark.slow
def test_a_large_body_is_refused(site, secrets):
    """By 413, or by the end of the connection where more is sent than is read."""
    large, key = b'{"inputs": "' + b"x" * 33_000_000 + b'"}', {"Authorization": f"Bearer {KEY}"}
    status = 0
    with suppress(urllib.error.URLError):
        status = answer(site["scores"], "/invocations", secrets, large, **key)[0]
    assert status in (0, 413)
    assert answer(site["scores"], "/ping", secrets)[0] == 200


@pytest.mark.slow
@pytest.mark.parametrize(("who", "comes_in"), [("ward", True), ("stranger", False), ("", False)])
def test_the_store_asks_for_a_certificate_of_the_site(site, secrets, who, comes_in):
    if comes_in:
        status, told = answer(site["store"], "/version", secrets, who=who)
        assert (status, told.decode()) == (200, mlflow.__version__)
    else:
        with pytest.raises((OSError, RemoteDisconnected)):
            answer(site["store"], "/version", secrets, who=who)
