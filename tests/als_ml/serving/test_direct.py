"""A list of patients is answered without MLflow's parser and writer: byte for byte what they
answer.
"""

import asyncio
import json

import numpy as np
import pytest

from als_ml.prediction.example import EXAMPLE
from als_ml.serving.guard import Guard
from als_ml.tracking.loader import checked_model
from als_ml.tracking.store import quiet_mlflow
from benchmarks import fuzz
from features import bounds
from tests.stores import store_in

HEADERS = [(b"host", b"localhost"), (b"content-type", b"application/json")]
NFL = {"analyte": "nfl_serum", "value": 30, "unit": "pg/mL", "assay": "simoa", "days": 0}


def answer(app, sent: object) -> tuple[int, bytes, bytes]:
    """Status, type and body of what an app answers."""
    body, parts = json.dumps(sent).encode(), []

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        parts.append(message)

    scope = {
        "type": "http",
        "path": "/invocations",
        "method": "POST",
        "headers": HEADERS,
        "query_string": b"",
    }
    asyncio.run(app(scope, receive, send))
    kind = dict(parts[0]["headers"])[b"content-type"]
    return parts[0]["status"], kind, b"".join(part.get("body", b"") for part in parts[1:])


class Ways:
    """The same model behind both ways, and how often the direct one was taken."""

    def __init__(self, model):
        with quiet_mlflow():
            from mlflow.pyfunc import scoring_server

            from als_ml.serving.app import _scored_by_us, _Scorer

        scorer = _Scorer(model.predictor(), withhold=False)
        app = scoring_server.init(_scored_by_us(model, scorer))
        self.direct, self.answer = 0, scorer.answer
        self.plain, self.guard = Guard(app), Guard(app, score=self._score)

    def _score(self, patients):
        self.direct += 1
        return self.answer(patients)


@pytest.fixture(scope="module")
def ways(store):
    with store_in(store["folder"]):
        return Ways(checked_model("models:/als-progression@champion"))


def changed(**fields: object) -> dict[str, object]:
    return EXAMPLE | fields


@pytest.mark.parametrize(
    ("patients", "status"),
    [
        ([EXAMPLE], 200),
        ([EXAMPLE, EXAMPLE], 200),
        ([changed(sample_id="Müller 漢 \u2028")], 200),
        ([changed(sex="of another word"), EXAMPLE], 200),
        ([changed(age_at_onset=2**64), EXAMPLE], 200),
        ([EXAMPLE, {}], 200),
        ([{}], 400),
        ([changed(sex=["x"]), changed(unknown=1)], 400),
        ([changed(biomarkers=[NFL | {"value": "<2.7"}])], 200),
        ([changed(biomarkers=[NFL | {"value": 1e308}])], 400),
    ],
)
def test_both_ways_answer_alike(patients, status, ways):
    before = ways.direct
    found = answer(ways.guard, {"inputs": patients})
    assert ways.direct == before + 1
    assert found == answer(ways.plain, {"inputs": patients})
    assert found[0] == status


def test_mutated_patients_are_answered_alike(ways):
    rng = np.random.default_rng(3)
    for _ in range(20):
        body = {"inputs": [fuzz.mutated(rng, str(i)) for i in range(5)]}
        assert answer(ways.guard, body) == answer(ways.plain, body)


def test_what_holds_more_than_patients_goes_to_mlflow(ways):
    before = ways.direct
    with_drivers = {"inputs": [EXAMPLE], "params": {"drivers": False}}
    assert answer(ways.guard, with_drivers) == answer(ways.plain, with_drivers)
    assert ways.direct == before


@pytest.mark.parametrize(
    ("raised", "status", "told"),
    [
        (lambda own: own.BadRequest("no valid patient among 2; the first: sex"), 400, "among 2"),
        (lambda own: own.BadRequest("SECRET"), 400, "The request was refused."),
        (lambda own: own.Failed(2), 500, "The prediction failed"),
        (lambda _: ValueError("SECRET"), 500, "The prediction failed"),
        (lambda _: TimeoutError("SECRET"), 504, "took too long"),
    ],
)
def test_what_the_model_raises_is_told_without_a_value(raised, status, told, ways):
    from als_ml.serving import model

    def fails(_):
        raise raised(model)

    found = answer(Guard(None, score=fails), {"inputs": [{"sample_id": "SECRET"}]})
    assert found[0] == status
    assert told in json.loads(found[2])["message"]
    assert b"SECRET" not in found[2]


def test_an_answer_that_takes_too_long_is_not_waited_for(monkeypatch):
    import time

    monkeypatch.setattr(bounds, "ANSWER_SECONDS", 0.01)
    monkeypatch.setattr(bounds, "SMALL_BODY", 10)  # a small one is not waited for at all
    guard = Guard(None, score=lambda _: time.sleep(0.2) or b"{}")
    assert answer(guard, {"inputs": [EXAMPLE]})[0] == 504
