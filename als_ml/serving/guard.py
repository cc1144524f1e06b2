"""An ASGI layer around MLflow's scoring app: limits what comes in, and lets no patient's value out
in an error.

Plain `mlflow models serve` lacks all of it (docs/security.md).
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from als_ml.serving.page import POLICY, Route
from features.stored import Json

Message = Json
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

App = Callable[[Message, Receive, Send], Awaitable[None]]

PATHS = {"/ping": "GET", "/health": "GET", "/version": "GET", "/invocations": "POST"}
# What the served model says itself begins like this and holds no value of a patient; nothing else
# of an error goes out.
OWN = "no valid patient among "
SHAPE = (
    'Send {"inputs": [patient, ...]} with Content-Type: application/json; a patient is an object'
    " with a sample_id."
)


class RefusedError(Exception):
    """A request that does not reach the model."""

    def __init__(self, status: int, reason: str, remedy: str):
        super().__init__(reason)
        self.status, self.body = status, _error(f"{reason}. {remedy}")


def _error(message: str) -> bytes:
    return json.dumps({"error_code": "BAD_REQUEST", "message": message}).encode()


class Guard:
    """The layer: `app` is MLflow's.

    Limits are bytes of a body, depth of its JSON, and patients in it.
    """

    def __init__(
        self,
        app: App,
        megabytes: float = 64,
        depth: int = 16,
        patients: int = 10_000,
        hosts: tuple[str, ...] = (),
        own: Mapping[str, Route] | None = None,
    ):
        self.own = dict(own or {})
        self.paths = PATHS | {path: route.method for path, route in self.own.items()}
        self.app, self.bytes, self.depth, self.patients = app, int(megabytes * 1e6), depth, patients
        self.hosts = {host.lower() for host in hosts}

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            self._check_address(scope)
            body = await self._body(receive) if scope["method"] == "POST" else b""
        except RefusedError as refused:
            await _answer(send, refused.status, refused.body)
            return
        if scope["path"] in self.own:
            await _answer_ourselves(self.own[scope["path"]], scope["path"], body, send)
            return
        await _redacted(self.app, scope, body, send)

    def _check_address(self, scope: Message) -> None:
        headers = dict(scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1").rsplit(":", 1)[0].strip("[]").lower()
        if self.hosts and host not in self.hosts:
            raise RefusedError(
                421,
                "this host name is not served here",
                "The server names its own with --allowed-hosts.",
            )
        if scope["path"] not in self.paths:
            raise RefusedError(404, "there is nothing here", f"Known: {', '.join(self.paths)}.")
        if scope["method"] != self.paths[scope["path"]]:
            raise RefusedError(405, f"{scope['path']} takes {self.paths[scope['path']]} only", "")
        if scope["method"] == "POST":
            kind = (
                headers.get(b"content-type", b"")
                .decode("latin-1")
                .partition(";")[0]
                .strip()
                .lower()
            )
            if kind != "application/json":
                raise RefusedError(415, "the content type is not application/json", SHAPE)
            if (
                not headers.get(b"content-length", b"0").isdigit()
                or int(headers.get(b"content-length", b"0")) > self.bytes
            ):
                raise self._too_large()

    def _too_large(self) -> RefusedError:
        return RefusedError(
            413,
            f"the body is larger than {self.bytes / 1e6:g} MB",
            "Send fewer patients, or use predict.py.",
        )

    async def _body(self, receive: Receive) -> bytes:
        parts, size = [], 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise RefusedError(400, "the request broke off", "")
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > self.bytes:
                raise self._too_large()
            if not message.get("more_body"):
                body = b"".join(parts)
                self._check(body)
                return body

    def _check(self, body: bytes) -> None:
        try:
            content = json.loads(body, parse_constant=_no_number)
        except RecursionError:
            raise self._too_deep() from None
        except ValueError:
            raise RefusedError(400, "the body is not JSON (UTF-8, finite numbers)", SHAPE) from None
        inputs = content.get("inputs") if isinstance(content, dict) else None
        if (
            not isinstance(inputs, list)
            or not inputs
            or not all(isinstance(patient, dict) for patient in inputs)
        ):
            raise RefusedError(400, "there is no list of patients", SHAPE)
        if len(inputs) > self.patients:
            raise RefusedError(
                413,
                f"more than {self.patients:,} patients",
                "Send fewer at a time, or use predict.py.",
            )
        if deeper_than(content, self.depth):
            raise self._too_deep()

    def _too_deep(self) -> RefusedError:
        return RefusedError(400, f"the JSON is nested deeper than {self.depth} levels", SHAPE)


def _no_number(name: str) -> float:
    raise ValueError(name)


def deeper_than(value: object, limit: int) -> bool:
    """Whether lists and objects are nested deeper than a limit.

    Level by level, so that no depth can break it.

    Parameters
    ----------
    value : object
        Parsed JSON.
    limit : int
        Levels that are allowed.

    Returns
    -------
    bool
        Any depth is measured.

    Examples
    --------
    >>> deeper_than([[1], {"a": []}], 3), deeper_than([[1], {"a": []}], 2)
    (False, True)
    """
    level: list[Any] = [value] if type(value) in (dict, list) else []
    for _ in range(limit):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer)
            if type(inner) is dict or type(inner) is list
        ]
        if not level:
            return False
    return True


class _Reply:
    """What the app answers: sent on as it comes, unless it is an error, which is kept."""

    def __init__(self, send: Send):
        self.send, self.status, self.parts = send, 500, list[bytes]()

    async def take(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        if self.status < 400:
            await self.send(message)
        elif message["type"] == "http.response.body":
            self.parts.append(message.get("body", b""))


async def _redacted(app: App, scope: Message, body: bytes, send: Send) -> None:
    """Run the app on a body that was read; an error of its goes out without what it repeats."""
    reply = _Reply(send)

    async def given() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    try:
        await app(scope, given, reply.take)
    except Exception as error:  # noqa: BLE001  its text may hold what was sent
        print(  # noqa: T201  the server's own error stream
            f"error: {type(error).__name__} at {scope['path']}", file=sys.stderr
        )
    if reply.status >= 400:
        await _answer(send, *_said(reply.status, b"".join(reply.parts)))


def _said(status: int, body: bytes) -> tuple[int, bytes]:
    """Status and body of an error: the model's own message, or one of ours."""
    try:
        message = json.loads(body)["message"]
    except (ValueError, KeyError, TypeError):
        message = ""
    if status == 400 and isinstance(message, str) and message.startswith(OWN):
        return status, _error(message)
    if status == 504:
        return status, _error("The prediction took too long. Send fewer patients.")
    if status < 500:
        return status, _error(f"The request was refused. {SHAPE}")
    return (
        status,
        json.dumps(
            {"error_code": "INTERNAL_ERROR", "message": "The prediction failed; see the log."}
        ).encode(),
    )


# What a browser may do with an answer of ours: run and load our own files only, and keep nothing.
_PROTECTION = [
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
]


async def _answer_ourselves(route: Route, path: str, body: bytes, send: Send) -> None:
    """Answer an address of ours; what goes wrong is named by its type alone."""
    try:
        content = await asyncio.to_thread(route.answer, body)
    except Exception as error:  # noqa: BLE001  its text may hold what was sent
        print(  # noqa: T201  the server's own error stream
            f"error: {type(error).__name__} at {path}", file=sys.stderr
        )
        await _answer(send, *_said(500, b""))
        return
    headers = [
        (b"content-type", route.kind.encode()),
        (b"content-length", str(len(content)).encode()),
    ]
    start = {"type": "http.response.start", "status": 200, "headers": headers + _PROTECTION}
    await send(start)
    await send({"type": "http.response.body", "body": content})


async def _answer(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
