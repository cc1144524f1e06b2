"""Certificates of a site for tests, and files behind HTTPS on this machine."""

import re
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


def certificates(folder):
    """A site's authority, and a certificate of it for 127.0.0.1 with its key; PEM files."""
    import datetime as dt
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    now = dt.datetime.now(dt.UTC)

    def made(name, issuer=None, signer=None):
        key = ec.generate_private_key(ec.SECP256R1())
        own = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = (
            x509.CertificateBuilder()
            .subject_name(own)
            .issuer_name(issuer or own)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
        )
        here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        if signer is None:
            builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        builder = builder.add_extension(here, False)
        done = builder.sign(signer or key, hashes.SHA256())
        pem = serialization.Encoding.PEM
        (folder / f"{name}.pem").write_bytes(done.public_bytes(pem))
        kind, none = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        (folder / f"{name}.key").write_bytes(key.private_bytes(pem, kind, none))
        return own, key

    authority, signer = made("authority")
    made("server", authority, signer)
    made("client", authority, signer)
    made("stranger")
    return {name: str(folder / name) for name in ("authority.pem", "server.pem", "server.key")}


class _Ranges(SimpleHTTPRequestHandler):
    """Files, and parts of them, as a store behind HTTPS gives them."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path = Path(self.translate_path(self.path))
        wanted = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if wanted is None or not path.is_file():
            super().do_GET()
            return
        whole = path.read_bytes()
        first = int(wanted[1])
        part = whole[first : int(wanted[2]) + 1 if wanted[2] else None]
        self.server.parts.append((path.name, first, len(part)))
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {first}-{first + len(part) - 1}/{len(whole)}")
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        self.wfile.write(part)

    def log_message(self, *_):
        pass


@contextmanager
def files_behind_https(folder: Path, keys: dict[str, str]) -> Iterator[ThreadingHTTPServer]:
    """A server of a folder; `parts` are the ranges that were asked for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(keys["server.pem"], keys["server.key"])
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Ranges, directory=str(folder)))
    server.parts = []
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
