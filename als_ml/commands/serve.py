"""Serve a model over HTTP."""

import argparse
import contextlib
import signal
from pathlib import Path

from features.errors import RequestError

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
    made.add_argument("--max-megabytes", type=float, default=64, help="of a request (default 64)")
    made.add_argument(
        "--max-patients", type=int, default=10_000, help="of a request (default 10000)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Serve a model until interrupted."""
    from als_ml.lifecycle.lock import locked_uri, read_lock
    from als_ml.pages.protocol import read_rules
    from als_ml.serving.server import Extras, curl, serving, wait_until_up

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
    address, hosts = (
        (arguments.host, arguments.port),
        [host for host in arguments.allowed_hosts.split(",") if host],
    )
    limits = {
        "megabytes": arguments.max_megabytes,
        "patients": arguments.max_patients,
        "hosts": hosts,
    }
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    extras = Extras(
        page=arguments.page,
        regions=tuple(arguments.region),
        withhold=arguments.withhold,
        beside=tuple(arguments.beside),
    )
    read_rules(regions=extras.regions)  # a wrong region is said here, not in a log
    with serving(uri, address, arguments.workers, digest, extras, **limits) as server:
        wait_until_up(server, address)
        if not arguments.quiet:
            print(
                f"serving {uri} on http://{address[0]}:{address[1]}; Ctrl-C ends it. Research use"
                " only. Try:"
            )
            print(curl(address), flush=True)
            if extras.page:
                print(f"the page for one patient: http://{address[0]}:{address[1]}/", flush=True)
                if not extras.beside:
                    print("It shows the score of this model; --beside MODEL adds another.")
        with contextlib.suppress(KeyboardInterrupt):
            return server.wait()
    return 0
