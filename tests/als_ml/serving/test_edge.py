"""The edge of the endpoint: who may ask, how much is read, what is counted and told."""

import asyncio
import base64
import json
import re
import socket
import threading
import time
from collections import Counter
from contextlib import ExitStack

import pytest

from als_ml.__main__ import main as als_ml
from als_ml.__main__ import make_parser
from als_ml.serving.access import admitted, check_exposed, read_keys
from als_ml.serving.body import BodyLimits, RefusedError
from als_ml.serving.guard import Guard, Watch
from als_ml.serving.metrics import Metrics
from als_ml.serving.process import configured
from als_ml.serving.protocol import TimedProtocol
from features import bounds
from features.errors import RequestError

KEY = "k" * 32
ANY = "0.0.0.0"  # noqa: S104  nothing listens there
GOOD = b'{"inputs": [{"sample_id": "a"}]}'
JSON = {"content-type": "application/json", "host": "localhost:5001"}


async def answering(scope, receive, send):
    """An inner app that answers everything."""
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"{}"})


def scope_of(path, method, headers):
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http", "path": path, "method": method, "headers": raw}


def ask(app, body=b"", path="/invocations", method="POST", headers=JSON):
    """Status, headers and body of an answer, and how many parts of the request were taken."""
    sent, parts = [], [body[i : i + 10] for i in range(0, max(len(body), 1), 10)]
    taken = 0

    async def receive():
        nonlocal taken
        taken += 1
        more = taken < len(parts)
        return {"type": "http.request", "body": parts[taken - 1], "more_body": more}

    async def send(message):
        sent.append(message)

    asyncio.run(app(scope_of(path, method, headers), receive, send))
    told = b"".join(message.get("body", b"") for message in sent[1:])
    return sent[0]["status"], dict(sent[0]["headers"]), told, taken


# --- who may ask


@pytest.fixture
def keys(tmp_path):
    path = tmp_path / "keys"
    path.write_text(f"# of the ward\n{KEY}\n{'m' * 32}\n")
    path.chmod(0o600)
    return path


def basic(password: str) -> str:
    return "Basic " + base64.b64encode(f"ward:{password}".encode()).decode()


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (None, 401),
        ("", 401),
        (f"Bearer {KEY}", 200),
        (f"bearer  {KEY}", 200),
        (f"Bearer {'m' * 32}", 200),
        (f"Bearer {KEY[:-1]}", 401),
        (f"Bearer {KEY}x", 401),
        (KEY, 401),
        (basic(KEY), 200),
        (basic(KEY + "x"), 401),
        ("Basic ====", 401),
        ("Basic \xff", 401),
    ],
)
def test_a_key_is_asked_for(header, status, keys):
    guard = Guard(answering, watch=Watch(keys=read_keys(keys)))
    headers = JSON | ({} if header is None else {"authorization": header})
    found, answer, told, taken = ask(guard, GOOD, headers=headers)
    assert found == status
    assert KEY.encode() not in told
    if status == 401:
        assert taken == 0
        assert answer[b"www-authenticate"].startswith(b"Basic")
    # What says that it lives needs none; what says how it does, and the page, do.
    assert ask(guard, path="/ping", method="GET")[0] == 200
    assert ask(guard, path="/ready", method="GET")[0] == 200
    assert ask(guard, path="/health", method="GET")[0] == 200
    assert ask(guard, path="/metrics", method="GET")[0] == 401
    assert ask(guard, path="/version", method="GET")[0] == 401


def test_keys_are_compared_in_constant_time(monkeypatch, keys):
    """Every key is compared, by `hmac.compare_digest`, also after one has fitted."""
    seen = []
    monkeypatch.setattr("hmac.compare_digest", lambda a, b: bool(seen.append((a, b))) or a == b)
    assert admitted({b"authorization": f"Bearer {KEY}".encode()}, read_keys(keys))
    assert len(seen) == 2
    assert all(len(a) == len(b) == 64 for a, b in seen)


@pytest.mark.parametrize(
    ("text", "mode", "message"),
    [
        ("", 0o600, "at least 24 characters"),
        ("# nothing\n", 0o600, "at least 24 characters"),
        ("x" * 23, 0o600, "at least 24 characters"),
        (f"{KEY}\nshort", 0o600, "at least 24 characters"),
        (KEY, 0o644, "others may read it"),
        (KEY, 0o620, "others may read it"),
        (None, 0o600, "cannot be read"),
    ],
)
def test_a_file_of_keys_that_protects_nothing(text, mode, message, tmp_path):
    path = tmp_path / "keys"
    if text is not None:
        path.write_text(text)
        path.chmod(mode)
    with pytest.raises(RequestError, match=message) as error:
        read_keys(path)
    assert KEY not in str(error.value)


def test_keys_of_24_characters_are_long_enough(tmp_path):
    (tmp_path / "keys").touch(mode=0o600)
    (tmp_path / "keys").write_text("x" * 24)
    (digest,) = read_keys(tmp_path / "keys")
    assert "x" not in digest


@pytest.mark.parametrize(
    ("host", "guarded", "insecure", "refused"),
    [
        ("127.0.0.1", False, False, False),
        ("127.8.0.1", False, False, False),
        ("localhost", False, False, False),
        ("::1", False, False, False),
        (ANY, False, False, True),
        ("::", False, False, True),
        ("10.0.0.5", False, False, True),
        ("localhost.example", False, False, True),
        ("127.example", False, False, True),
        ("127.0.0.1.example", False, False, True),
        ("", False, False, True),
        (ANY, True, False, False),
        (ANY, False, True, False),
    ],
)
def test_beyond_this_machine_something_is_asked_for(host, guarded, insecure, refused):
    if refused:
        with pytest.raises(RequestError, match="other machines"):
            check_exposed(host, guarded, insecure)
    else:
        check_exposed(host, guarded, insecure)


def test_it_listens_on_this_machine_unless_told():
    assert make_parser().parse_args(["serve", "--model", "m"]).host == "127.0.0.1"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--host", ANY], "asks for no key"),
        (["--tls-certificate", "c.pem"], "a certificate and its key"),
        (["--tls-certificate", "c.pem", "--tls-key", "k.pem"], "there is no such file"),
        (["--api-keys", "none"], "cannot be read"),
        (["--beside", "models:/x/1"], "it is for --page"),
    ],
)
def test_the_command_says_what_is_missing(more, message, capsys):
    assert als_ml(["serve", "--model", "models:/nothing/1", *more]) == 2
    assert message in capsys.readouterr().err


# --- how much is read


@pytest.mark.parametrize(
    ("body", "headers", "status", "parts"),
    [
        (GOOD, JSON, 200, 4),
        (GOOD, {"host": "localhost"}, 415, 0),
        (GOOD, JSON | {"content-length": "101"}, 413, 0),
        (GOOD, JSON | {"content-length": "100"}, 200, 4),
        (GOOD, JSON | {"content-length": "9" * 5000}, 413, 0),
        (b"x" * 100, JSON, 400, 10),
        (b"x" * 1000, JSON, 413, 11),
    ],
)
def test_a_refused_body_is_not_read_on(body, headers, status, parts):
    guard = Guard(answering, BodyLimits(megabytes=1e-4))
    found, answer, _, taken = ask(guard, body, headers=headers)
    assert found == status
    assert taken == parts
    assert (answer.get(b"connection") == b"close") == (status != 200)


@pytest.mark.parametrize(
    ("body", "refused"),
    [
        (b'{"inputs": [{"a": 1}]}', False),
        (b'{"inputs": [{"a": [1, 2, 3, 4, 5]}]}', False),  # 5 openings and 4 commas
        (b'{"inputs": [{"a": [1, 2, 3, 4, 5, 6, 7]}]}', True),
        (b'{"inputs": [{"a": ",,,,,,,"}]}', True),  # the signs of a text count too
        (b'{"inputs": [[[[[[[[[[[', True),
    ],
)
def test_elements_are_counted_before_anything_is_parsed(body, refused, monkeypatch):
    parsed = []
    own = json.loads
    monkeypatch.setattr("json.loads", lambda *a, **k: parsed.append(1) or own(*a, **k))
    limits = BodyLimits(elements=9)
    if refused:
        with pytest.raises(RefusedError, match="more than 9 elements"):
            limits.checked(body)
        assert not parsed
    else:
        assert limits.checked(body) == (body, json.loads(body)["inputs"], True)


def test_a_number_without_end_goes_on_as_one_that_no_table_holds():
    """Python reads no number of more than 4,300 digits: the request would be refused whole."""
    body = b'{"inputs": [{"sample_id": "a", "age_at_onset": ' + b"9" * 5000 + b'}, {"x": 61.5}]}'
    read = BodyLimits().checked(body)
    first, second = json.loads(read.sent)["inputs"]
    assert read.patients == [first, second]
    assert first["age_at_onset"] >= 2**63
    assert second == {"x": 61.5}


def test_a_body_that_does_not_come_is_not_waited_for():
    guard = Guard(answering, watch=Watch(body_seconds=0.01))
    sent = []

    async def receive():
        await asyncio.sleep(60)

    async def send(message):
        sent.append(message)

    asyncio.run(guard(scope_of("/invocations", "POST", JSON), receive, send))
    assert sent[0]["status"] == 408
    assert guard.open == 0


def test_more_requests_than_can_be_answered():
    """The third is told to come back; who asks whether the server lives is always answered."""
    go, statuses = asyncio.Event(), []

    async def slow(scope, receive, send):
        await go.wait()
        await answering(scope, receive, send)

    guard = Guard(slow, watch=Watch(at_once=2))

    async def receive():
        return {"type": "http.request", "body": GOOD, "more_body": False}

    async def one(path="/invocations", method="POST"):
        async def send(message):
            if message["type"] == "http.response.start":
                statuses.append((path, message["status"]))

        await guard(scope_of(path, method, JSON), receive, send)

    async def all_of_them():
        first = [asyncio.create_task(one()) for _ in range(2)]
        await asyncio.sleep(0)
        await asyncio.wait_for(one(), 20)  # one that is let in waits for `go` for ever
        await one("/ready", "GET")
        go.set()
        await asyncio.gather(*first)
        await one()

    asyncio.run(all_of_them())
    answered = [("/invocations", 200)] * 3
    assert statuses == [("/invocations", 503), ("/ready", 200), *answered]


def test_bodies_are_held_up_to_twice_the_largest():
    """The third of those that come at one time is told to come back, and not read on."""
    guard, statuses = Guard(answering, BodyLimits(megabytes=1e-4)), []
    taken = [0]

    async def one(parts):
        waiting = list(parts)

        async def receive():
            await asyncio.sleep(0)
            taken[0] += 1
            part = waiting.pop(0)
            return {"type": "http.request", "body": part, "more_body": bool(waiting)}

        async def send(message):
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        await guard(scope_of("/invocations", "POST", JSON), receive, send)

    async def all_of_them():
        await asyncio.gather(*(one([GOOD.ljust(90), b" "]) for _ in range(3)))
        await one([GOOD])

    asyncio.run(all_of_them())
    assert sorted(statuses) == [200, 200, 200, 503]
    assert guard.held == 0


@pytest.mark.parametrize(
    ("size", "elsewhere"),
    [
        (bounds.SMALL_BODY - 1, False),
        (bounds.SMALL_BODY, False),
        (bounds.SMALL_BODY + 1, True),
    ],
)
def test_a_small_body_is_scored_where_it_was_read(size, elsewhere):
    """A larger one is scored in a thread, so that others are answered meanwhile."""
    threads = []

    def score(patients):
        threads.append(threading.get_ident())
        return b"{}"

    assert ask(Guard(answering, score=score), GOOD.ljust(size))[0] == 200
    assert (threads != [threading.get_ident()]) == elsewhere
    assert len(threads) == 1


@pytest.mark.parametrize("fails", [False, True])
def test_between_two_small_bodies_others_are_answered(fails):
    """Fifty that come at once: who asks whether the server lives does not wait for all of them, and
    those beyond the limit are told to come back. A score that fails gives way, too.
    """
    order = []

    def score(patients):
        order.append("scored")
        if fails:
            raise ValueError
        return b"{}"

    guard = Guard(answering, score=score, watch=Watch(at_once=20))

    async def one(path, method):
        async def receive():
            return {"type": "http.request", "body": GOOD, "more_body": False}

        async def send(message):
            if message["type"] == "http.response.start":
                order.append((path, message["status"]))

        await guard(scope_of(path, method, JSON), receive, send)

    async def all_of_them():
        asked = [asyncio.create_task(one("/invocations", "POST")) for _ in range(50)]
        await asyncio.sleep(0)  # the loop goes round: what came later is seen now
        await asyncio.gather(one("/ping", "GET"), *asked)

    asyncio.run(all_of_them())
    before = order[: order.index(("/ping", 200))]
    assert before.count("scored") <= 2
    assert order.count("scored") == 20
    assert order.count(("/invocations", 503)) == 30
    assert order.count(("/invocations", 500 if fails else 200)) == 20
    assert guard.open == guard.held == 0


def test_large_bodies_are_answered_one_after_the_other(monkeypatch):
    monkeypatch.setattr(bounds, "LARGE_BODY", 10)
    inside, most = [0], [0]

    async def slow(scope, receive, send):
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        await asyncio.sleep(0.01)
        inside[0] -= 1
        await answering(scope, receive, send)

    guard = Guard(slow)

    async def receive():
        return {"type": "http.request", "body": GOOD, "more_body": False}

    async def send(message):
        pass

    async def all_of_them():
        scope = scope_of("/invocations", "POST", JSON)
        await asyncio.gather(*(guard(scope, receive, send) for _ in range(5)))

    asyncio.run(all_of_them())
    assert most == [1]


def test_what_a_sender_says_of_itself_is_not_believed():
    """uvicorn takes X-Forwarded-* from senders of this machine unless told; we read none of it."""
    settings = {"tls": {}, "host": "127.0.0.1", "port": 0, "workers": 1}
    assert not configured(settings).proxy_headers


def test_half_a_request_holds_nothing(monkeypatch):
    """Headers that do not come, and a further connection than there may be, over real sockets."""
    monkeypatch.setattr(bounds, "HEADER_SECONDS", 0.2)
    monkeypatch.setattr(bounds, "CONNECTIONS", 3)
    import uvicorn

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = uvicorn.Config(
        Guard(answering), port=port, http=TimedProtocol, log_config=None, lifespan="off"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        with ExitStack() as opened:

            def opened_to():
                return opened.enter_context(socket.create_connection(("127.0.0.1", port)))

            half = [opened_to() for _ in range(3)]
            for one in half:
                one.sendall(b"POST /invocations HTTP/1.1\r\nHost: x\r\n")
            assert _ended(opened_to())
            assert all(_ended(one) for one in half)
            whole = opened_to()
            whole.sendall(b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
            assert whole.recv(12) == b"HTTP/1.1 200"
    finally:
        server.should_exit = True
        thread.join(20)


def _ended(connection: socket.socket) -> bool:
    connection.settimeout(30)
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


# --- what is counted and told


def test_the_access_log_has_an_id_and_no_value(caplog):
    caplog.set_level("INFO", logger="als_ml.access")
    guard = Guard(answering)
    _, answer, _, _ = ask(guard, GOOD, headers=JSON | {"x-request-id": "SECRET"})
    ask(guard, path="/SECRET/../etc?name=SECRET", method="SECRET")
    name = answer[b"x-request-id"].decode()
    first, second = caplog.messages
    assert re.fullmatch(rf"request={name} POST /invocations status=200 ms=\d+ patients=1", first)
    assert re.fullmatch(r"request=[0-9a-f]{16} other other status=404 ms=\d+ patients=0", second)
    assert "SECRET" not in caplog.text


def row(**changes):
    return {
        "error": None,
        "abstained": False,
        "out_of_distribution": False,
        "probability": 0.55,
        "missing_inputs": ["ftd"],
    } | changes


def test_metrics_add_up_over_processes(tmp_path, monkeypatch):
    """Those of a process that ended stay: no count goes back."""
    model = {"name": "als-progression", "version": "3", "digest": "ab"}
    one, other = Metrics(tmp_path, model), Metrics(tmp_path, model)
    one.rows([row(), row(abstained=True, out_of_distribution=True, probability=0.95)])
    one.request("/invocations", 200, 0.03)
    monkeypatch.setattr("os.getpid", lambda: 12345)
    other.rows([row(error={"field": "sex"}), row(error={"field": "als_ml"})])
    other.request("/invocations", 400, 70)
    lines = other.text(open_requests=2).splitlines()
    for line in (
        'als_ml_requests_total{path="/invocations",status="200"} 1',
        'als_ml_requests_total{path="/invocations",status="400"} 1',
        'als_ml_request_seconds_bucket{le="0.025"} 0',
        'als_ml_request_seconds_bucket{le="0.05"} 1',
        'als_ml_request_seconds_bucket{le="60"} 1',
        'als_ml_request_seconds_bucket{le="+Inf"} 2',
        "als_ml_request_seconds_count 2",
        'als_ml_patients_total{outcome="failed"} 1',
        'als_ml_patients_total{outcome="refused"} 1',
        'als_ml_patients_total{outcome="scored"} 2',
        "als_ml_abstained_total 1",
        "als_ml_out_of_distribution_total 1",
        'als_ml_probability_bucket{le="0.5"} 0',
        'als_ml_probability_bucket{le="0.6"} 1',
        'als_ml_probability_bucket{le="1"} 2',
        'als_ml_missing_total{feature="ftd"} 2',
        "als_ml_open_requests 2",
        'als_ml_model_info{digest="ab",name="als-progression",version="3"} 1',
    ):
        assert line in lines
    assert all(re.fullmatch(r"#.*|[a-z_]+(\{[^{}]*\})? [0-9.e+-]+", line) for line in lines)


class CountedMeanwhile(Counter):
    """Gets a further count when somebody goes through it, as from a thread."""

    def items(self):
        for item in super().items():
            self["als_ml_missing_total", f'{{feature="{len(self)}"}}'] = 1
            yield item


def test_what_is_counted_meanwhile_fails_no_request(tmp_path):
    """A thread that scores may count something for the first time while the counts are kept."""
    metrics = Metrics(tmp_path)
    metrics.counts = CountedMeanwhile()
    assert ask(Guard(answering, watch=Watch(metrics=metrics)), GOOD)[0] == 200
    assert "als_ml_requests_total" in next(tmp_path.iterdir()).read_text()


def test_counts_that_cannot_be_kept_fail_no_request(tmp_path):
    metrics = Metrics(tmp_path / "gone")
    metrics.request("/invocations", 200, 0.1)
    assert 'path="/invocations",status="200"} 1' in metrics.text(open_requests=0)


def test_what_is_refused_is_counted_by_its_reason():
    watch = Watch()
    guard = Guard(answering, BodyLimits(megabytes=1e-4), watch)
    for body in (b"{", b"x" * 1000, GOOD):
        ask(guard, body)
    text = ask(guard, path="/metrics", method="GET")[2].decode()
    assert 'als_ml_refused_total{reason="not JSON"} 1' in text
    assert 'als_ml_refused_total{reason="bytes"} 1' in text


def test_ready_says_no_while_the_server_ends():
    guard = Guard(answering, watch=Watch(ready=lambda: False))
    assert ask(guard, path="/ready", method="GET")[0] == 503
    assert ask(guard, path="/health", method="GET")[0] == 200
    assert ask(guard, GOOD)[0] == 200  # what is on its way is answered
