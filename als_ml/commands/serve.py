"""Serve a model over HTTP."""

import argparse
import contextlib
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from features import bounds
from features.errors import RequestError

if TYPE_CHECKING:
    from als_ml.serving.server import Edge, Extras

SUMMARY = "serve a model over HTTP: MLflow's scoring app with limits and redacted errors"


def add_options(made: argparse.ArgumentParser) -> None:
    """Describe the command's own options."""
    made.add_argument("--model", help="models:/NAME@ALIAS or models:/NAME/VERSION")
    made.add_argument("--lock", help="a trial's lock file instead; any other model is refused")
    made.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on (default 127.0.0.1: this machine only)",
    )
    made.add_argument("--port", type=int, default=5001, help="default 5001")
    made.add_argument("--workers", type=int, default=1, help="processes (default 1)")
    made.add_argument(
        "--digest",
        help="digest that the model's files must have (default: that of its registration)",
    )
    made.add_argument(
        "--allowed-hosts",
        default="",
        help="names by which it may be called, a comma between (default any)",
    )
    made.add_argument(
        "--page", action="store_true", help="also serve one page for one patient, at /"
    )
    made.add_argument(
        "--beside",
        action="append",
        default=[],
        metavar="MODEL",
        help="a further model whose score the page shows too (/invocations asks --model alone);"
        " may be repeated",
    )
    made.add_argument(
        "--region",
        action="append",
        default=[],
        help="whose licences and coverage the page shows: US, EU, UK, Canada or Japan; may be"
        " repeated",
    )
    made.add_argument(
        "--withhold",
        action="store_true",
        help="leave out of rows what a patient's consent withholds, as the page does",
    )
    _add_limits(made)
    _add_access(made)


def _add_limits(made: argparse.ArgumentParser) -> None:
    """Describe how much a request may bring, and how many."""
    made.add_argument(
        "--max-megabytes",
        type=float,
        default=bounds.REQUEST_MEGABYTES,
        help=f"of a request (default {bounds.REQUEST_MEGABYTES:g})",
    )
    made.add_argument(
        "--max-patients",
        type=int,
        default=bounds.REQUEST_PATIENTS,
        help=f"of a request (default {bounds.REQUEST_PATIENTS})",
    )
    made.add_argument(
        "--max-requests",
        type=int,
        default=bounds.REQUESTS_AT_ONCE,
        help="that a process reads or answers at one time; more are answered 503"
        f" (default {bounds.REQUESTS_AT_ONCE})",
    )
    made.add_argument(
        "--drain-seconds",
        type=float,
        default=0.0,
        help="in which /ready says no before the server ends, for a proxy to notice (default 0)",
    )


def _add_access(made: argparse.ArgumentParser) -> None:
    """Describe who may ask, and what is told of it."""
    made.add_argument(
        "--api-keys",
        metavar="FILE",
        help="keys, one a line, one of which each request brings (Authorization: Bearer KEY)",
    )
    made.add_argument("--tls-certificate", metavar="FILE", help="speak HTTPS with it, PEM")
    made.add_argument("--tls-key", metavar="FILE", help="its private key, PEM")
    made.add_argument(
        "--tls-client-ca",
        metavar="FILE",
        help="ask for a client's certificate of this authority (mutual TLS)",
    )
    made.add_argument(
        "--insecure",
        action="store_true",
        help="listen beyond this machine without a key or a client's certificate",
    )
    made.add_argument(
        "--no-access-log", action="store_true", help="no line a request on standard error"
    )


def run(arguments: argparse.Namespace) -> int:
    """Serve a model until interrupted."""
    from als_ml.lifecycle.lock import locked_uri, read_lock
    from als_ml.pages.protocol import read_rules
    from als_ml.serving.access import check_exposed
    from als_ml.serving.server import Extras, serving, wait_until_up

    if bool(arguments.model) == bool(arguments.lock):
        raise RequestError(
            "serve",
            "give either --model or --lock",
            "See python -m als_ml serve --help.",
            code="option_conflict",
        )
    if arguments.beside and not (arguments.page and arguments.model):
        raise RequestError(
            "--beside",
            "it is for --page with --model",
            "A lock pins one model and no other.",
            code="option_conflict",
        )
    pinned = read_lock(Path(arguments.lock)) if arguments.lock else {}
    uri, digest = (
        (locked_uri(pinned), pinned["digest"]) if pinned else (arguments.model, arguments.digest)
    )
    address, edge = (arguments.host, arguments.port), _edge(arguments)
    check_exposed(address[0], bool(edge.keys or edge.tls.get("client_ca")), arguments.insecure)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    extras = Extras(
        page=arguments.page,
        regions=tuple(arguments.region),
        withhold=arguments.withhold,
        beside=tuple(arguments.beside),
    )
    read_rules(regions=extras.regions)  # a wrong region is said here, not in a log
    with serving(uri, address, arguments.workers, digest, extras, edge) as server:
        wait_until_up(server, address, tls=bool(edge.tls))
        if not arguments.quiet:
            _greet(uri, address, extras, edge)
        with contextlib.suppress(KeyboardInterrupt):
            return server.wait()
    return 0


def _greet(uri: str, address: tuple[str, int], extras: "Extras", edge: "Edge") -> None:
    """Say where it is and what to try."""
    from als_ml.serving.server import curl

    where = f"{'https' if edge.tls else 'http'}://{address[0]}:{address[1]}"
    print(f"serving {uri} on {where}; Ctrl-C ends it. Research use only. Try:")
    print(curl(where, bool(edge.keys)), flush=True)
    if extras.page:
        print(f"the page for one patient: {where}/", flush=True)
        if not extras.beside:
            print("It shows the score of this model; --beside MODEL adds another.")


def _edge(arguments: argparse.Namespace) -> "Edge":
    """Who may ask and how much, by the options."""
    from als_ml.serving.access import read_keys
    from als_ml.serving.body import BodyLimits
    from als_ml.serving.server import Edge

    limits = BodyLimits(megabytes=arguments.max_megabytes, patients=arguments.max_patients)
    return Edge(
        hosts=tuple(host for host in arguments.allowed_hosts.split(",") if host),
        keys=read_keys(Path(arguments.api_keys)) if arguments.api_keys else (),
        tls=_tls(arguments),
        at_once=arguments.max_requests,
        drain_seconds=arguments.drain_seconds,
        access_log=not arguments.no_access_log,
        limits=limits,
    )


def _tls(arguments: argparse.Namespace) -> dict[str, str]:
    """The files of TLS, whole paths: the server works in a folder of its own."""
    given = {
        "certificate": arguments.tls_certificate,
        "key": arguments.tls_key,
        "client_ca": arguments.tls_client_ca,
    }
    files = {name: Path(path).resolve() for name, path in given.items() if path}
    if files and not {"certificate", "key"} <= set(files):
        reason = "TLS needs a certificate and its key"
        raise RequestError(
            "serve", reason, "Give --tls-certificate and --tls-key.", code="option_conflict"
        )
    for path in files.values():
        if not path.is_file():
            raise RequestError(
                str(path), "there is no such file", "Correct the path.", code="file_absent"
            )
    return {name: str(path) for name, path in files.items()}
