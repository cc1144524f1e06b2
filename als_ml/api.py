"""The product from Python: what `import als_ml` gives.

Each function does what the command of its name does, by the same path. Paths may be text. Heavy
parts are imported when a function is called, so that `import als_ml` takes no time. What was
noticed in the files and is no error stands in `attrs["problems"]` of a table that comes back.
"""

from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from als_ml.cohort.check import CheckReport
    from als_ml.config import Config
    from als_ml.prediction.predictor import Predictor
    from als_ml.training.run import Training
    from features.cohort import Cohort
    from features.tables.problems import Problem

AnyPath = str | PathLike[str]
Changes = Mapping[str, object]


def read_cohort(
    path: AnyPath,
    model: "Predictor | None" = None,
    allow_outside: bool = False,
    problems: "list[Problem] | None" = None,
) -> "Cohort[pd.DataFrame]":
    """Read and check the files of a cohort.

    Parameters
    ----------
    path : path
        The cohort file, `cohort.yaml`.
    model : Predictor, optional
        Read as this model was trained: its thresholds, definitions and references.
    allow_outside : bool
        Whether the cohort file may name files outside its own folder.
    problems : list, optional
        Gets what was noticed and is not an error: each with `where`, `found` and `remedy`.

    Returns
    -------
    Cohort
        Its tables are `patients` (a row a patient), `biomarkers` and `alsfrs` (long).

    Raises
    ------
    features.errors.UserError
        If a file is absent or something in it cannot be read, with the place and the remedy.

    Examples
    --------
    >>> from als_ml.prediction.example import example_cohort
    >>> cohort = read_cohort(example_cohort())
    >>> len(cohort), cohort.patients["age_at_onset"].tolist()
    (2, [58.0, 64.0])
    >>> read_cohort("absent.yaml")
    Traceback (most recent call last):
    features.errors.RequestError: absent.yaml: there is no such cohort file. ...
    """
    from als_ml.cohort.read import plain_reading
    from als_ml.cohort.read import read_cohort as read
    from als_ml.cohort.source import open_cohort
    from features.tables.problems import Problems

    source, noticed = open_cohort(Path(path), allow_outside), Problems()
    if model is None:
        cohort = read(source, plain_reading(), noticed)
    else:
        cohort = model.read(source, noticed)
    if problems is not None:
        problems += noticed.found
    return cohort


def check(path: AnyPath, allow_outside: bool = False) -> "CheckReport":
    """Say what is in the files of a cohort and what is wrong with them.

    Nothing is raised for what is wrong in a file: all of it stands in the report.

    Parameters
    ----------
    path : path
        The cohort file, `cohort.yaml`.
    allow_outside : bool
        Whether the cohort file may name files outside its own folder.

    Returns
    -------
    CheckReport
        A dict, what `als-ml check --json` prints: `contents`, `samples`, `analytes`, `sites`,
        `genes`, and `problems`, each with `severity` (error, warning or note), `where`, `found`,
        `remedy`.

    Examples
    --------
    >>> from als_ml.prediction.example import example_cohort
    >>> report = check(example_cohort())
    >>> report["contents"]["patients"], report["contents"]["ALSFRS visits"]
    (2, 0)
    >>> [problem for problem in report["problems"] if problem["severity"] == "error"]
    []
    """
    from als_ml.cohort.check import check_cohort
    from als_ml.cohort.source import open_cohort

    return check_cohort(open_cohort(Path(path), allow_outside))


def features(
    cohort: AnyPath,
    landmark_days: int = 90,
    values: tuple[str, ...] = ("last", "mean"),
    model: "Predictor | None" = None,
) -> "pd.DataFrame":
    """The rows that a model would see, as `als-ml features` writes them.

    Parameters
    ----------
    cohort : path
        A cohort file.
    landmark_days : int
        Features end at this day after the index day.
    values : tuple of str
        Which of several values of a biomarker: last, first, mean, slope.
    model : Predictor, optional
        Exactly the columns of this model, with its own landmark and values.

    Returns
    -------
    DataFrame (n, p)
        float32, NaN where unknown; the index is `sample_id`. `attrs["dictionary"]` says of each
        column its block, unit, meaning and source.

    Examples
    --------
    >>> from als_ml.prediction.example import example_cohort
    >>> rows = features(example_cohort())
    >>> rows[["age_at_onset", "female"]].to_dict("index")
    {'P1': {'age_at_onset': 58.0, 'female': 1.0}, 'P2': {'age_at_onset': 64.0, 'female': 0.0}}
    >>> [said.block for said in rows.attrs["dictionary"] if said.name == "female"]
    ['clinical']
    """
    from als_ml.cohort.source import open_cohort
    from als_ml.cohort.table_spec import table_spec
    from features.blocks.rows import feature_dictionary, feature_rows

    noticed: list[Problem] = []
    read = read_cohort(cohort, model, problems=noticed)
    if model is None:
        build = open_cohort(Path(cohort)).described.genome_build
        spec = table_spec(read, build, landmark_days, values)
    else:
        read, spec = model.as_trained(read), model.spec
    rows = feature_rows(read, spec)
    rows.attrs["dictionary"] = feature_dictionary(spec, read.definitions)
    rows.attrs["problems"] = noticed
    return rows


def labels(
    cohort: AnyPath, config: "AnyPath | Config", changes: Changes | None = None
) -> "pd.Series[float]":
    """The label of each patient by the rule of a configuration.

    Parameters
    ----------
    cohort : path
        A cohort file; the one that the configuration names does not count.
    config : path or Config
        Its `task`, `label` and `landmark_days` count.
    changes : mapping, optional
        Dotted keys of the configuration with other values.

    Returns
    -------
    Series (n,)
        1.0 familial or fast, 0.0 sporadic or slow, NaN unlabelled; the index is `sample_id`. Its
        `attrs["counts"]` says how many patients have or lack a label for which reason.

    Examples
    --------
    >>> from als_ml.prediction.example import example_cohort
    >>> from als_ml.shipped import config_path
    >>> made = labels(example_cohort(), config_path("familial"))
    >>> made.to_dict(), made.attrs["counts"]["positive"]
    ({'P1': 1.0, 'P2': 0.0}, 1)
    """
    import pandas as pd

    from als_ml.training.task_data import make_labels

    settings = _config(config, changes)
    noticed: list[Problem] = []
    read = read_cohort(cohort, problems=noticed)
    made = make_labels(settings, read)
    index = pd.Index(read.patients["sample_id"], name="sample_id")
    series = pd.Series(made.y, index=index, name=settings.question.name)
    series.attrs |= {"counts": dict(made.counts), "problems": noticed}
    return series


def train(
    config: "AnyPath | Config",
    changes: Changes | None = None,
    track: bool = True,
    allow_outside: bool = False,
) -> "Training":
    """Train and validate one model; with `track` it is logged and registered as by `train.py`.

    Parameters
    ----------
    config : path or Config
        As in `configs/`.
    changes : mapping, optional
        Dotted keys with other values, as in `{"model.estimator": "elastic_net"}`.
    track : bool
        Whether MLflow keeps the run and the model.
    allow_outside : bool
        Whether the cohort file may name files outside its own folder.

    Returns
    -------
    Training
        `predictor` scores patients; `metrics`, `tables` and `checks` say what was found out.

    Raises
    ------
    features.errors.UserError
        If a file is wrong or the labels cannot be learned from.

    Examples
    --------
    >>> from als_ml.prediction.example import example_cohort
    >>> from als_ml.shipped import config_path
    >>> train(config_path("familial"), {"cohort": str(example_cohort())}, track=False)
    Traceback (most recent call last):
    features.errors.DataError: labels of the task familial: of 2 labelled patients 1 familial, ...
    """
    from als_ml.training.run import train as run

    training = run(_config(config, changes), allow_outside=allow_outside)
    if track:
        from als_ml.tracking.log import log_training

        log_training(training)
    return training


def load(uri: str) -> "Predictor":
    """A stored model, once its files were found to be those that were registered.

    Parameters
    ----------
    uri : str
        As in `models:/als-progression@champion`.

    Raises
    ------
    features.errors.UserError
        If there is no such model, its files were changed, or this release cannot read it.

    Examples
    --------
    >>> load("als-progression")  # neither models:/NAME@ALIAS nor a folder
    Traceback (most recent call last):
    features.errors.RequestError: --model als-progression: it cannot be loaded ...
    """
    from als_ml.tracking.loader import load as load_checked

    return load_checked(uri)


def predict(
    model: "str | Predictor", patients: AnyPath | Sequence[Mapping[str, object]]
) -> "pd.DataFrame":
    """Prediction rows of a cohort or of single records, as `predict.py` and the endpoint give them.

    Parameters
    ----------
    model : str or Predictor
        An MLflow URI, or what `load` or `train` gave.
    patients : path or sequence of mappings
        A cohort file, or patient records as they are sent to the endpoint.

    Returns
    -------
    DataFrame
        A row a patient: `probability` of the positive class, `predicted_class`, `prediction_set`,
        `drivers`, ..., `error` (None, or why the patient was not scored).

    Examples
    --------
    >>> predict("als-progression", [{"sample_id": "P1"}])
    Traceback (most recent call last):
    features.errors.RequestError: --model als-progression: it cannot be loaded ...
    """
    import pandas as pd

    predictor = load(model) if isinstance(model, str) else model
    if not isinstance(patients, str | PathLike):
        return pd.DataFrame(predictor.predict_records([dict(record) for record in patients]))
    noticed: list[Problem] = []
    read = read_cohort(patients, predictor, problems=noticed)
    rows = pd.DataFrame(predictor.predict_cohort(read))
    rows.attrs["problems"] = noticed
    return rows


def explain(model: "str | Predictor", cohort: AnyPath) -> "pd.DataFrame":
    """What each feature, block and disease mechanism adds to each patient's score.

    Parameters
    ----------
    model : str or Predictor
        An MLflow URI, or what `load` or `train` gave.
    cohort : path
        A cohort file.

    Returns
    -------
    DataFrame
        `sample_id`, `kind` (feature, block or mechanism), `name`, `contribution` (log-odds,
        positive = towards familial or fast), `task`; zeros are left out.

    Examples
    --------
    >>> from als_ml.prediction.example import example_cohort
    >>> explain("als-progression", example_cohort())
    Traceback (most recent call last):
    features.errors.RequestError: --model als-progression: it cannot be loaded ...
    """
    from als_ml.prediction.explanations import explanations

    predictor = load(model) if isinstance(model, str) else model
    noticed: list[Problem] = []
    read = read_cohort(cohort, predictor, problems=noticed)
    table = explanations([(predictor, read)])
    table.attrs["problems"] = noticed
    return table


def report(
    cohort: AnyPath, output: AnyPath, models: Iterable[str] = (), allow_outside: bool = False
) -> Path:
    """Write a cohort as one HTML file that opens offline, with a page a patient.

    Parameters
    ----------
    cohort : path
        A cohort file.
    output : path
        The page to write, `.html`.
    models : iterable of str
        MLflow URIs whose scores the pages show.
    allow_outside : bool
        Whether the cohort file may name files outside its own folder.

    Returns
    -------
    Path
        What was written.

    Examples
    --------
    >>> from als_ml.prediction.example import example_cohort
    >>> path = example_cohort()
    >>> report(path, path.with_name("page.html")).name
    'page.html'
    >>> report(path, "page.txt")
    Traceback (most recent call last):
    features.errors.RequestError: --output page.txt: the ending '.txt' is not known. Use .html.
    """
    from als_ml.cohort.source import open_cohort
    from als_ml.output import check_output, whole_file
    from als_ml.pages.cohort_page import write_report
    from als_ml.pages.protocol import read_rules
    from als_ml.pages.report import make_report

    target = Path(output)
    check_output(target, (".html",))
    source = open_cohort(Path(cohort), allow_outside)
    made = make_report(source, {uri: load(uri) for uri in models}, read_rules())
    with whole_file(target) as unfinished:
        write_report(made, unfinished)
    return target


def _config(config: "AnyPath | Config", changes: Changes | None) -> "Config":
    from als_ml.config import Config, changed, load_config

    read = config if isinstance(config, Config) else load_config(Path(config))
    return changed(read, changes or {})
