"""One page for one patient: what is served beside the scores, what it says, and what it never does.

The model is one of the stored ones, so that nothing is trained; the patient is made up.
"""

import asyncio
import json
import re
import socket
from pathlib import Path

import pytest

from als_ml.__main__ import main as als_ml
from als_ml.cohort.record_keys import PAGE_FIELDS, PARTS
from als_ml.pages.patient_pages import NO_PROGNOSIS, Setting
from als_ml.pages.protocol import read_rules
from als_ml.prediction.example import EXAMPLE
from als_ml.prediction.row import ROW_FIELDS
from als_ml.serving.app import _Scorer
from als_ml.serving.guard import PATHS, WATCHED, Guard
from als_ml.serving.json_schema import record_schema, schemas
from als_ml.serving.page import POLICY, Route, form, page_routes, schema_routes
from als_ml.serving.server import Extras, serving, wait_until_up
from als_ml.tracking.loader import model_in
from features.catalogue import patient_columns, shipped
from tests.stores import store_in

ROOT = Path(__file__).resolve().parents[3]
MODEL = "models:/als-progression@champion"
JSON = [(b"content-type", b"application/json")]


@pytest.fixture(scope="module")
def predictor():
    return model_in(ROOT / "tests/fixtures/models_format_1/progression").predictor()


@pytest.fixture(scope="module")
def guard(predictor):
    async def app(scope, receive, send):
        raise AssertionError("MLflow was asked")

    own = schema_routes(predictor) | page_routes([predictor], Setting(rules=read_rules()))
    return Guard(app, own=own)


def ask(guard: Guard, path: str, body: bytes | None = None, headers=JSON):
    """Status, headers and body of an answer."""
    sent: list[dict] = []
    method = "GET" if body is None else "POST"
    length = [(b"content-length", str(len(body or b"")).encode())]
    scope = {"type": "http", "path": path, "method": method, "headers": [*headers, *length]}

    async def receive():
        return {"type": "http.request", "body": body or b"", "more_body": False}

    async def send(message):
        sent.append(message)

    asyncio.run(guard(scope, receive, send))
    return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"]


def page_of(guard: Guard, **changes) -> dict:
    body = json.dumps({"inputs": [EXAMPLE | changes]}).encode()
    status, _, reply = ask(guard, "/page", body)
    assert status == 200
    return json.loads(reply)


def test_the_score_is_that_of_the_endpoint_to_the_last_bit(guard, predictor):
    (row,) = predictor.predict_records([EXAMPLE])
    (score,) = page_of(guard)["page"]["scores"]
    assert score["probability"] == row["probability"]
    assert score["set"] == row["prediction_set"]


def test_a_model_beside_adds_its_score(predictor):
    """Equal to its own endpoint's to the last bit; the first model's is what it was."""
    other = model_in(ROOT / "tests/fixtures/models_format_1/familial").predictor()

    async def app(scope, receive, send):
        raise AssertionError("MLflow was asked")

    own = page_routes([predictor, other], Setting(rules=read_rules()))
    guard = Guard(app, own=own)
    scores = page_of(guard, consent_genetic_return="yes")["page"]["scores"]
    consenting = EXAMPLE | _YES
    rows = [one.predict_records([consenting])[0] for one in (predictor, other)]
    assert [one["task"] for one in scores] == ["progression", "familial"]
    assert [one["probability"] for one in scores] == [row["probability"] for row in rows]
    assert f"{predictor.model_name} version" in ask(guard, "/")[2].decode()
    assert ask(guard, "/")[2].decode().count(" version ") == 2


def test_what_is_wrong_is_said_in_our_words_and_repeats_nothing(guard, predictor):
    wrong = {"age_at_onset": 7777.5, "sample_id": "SECRET-1"}
    answer = page_of(guard, **wrong)
    (row,) = predictor.predict_records([EXAMPLE | wrong])
    assert answer["error"] == row["error"]
    assert answer["page"] is None
    assert not re.search("7777|SECRET", json.dumps(answer))


def test_a_page_knows_consent_and_signs(guard):
    answer = page_of(guard, consent_prognosis="no", headache="yes", headache_days=3)
    assert answer["page"]["scores"][0]["error"] == NO_PROGNOSIS
    assert answer["page"]["genetics"] is None
    assert "SOD1" not in json.dumps(answer["page"]["scores"])
    refused = page_of(guard, headache=["yes"])
    assert refused["error"]["field"] == "headache"


def test_a_relative_has_no_page(guard):
    answer = page_of(guard, diagnosis="unaffected_relative")
    assert answer["page"] is None
    assert "relative" in answer["error"]["reason"]


@pytest.mark.parametrize(
    ("path", "body", "headers", "status"),
    [
        ("/page", b'{"inputs": [{}, {}]}', JSON, 200),
        ("/page", b"[]", JSON, 400),
        ("/page", b'{"inputs": [1]}', JSON, 400),
        ("/page", b"{}", [(b"content-type", b"text/plain")], 415),
        ("/page", None, JSON, 405),
        ("/", b"{}", JSON, 405),
        ("/page.html", None, JSON, 404),
    ],
)
def test_what_is_not_a_request_for_one_page(guard, path, body, headers, status):
    answered, _, reply = ask(guard, path, body, headers)
    assert answered == status
    assert status != 200 or "is not one patient" in json.loads(reply)["error"]["reason"]


def test_without_the_option_there_is_no_page(predictor):
    async def app(scope, receive, send):
        raise AssertionError("MLflow was asked")

    plain = Guard(app, own=schema_routes(predictor))
    assert ask(plain, "/")[0] == 404
    assert ask(plain, "/schema/row.json")[0] == 200
    assert set(plain.paths) == {*PATHS, *WATCHED, "/schema/record.json", "/schema/row.json"}


@pytest.mark.parametrize("path", ["/", "/page.js", "/page.css", "/fields"])
def test_own_files_under_a_strict_policy(guard, path):
    status, headers, body = ask(guard, path)
    assert status == 200
    assert headers[b"content-security-policy"] == POLICY.encode()
    assert headers[b"cache-control"] == b"no-store"
    text = body.decode()
    assert not re.search(
        r"localStorage|sessionStorage|document\.cookie|https?://(?!www\.w3\.org)", text
    )
    if path == "/":
        assert not re.search(r"<style|style=|<script(?![^>]+src=)|\son\w+=", text)


def test_an_error_of_ours_is_named_by_its_type_alone(predictor, caplog):
    def fails(body: bytes) -> bytes:
        raise ValueError(body.decode())

    guard = Guard(None, own={"/page": Route("POST", "application/json", fails)})
    status, _, reply = ask(guard, "/page", b'{"inputs": [{"sample_id": "SECRET-2"}]}')
    assert status == 500
    assert b"SECRET" not in reply
    assert caplog.messages[0] == "error: ValueError at /page"


def test_the_form_is_made_of_the_models_own_tables(predictor):
    fields = form(predictor)
    named = [field["name"] for field in fields["patient"] + fields["measured"]]
    columns = patient_columns(predictor.definitions)
    assert 12 <= len(named) <= 24
    assert "consent_prognosis" not in columns.index  # of an earlier release: no such field
    assert "consent_prognosis" not in named
    age = next(field for field in fields["patient"] if field["name"] == "age_at_onset")
    assert (age["min"], age["max"], age["unit"]) == (1, 110, "years")
    nfl = next(field for field in fields["measured"] if field["name"] == "nfl_serum")
    assert nfl["units"][0] == "pg/mL"


# MLflow says this of any model from code when its module is first read.
@pytest.mark.filterwarnings("ignore:.*Any type hint")
def test_a_server_withholds_what_the_rows_of_a_table_would(predictor):
    rows = _Scorer(predictor, withhold=True).predict([EXAMPLE, EXAMPLE | _YES])
    whole = _Scorer(predictor, withhold=False).predict([EXAMPLE, EXAMPLE | _YES])
    assert rows[0]["genetic_cause"] is None
    assert whole[0]["genetic_cause"] == "found"
    assert rows[1] == whole[1]
    assert rows[0]["probability"] == whole[0]["probability"]


_YES = {"consent_genetic_return": "yes"}


# --- schemas


def test_the_shipped_schemas_are_those_that_are_served(guard):
    for name, text in schemas(shipped()).items():
        assert (ROOT / "docs/schema" / name).read_text() == text


def test_the_schema_of_a_record_knows_every_key(predictor):
    schema = record_schema(shipped())
    known = {*patient_columns(shipped()).index, *PARTS, *PAGE_FIELDS}
    assert set(schema["properties"]) == known
    assert set(EXAMPLE) <= known
    assert schema["properties"]["age_at_onset"]["maximum"] == 110
    assert None in schema["properties"]["sex"]["enum"]
    row = json.loads(schemas(shipped())["row.json"])
    assert tuple(row["properties"]) == ROW_FIELDS


# --- the same page as a file


def test_the_command_writes_the_same_page(store, tmp_path, capsys):
    record, output = tmp_path / "r.json", tmp_path / "p.html"
    repeat = {"C9orf72": {"alleles": [2, 60], "method": "<script>y"}}
    hostile = {"sample_id": "<script>x", "repeats": repeat, "consent_genetic_return": "yes"}
    record.write_text(json.dumps({"inputs": [EXAMPLE | hostile]}))
    words = ["report", "--patient", str(record), "--output", str(output), "--model", MODEL]
    with store_in(Path(store["folder"])):
        assert als_ml([*words, "--table", str(tmp_path / "t.csv"), "--quiet"]) == 0
    text = output.read_text()
    assert "<script>x" not in text
    assert "<script>y" not in text
    assert "\\u003cscript>x" in text
    assert "\\u003cscript>y" in text
    assert "scores/1/probability" in (tmp_path / "t.csv").read_text()
    assert output.stat().st_size < 200_000


@pytest.mark.parametrize(
    ("content", "more", "message"),
    [
        ('{"inputs": []}', ["--model", MODEL], "does not hold one patient"),
        ("{", ["--model", MODEL], "it cannot be read"),
        ('{"sample_id": "SECRET", "sex": "x9"}', ["--model", MODEL], "sex"),
        ("{}", [], "it needs a model"),
        ("{}", ["--model", MODEL, "--cohort", "c.yaml"], "either --cohort or --patient"),
        ("{}", ["--model", MODEL, "--pseudonymise"], "are of a cohort"),
    ],
)
def test_wrong_requests_for_one_page(content, more, message, store, tmp_path, capsys):
    record = tmp_path / "r.json"
    record.write_text(content)
    words = ["report", "--patient", str(record), "--output", str(tmp_path / "p.html"), *more]
    with store_in(Path(store["folder"])):
        assert als_ml(words) in (1, 2)
    told = capsys.readouterr().err
    assert message in told
    assert "SECRET" not in told
    assert "x9" not in told
    assert not list(tmp_path.glob("*.html"))


# --- in a browser


@pytest.fixture(scope="module")
def address(store):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    place = ("127.0.0.1", port)
    extras = Extras(page=True, beside=("models:/als-familial@champion",))
    with store_in(Path(store["folder"])), serving(MODEL, place, extras=extras) as server:
        wait_until_up(server, place)
        yield f"http://127.0.0.1:{port}"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("size", "colours"),
    [((390, 844), "light"), ((1280, 900), "light"), ((1280, 900), "dark")],
    ids=["phone", "desktop", "dark"],
)
def test_in_a_browser(address, browser, size, colours):
    """Fill in, see the answer, make a mistake, clear: nothing stored, no other host, no fault."""
    from axe_playwright_python.sync_playwright import Axe
    from playwright.sync_api import expect

    viewport = {"width": size[0], "height": size[1]}
    context = browser.new_context(viewport=viewport, color_scheme=colours)
    page = context.new_page()
    faults, asked = [], set()
    page.on("console", lambda m: faults.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda request: asked.add(request.url.rpartition("/")[0]))
    page.goto(address)
    page.wait_for_selector("html[data-ready]")
    page.get_by_label("age at symptom onset").fill("61")
    page.get_by_label("date of the index visit").fill("2026-03-01")
    page.get_by_label("symptom onset (day or date)").fill("2025-01-05")
    page.locator('[name="v1:days"]').fill("0")
    page.get_by_label("Visit 1: total of 48").fill("44")
    page.locator('[name="m:fvc_pct:value"]').fill("47")
    answer = page.locator("#patient")
    score = answer.locator('[data-task="progression"]')
    expect(score.get_by_text("Of 100 patients like this one")).to_be_visible()
    expect(page.get_by_text("als-familial version")).not_to_have_count(0)
    expect(answer.get_by_text("Vital capacity below 50 %")).to_be_visible()
    expect(answer.locator("p.dates")).to_contain_text("1 Mar 2026")
    assert '"onset_days":-420' in page.locator("#request").text_content()
    page.get_by_label("age at symptom onset").fill("611")
    expect(page.get_by_role("alert")).to_contain_text("must lie between 1 and 110")
    expect(page.get_by_label("age at symptom onset")).to_have_attribute("aria-invalid", "")
    page.get_by_label("age at symptom onset").fill("61")
    expect(page.get_by_role("alert")).to_have_text("")
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    found = Axe().run(page).response["violations"]
    assert not [v["id"] for v in found if v["impact"] in ("serious", "critical")]
    assert (
        page.evaluate("localStorage.length + sessionStorage.length + document.cookie.length") == 0
    )
    page.get_by_role("button", name="Clear").click()
    expect(score.get_by_text("Of 100 patients like this one")).to_be_visible()
    assert not faults
    assert asked == {address}
    context.close()
