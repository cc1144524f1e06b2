"""An ASGI layer around MLflow's scoring app: limits what comes in, and lets no patient's value out
in an error or a log.

Plain `mlflow models serve` lacks all of it (docs/security.md).
"""

import asyncio
import json
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from als_ml.serving.access import OPEN, admitted
from als_ml.serving.body import SHAPE, Body, BodyLimits, RefusedError, told
from als_ml.serving.metrics import Metrics
from als_ml.serving.page import POLICY, Route
from features import bounds
from features.stored import Json

Message = Json
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

App = Callable[[Message, Receive, Send], Awaitable[None]]
# Patients to the bytes that MLflow's app would answer.
Score = Callable[[list[Json]], bytes]

SCORING = "/invocations"
PATHS = {"/ping": "GET", "/health": "GET", "/version": "GET", SCORING: "POST"}
WATCHED = {"/ready": "GET", "/metrics": "GET"}
# What the served model says itself begins like this and holds no value of a patient; nothing else
# of an error goes out.
OWN = "no valid patient among "
_CLOSE = (b"connection", b"close")
_access = logging.getLogger("als_ml.access")
_log = logging.getLogger("als_ml")


@runtime_checkable
class Refusal(Protocol):
    """What MLflow's errors can say: the model raises one where it scored nobody."""

    def get_http_status_code(self) -> int:
        """Of the answer."""
        ...

    def serialize_as_json(self) -> str:
        """The body of the answer."""
        ...


@dataclass(frozen=True)
class Watch:
    """What is asked of a request and told of it beside its answer.

    Attributes
    ----------
    hosts : tuple of str
        Names by which the server may be called; any if empty.
    keys : tuple of str
        Digests of the keys, one of which a request brings; none is asked for if empty.
    at_once : int
        Requests that are read or answered at one time.
    body_seconds : float
        In which a body must have come.
    metrics : Metrics
        Where requests are counted.
    ready : callable
        Whether further requests are wanted.
    """

    hosts: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    at_once: int = bounds.REQUESTS_AT_ONCE
    body_seconds: float = bounds.BODY_SECONDS
    metrics: Metrics = field(default_factory=Metrics)
    ready: Callable[[], bool] = lambda: True


@dataclass
class _Request:
    """One request: its id, what it asks, and what the access log says of it."""

    scope: Message
    headers: dict[bytes, bytes]
    sender: Send
    name: str = field(default_factory=lambda: secrets.token_hex(8))
    began: float = field(default_factory=time.monotonic)
    status: int = 0
    patients: int = 0
    size: int = 0

    async def send(self, message: Message) -> None:
        """Send a part of the answer on, with the id of the request."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            own = (b"x-request-id", self.name.encode())
            message = message | {"headers": [*message["headers"], own]}
        await self.sender(message)


class Guard:
    """The layer: `app` is MLflow's, `own` has further addresses, and `score` answers what is a list
    of patients and nothing else without a detour through `app`.
    """

    def __init__(
        self,
        app: App,
        limits: BodyLimits | None = None,
        watch: Watch | None = None,
        own: Mapping[str, Route] | None = None,
        score: Score | None = None,
    ):
        self.app, self.own, self.score = app, dict(own or {}), score
        self.limits, self.watch = limits or BodyLimits(), watch or Watch()
        self.paths = PATHS | WATCHED | {path: route.method for path, route in self.own.items()}
        self.hosts = {host.lower() for host in self.watch.hosts}
        self.open = self.held = 0
        self.one_large, self.one_small = asyncio.Lock(), asyncio.Lock()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request, count it and note it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = _Request(scope=scope, headers=dict(scope["headers"]), sender=send)
        self.open += 1
        try:
            await self._answered(request, receive)
        except RefusedError as refused:
            self.watch.metrics.add("als_ml_refused_total", reason=refused.why)
            await _answer(request.send, refused.status, refused.body, *_after(refused, scope))
        finally:
            self.open -= 1
            self.held -= request.size
            self._note(request)

    async def _answered(self, request: _Request, receive: Receive) -> None:
        scope, path = request.scope, request.scope["path"]
        self._check_address(request)
        if path not in OPEN and self.open > self.watch.at_once:
            reason = "the server has as many requests as it can answer"
            raise RefusedError(503, reason, "Send it again in a second.", why="busy")
        body = await self._body(request, receive) if scope["method"] == "POST" else b""
        if len(body) <= bounds.LARGE_BODY:
            await self._passed_on(request, body)
            return
        async with self.one_large:
            await self._passed_on(request, body)

    async def _passed_on(self, request: _Request, body: bytes) -> None:
        """Check a body, and hand it to who answers."""
        path, checked = request.scope["path"], Body(sent=body, patients=[], alone=False)
        if request.scope["method"] == "POST":  # a large one in a thread, while others are answered
            check = self.limits.checked
            large = len(body) > bounds.LARGE_BODY
            checked = await asyncio.to_thread(check, body) if large else check(body)
            request.patients = len(checked.patients)
        if path in WATCHED:
            await self._watched(path, request.send)
        elif path in self.own:
            await self._answer_ourselves(self.own[path], path, checked.sent, request.send)
        elif self.score is not None and path == SCORING and checked.alone:
            await self._scored(self.score, checked.patients, request)
        else:
            await self._redacted(request.scope, checked.sent, request.send)

    def _note(self, request: _Request) -> None:
        """The access log: what was asked and how it went, in words of ours alone."""
        seconds = time.monotonic() - request.began
        path = request.scope["path"] if request.scope["path"] in self.paths else "other"
        method = request.scope["method"] if request.scope["method"] in ("GET", "POST") else "other"
        self.watch.metrics.request(path, request.status, seconds)
        _access.info(
            "request=%s %s %s status=%d ms=%.0f patients=%d",
            *(request.name, method, path, request.status, 1000 * seconds, request.patients),
        )

    def _check_address(self, request: _Request) -> None:
        scope, headers = request.scope, request.headers
        host = headers.get(b"host", b"").decode("latin-1").rsplit(":", 1)[0].strip("[]").lower()
        if self.hosts and host not in self.hosts:
            reason = "this host name is not served here"
            remedy = "The server names its own with --allowed-hosts."
            raise RefusedError(421, reason, remedy, why="host")
        if scope["path"] not in OPEN and not admitted(headers, self.watch.keys):
            remedy = "Send Authorization: Bearer KEY, with a key of the server's --api-keys."
            raise RefusedError(401, "a key is asked for", remedy, why="key")
        if scope["path"] not in self.paths:
            known = f"Known: {', '.join(self.paths)}."
            raise RefusedError(404, "there is nothing here", known, why="address")
        if scope["method"] != self.paths[scope["path"]]:
            takes = f"{scope['path']} takes {self.paths[scope['path']]} only"
            raise RefusedError(405, takes, "", why="method")
        if scope["method"] == "POST":
            self._check_length(headers)

    def _check_length(self, headers: Mapping[bytes, bytes]) -> None:
        """What the headers say of the body, before any of it is read."""
        kind = headers.get(b"content-type", b"").decode("latin-1").partition(";")[0]
        if kind.strip().lower() != "application/json":
            reason = "the content type is not application/json"
            raise RefusedError(415, reason, SHAPE, why="content type")
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or len(length) > 15 or int(length) > self.limits.size:
            raise self.limits.too_large()

    async def _body(self, request: _Request, receive: Receive) -> bytes:
        """The body; what is too much or too late is not read on."""
        try:
            async with asyncio.timeout(self.watch.body_seconds):
                return await self._read(request, receive)
        except TimeoutError:
            reason = f"the body did not come within {self.watch.body_seconds:g} s"
            raise RefusedError(408, reason, "Send it again.", why="slow") from None

    async def _read(self, request: _Request, receive: Receive) -> bytes:
        parts = []
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise RefusedError(400, "the request broke off", "", why="broke off")
            part = message.get("body", b"")
            if request.size + len(part) > self.limits.size:
                raise self.limits.too_large()
            if self.held + len(part) > bounds.BODIES_AT_ONCE * self.limits.size:
                reason = "the server holds as many bodies as it can"
                raise RefusedError(503, reason, "Send it again in a second.", why="busy")
            parts.append(part)
            request.size += len(part)
            self.held += len(part)
            if not message.get("more_body"):
                return b"".join(parts)

    async def _watched(self, path: str, send: Send) -> None:
        """Readiness, and the counts."""
        if path == "/metrics":
            text = self.watch.metrics.text(self.open)
            await _answer(send, 200, text.encode(), _kind(b"text/plain; version=0.0.4"))
        elif self.watch.ready():
            await _answer(send, 200, b'{"ready": true}')
        else:
            await _answer(send, 503, b'{"ready": false}')

    async def _answer_ourselves(self, route: Route, path: str, body: bytes, send: Send) -> None:
        """Answer an address of ours; what goes wrong is named by its type alone."""
        try:
            content = await asyncio.to_thread(route.answer, body)
        except Exception as error:  # noqa: BLE001  its text may hold what was sent
            self._failed(error, path)
            await _answer(send, *_said(500, b""))
            return
        await _answer(send, 200, content, _kind(route.kind.encode()), *_PROTECTION)

    async def _scored(self, score: Score, patients: list[Json], request: _Request) -> None:
        """Score patients as MLflow's app does, which parses and writes them once more in Python.

        What is small is scored where it was read: its way to a thread and back takes a fifth of its
        time.
        """
        send = request.send
        try:
            if request.size <= bounds.SMALL_BODY:
                content = await self._scored_here(score, patients)
            else:
                async with asyncio.timeout(bounds.ANSWER_SECONDS):
                    content = await asyncio.to_thread(score, patients)
        except TimeoutError:
            await _answer(send, *_said(504, b""))
        except Exception as error:  # noqa: BLE001  its text may hold what was sent
            await _answer(send, *self._told_of(error))
        else:
            await _answer(send, 200, content)

    async def _scored_here(self, score: Score, patients: list[Json]) -> bytes:
        """Score in the loop, one request after the other.

        Between two the loop goes round, whatever comes of the score, so that a `/ping` is answered
        and too many requests are counted.
        """
        async with self.one_small:
            try:
                return score(patients)
            finally:
                await asyncio.sleep(0)

    def _told_of(self, error: Exception) -> tuple[int, bytes]:
        """Status and body by what the model raised on purpose, or of any other error."""
        if isinstance(error, Refusal):
            return _said(error.get_http_status_code(), error.serialize_as_json().encode())
        self._failed(error, SCORING)
        return _said(500, b"")

    async def _redacted(self, scope: Message, body: bytes, send: Send) -> None:
        """Run the app on a body that was read; an error of its goes out without what it repeats."""
        reply = _Reply(send)

        async def given() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        try:
            await self.app(scope, given, reply.take)
        except Exception as error:  # noqa: BLE001  its text may hold what was sent
            self._failed(error, scope["path"])
        if reply.status >= 400:
            await _answer(send, *_said(reply.status, b"".join(reply.parts)))

    def _failed(self, error: Exception, path: str) -> None:
        self.watch.metrics.add("als_ml_errors_total")
        _log.error("error: %s at %s", type(error).__name__, path)


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


def _said(status: int, body: bytes) -> tuple[int, bytes]:
    """Status and body of an error: the model's own message, or one of ours."""
    try:
        message = json.loads(body)["message"]
    except (ValueError, KeyError, TypeError):
        message = ""
    if status == 400 and isinstance(message, str) and message.startswith(OWN):
        return status, told(message)
    if status == 504:
        return status, told("The prediction took too long. Send fewer patients.")
    if status < 500:
        return status, told(f"The request was refused. {SHAPE}")
    return status, told("The prediction failed; see the log.", "INTERNAL_ERROR")


# What a browser may do with an answer of ours: run and load our own files only, and keep nothing.
_PROTECTION = [
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
]


def _kind(said: bytes) -> tuple[bytes, bytes]:
    return (b"content-type", said)


def _after(refused: RefusedError, scope: Message) -> list[tuple[bytes, bytes]]:
    """Further headers of a refusal; where a body may be on its way, the connection ends."""
    headers = [_kind(b"application/json"), *([_CLOSE] if scope["method"] != "GET" else [])]
    if refused.status == 401:  # a browser then asks for the key, as the password of any name
        headers.append((b"www-authenticate", b'Basic realm="als-ml"'))
    return [*headers, *([(b"retry-after", b"1")] if refused.status == 503 else [])]


async def _answer(send: Send, status: int, body: bytes, *headers: tuple[bytes, bytes]) -> None:
    given = headers or (_kind(b"application/json"),)
    length = (b"content-length", str(len(body)).encode())
    start = {"type": "http.response.start", "status": status, "headers": [*given, length]}
    await send(start)
    await send({"type": "http.response.body", "body": body})
