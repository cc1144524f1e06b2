"""Nested cross-validation grouped by family, leave-one-site-out, a temporal split: what is fitted
in which patients.

A fold fits everything (course of the mixed slope, imputation, scaling, selection, search, stack
weights, calibration, conformal limits, threshold) on its training patients alone. Folds run in
threads, each on one core; their results do not depend on how many run at once.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import NoReturn

import numpy as np
from joblib import Parallel, delayed
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from als_ml import cluster
from als_ml.config import Config
from als_ml.training.course_estimates import CourseOfFold, course_of_fold
from als_ml.training.survival_folds import baseline_curves, months_of, risks_at_year
from als_ml.training.task_data import Trainable
from features.alsfrs.slopes import DAYS_PER_MONTH
from features.errors import DataError
from features.genotypes.workers import Part, Result
from models.estimators.registry import Parameters
from models.fitted import FittedModel
from models.ladder import Ladder
from models.members import Trial, family_folds
from models.tasks import PROGRESSION, SURVIVAL

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Fold:
    """What one fold says of its test patients; arrays in the order of `test`.

    `covered` (m, 2): whether the own label is in the conformal set, whether the set is not exactly
    one label. `importance` (p,): mean absolute contribution of each feature. `members`: estimators
    with the parameters that the fold chose. Of the survival task also `curves` (m, k) by method at
    the months of `als_ml.training.survival_folds.months_of`, `low` (m,), the lower bounds, and
    what was said of the course.
    """

    test: np.ndarray
    probability: dict[str, np.ndarray]
    predicted: dict[str, np.ndarray]
    covered: np.ndarray
    graded: np.ndarray
    importance: np.ndarray
    members: list[Parameters]
    calibration: str
    trials: list[Trial] = field(default_factory=list)
    curves: dict[str, np.ndarray] = field(default_factory=dict)
    low: np.ndarray | None = None
    course: CourseOfFold | None = None


@dataclass(frozen=True)
class Validated:
    """Out-of-fold results of all patients, averaged per patient over repeats; `folds` keeps what
    each fold chose.

    `probability` and `predicted` hold the model, its baselines and the diagnostics by name, NaN
    where one was not tried. `by_repeat` holds the probabilities of each repeat, (repeats, n) a
    name: for what must not be averaged first. `curves` (n, k) and `low` (n,): as of a fold.
    """

    probability: dict[str, np.ndarray]
    predicted: dict[str, np.ndarray]
    covered: np.ndarray
    graded: np.ndarray
    folds: list[Fold]
    by_repeat: dict[str, np.ndarray] = field(default_factory=dict)
    curves: dict[str, np.ndarray] = field(default_factory=dict)
    low: np.ndarray | None = None


def cross_validate(
    data: Trainable, config: Config, progress: Progress = lambda *_: None
) -> Validated:
    """Out-of-fold results of the model, its baselines and its diagnostics.

    Parameters
    ----------
    data : Trainable
        The labelled patients.
    config : Config
        Of the run.
    progress : callable
        Told how many folds are done.

    Returns
    -------
    Validated
        Averaged over repeats.
    """
    v, quick = config.validation, _without_refits(config)
    # A diagnostic that refits is answered by one repeat of the folds.
    splits = [
        (split, config if repeat == 0 else quick)
        for repeat in range(v.repeats)
        for split in family_folds(data.y, data.families, v.folds, v.seed + repeat)
    ]
    parts = [(*split, how) for split, how in splits]
    folds = each_part(_on_one_core, data, parts, config.threads, progress, "cross-validation")
    return merged(folds, len(data.y), v.repeats)


def each_part(
    function: Callable[[Trainable, Part], Result],
    data: Trainable,
    parts: list[Part],
    threads: int,
    progress: Progress,
    what: str,
) -> list[Result]:
    """Results of all parts, in order, worked on by one core each; tells how many are done.

    On a cluster the patients travel to each worker once, and stay there for the parts that follow.

    Parameters
    ----------
    function : callable
        Of the patients and a part.
    data : Trainable
        The labelled patients.
    parts : list
        What is to be done.
    threads : int
        Parts at once.
    progress : callable
        Told (what, done, of).
    what : str
        That is being done.

    Returns
    -------
    list
        One a part.
    """
    done = 0

    def arrived(_: Part, __: Result) -> None:
        nonlocal done
        done += 1
        progress(what, done, len(parts))

    progress(what, 0, len(parts))
    if cluster.is_on_cluster():
        return list(cluster.map_parts()(function, data, parts, arrived, _not_fitted))
    jobs = (delayed(function)(data, part) for part in parts)
    n = min(threads, max(len(parts), 1))
    results: list[Result] = []
    for result in Parallel(n_jobs=n, prefer="threads", return_as="generator")(jobs):
        results.append(result)
        arrived(parts[len(results) - 1], result)
    return results


def _not_fitted(_: object, reason: str) -> NoReturn:
    raise DataError("--cluster", reason, "Give the workers more memory.", code="cluster_failed")


def _on_one_core(data: Trainable, part: tuple[np.ndarray, np.ndarray, Config]) -> Fold:
    """Run a fold without threads of its own: OpenMP's limit holds for the thread that sets it."""
    with threadpool_limits(1):
        return run_fold(data, *part)


def merged(folds: list[Fold], n: int, repeats: int = 1) -> Validated:
    """Average over repeats for each patient; the folds of one repeat follow each other.

    Parameters
    ----------
    folds : list of Fold
        Of one or several repeats.
    n : int
        Number of patients.
    repeats : int
        How often each patient was tested.

    Returns
    -------
    Validated
        Arrays (n,).
    """
    names = list(dict.fromkeys(name for fold in folds for name in fold.probability))
    tests = [fold.test for fold in folds]
    probability = {
        name: _averaged(tests, [fold.probability.get(name) for fold in folds], n) for name in names
    }
    predicted = {
        name: _averaged(tests, [fold.predicted.get(name) for fold in folds], n) for name in names
    }
    predicted = {name: (values >= 0.5).astype(float) for name, values in predicted.items()}
    covered = np.column_stack(
        [_averaged(tests, [fold.covered[:, i] for fold in folds], n) for i in (0, 1)]
    )
    return Validated(
        probability=probability,
        predicted=predicted,
        covered=covered,
        graded=_averaged(tests, [fold.graded for fold in folds], n),
        folds=folds,
        by_repeat={name: _by_repeat(name, folds, n, repeats) for name in names},
        curves={
            name: _averaged(tests, [fold.curves.get(name) for fold in folds], n)
            for name in folds[0].curves
        },
        low=None if folds[0].low is None else _averaged(tests, [fold.low for fold in folds], n),
    )


def _by_repeat(name: str, folds: list[Fold], n: int, repeats: int) -> np.ndarray:
    size = len(folds) // repeats
    parts = [folds[i * size : (i + 1) * size] for i in range(repeats)]
    return np.array(
        [
            _averaged(
                [fold.test for fold in part], [fold.probability.get(name) for fold in part], n
            )
            for part in parts
        ]
    )


def _averaged(tests: list[np.ndarray], values: list[np.ndarray | None], n: int) -> np.ndarray:
    """Mean over the folds that tested a patient, NaN where none did."""
    further = next((np.shape(of_fold)[1:] for of_fold in values if of_fold is not None), ())
    total, count = np.zeros((n, *further)), np.zeros((n, *(1 for _ in further)))
    for test, of_fold in zip(tests, values, strict=True):
        if of_fold is not None:
            total[test] += of_fold
            count[test] += 1
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


def run_fold(data: Trainable, train: np.ndarray, test: np.ndarray, config: Config) -> Fold:
    """Fit everything on some patients and say it of others.

    Parameters
    ----------
    data : Trainable
        The labelled patients.
    train, test : array of int
        Positions; relatives on one side only.
    config : Config
        Of the run.

    Returns
    -------
    Fold
        Results of the tested patients.
    """
    if data.times is not None:
        return _fold_of_times(data, train, test, config)
    trials: list[Trial] = []
    X = data.matrix(train)
    fitted, ladder = data.fit(X, train, config, trials)
    probability = {"model": fitted.probability(X[test])}
    predicted = {"model": (probability["model"] >= fitted.calibration.threshold).astype(float)}
    for name, values in _baselines(data, X, train, test).items():
        probability[name], predicted[name] = values, (values >= data.y[train].mean()).astype(float)
    for name, values in _diagnostics(data, X, train, test, config).items():
        probability[name], predicted[name] = values, (values >= 0.5).astype(float)
    return Fold(
        test=test,
        probability=probability,
        predicted=predicted,
        covered=_covered(fitted, probability["model"], data.y[test]),
        graded=_graded(fitted, ladder, X[test]),
        importance=np.abs(fitted.contributions(X[test])).mean(axis=0),
        members=[{"estimator": m.name, "weight": m.weight, **m.parameters} for m in fitted.members],
        calibration=fitted.calibration.kind,
        trials=trials,
    )


def _fold_of_times(data: Trainable, train: np.ndarray, test: np.ndarray, config: Config) -> Fold:
    """Curves of the test patients and their lower bounds; no class is predicted."""
    X, months = data.matrix(train), months_of(data)
    trials: list[Trial] = []
    fitted = data.fit_times(X, train, config, trials)
    curves = {"model": fitted.survival(X[test], months)}
    curves |= baseline_curves(data, X, train, test, config)
    return Fold(
        test=test,
        probability=risks_at_year(curves, months),
        predicted={},
        covered=np.full((len(test), 2), np.nan),
        graded=fitted.score(X[test]),
        importance=np.abs(fitted.contributions(X[test])).mean(axis=0),
        members=[{"estimator": m.name, "weight": m.weight, **m.parameters} for m in fitted.members],
        calibration=fitted.calibration.kind,
        trials=trials,
        curves=curves,
        low=None if fitted.rival else fitted.outlook(X[test]).survival_low_months,
        course=course_of_fold(data, X, train, test, fitted, config.landmark_days),
    )


def _graded(fitted: FittedModel, ladder: Ladder | None, X: np.ndarray) -> np.ndarray:
    """Predicted class of a ladder, else the raw score (the slope, where that is learned)."""
    return (
        fitted.score(X)
        if ladder is None
        else ladder.assign(X, fitted, fitted.probability(X))[0].astype(float)
    )


def _covered(fitted: FittedModel, probability: np.ndarray, y: np.ndarray) -> np.ndarray:
    holds = fitted.holds(probability)
    return np.column_stack(
        [holds[np.arange(len(y)), y.astype(int)], holds.sum(axis=1) != 1]
    ).astype(float)


def _baselines(
    data: Trainable, X: np.ndarray, train: np.ndarray, test: np.ndarray
) -> dict[str, np.ndarray]:
    """Prevalence, the simple rules of the task, and plain logistic regression on all features."""
    y = data.y[train]
    baselines = {"prevalence": np.full(len(test), y.mean())}
    for name, values in data.baselines.items():
        baselines[name] = plain_logistic(values[train], y, values[test])
    return baselines | {"logistic": plain_logistic(X[train], y, X[test], 1.0)}


def _diagnostics(
    data: Trainable, X: np.ndarray, train: np.ndarray, test: np.ndarray, config: Config
) -> dict[str, np.ndarray]:
    """Who was tested and what was measured as the only inputs.

    And the model without the patients labelled by an event.
    """
    diagnostics, y = {}, data.y[train]
    missing = np.isnan(X).astype(float)
    for name, values in {
        "assay_status": data.assay_status,
        "missingness": missing[:, np.ptp(missing, axis=0) > 0],
    }.items():
        if values.shape[1] and len(np.unique(values[train], axis=0)) > 1:
            diagnostics[name] = plain_logistic(values[train], y, values[test], 0.1)
    if data.by_event.any() and config.validation.honesty:
        natural = train[~data.by_event[train]]
        plain = config.model_copy(
            update={"model": config.model.model_copy(update={"search": None})}
        )
        diagnostics["without_events"] = data.fit(X, natural, plain)[0].probability(X[test])
    return diagnostics


def plain_logistic(X: np.ndarray, y: np.ndarray, X_test: np.ndarray, C: float = 10.0) -> np.ndarray:
    """Probabilities of a logistic regression on mean-imputed, standardised columns.

    Parameters
    ----------
    X : array (n, p)
        Features, NaN unknown.
    y : array (n,)
        0/1 labels.
    X_test : array (m, p)
        Features of other patients.
    C : float
        Inverse strength of the ridge.

    Returns
    -------
    array (m,)
        0 to 1.
    """
    steps = (
        SimpleImputer(keep_empty_features=True),
        StandardScaler(),
        LogisticRegression(C=C, max_iter=2000),
    )
    return np.asarray(make_pipeline(*steps).fit(X, y.astype(int)).predict_proba(X_test)[:, 1])


def site_splits(data: Trainable) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Train and test patients by held-out site, for sites with both labels.

    Relatives of a tested patient do not train.

    Parameters
    ----------
    data : Trainable
        The labelled patients.

    Returns
    -------
    dict of (train, test)
        Site -> positions.
    """
    site, splits = data.column("site"), {}
    for name in sorted(set(site) - {"unknown"}):
        test = np.flatnonzero(site == name)
        train = np.flatnonzero((site != name) & ~np.isin(data.families, data.families[test]))
        if len(np.unique(data.y[test])) == 2 and _enough(data, train):
            splits[str(name)] = (train, test)
    return splits if len(splits) > 1 else {}


def _enough(data: Trainable, train: np.ndarray, least: int = 10) -> bool:
    """Whether both labels have families enough to fit a model with inner folds."""
    return (
        min(
            (len(np.unique(data.families[train][data.y[train] == label])) for label in (0, 1)),
            default=0,
        )
        >= least
    )


def leave_one_site_out(
    data: Trainable, config: Config, progress: Progress = lambda *_: None
) -> dict[str, Fold]:
    """Internal-external validation: the results at each site of a model that saw none of its
    patients.

    Parameters
    ----------
    data : Trainable
        The labelled patients.
    config : Config
        Of the run.
    progress : callable
        Told how many sites are done.

    Returns
    -------
    dict of Fold
        By site.
    """
    splits, plain = site_splits(data), _without_refits(config)
    parts = [(train, test, plain) for train, test in splits.values()]
    folds = each_part(_on_one_core, data, parts, config.threads, progress, "leaving one site out")
    return dict(zip(splits, folds, strict=True))


def temporal(data: Trainable, config: Config) -> tuple[Fold | None, dict[str, int], Trainable]:
    """Train on patients whose label was known before a date and test on those who came from it on.

    A survival time trains as far as it was known on the date.

    Parameters
    ----------
    data : Trainable
        The labelled patients.
    config : Config
        With `validation.temporal`.

    Returns
    -------
    Fold or None, dict, Trainable
        None where a side lacks a label; how many patients trained, were tested, had no date, came
        before the date with a
        label that was known only after it (`embargoed`), or were left out because relatives stand
        on the other side; and the patients as the fold saw them.
    """
    day = data.cohort.patients["index_date"].to_numpy().astype("datetime64[D]")
    split, dated = np.datetime64(config.validation.split_date, "D"), ~np.isnat(day)
    known = day + np.timedelta64(days_to_label(config), "D") <= split
    train = np.flatnonzero(dated & known & (day < split))
    later = np.flatnonzero(dated & (day >= split))
    test = later[~np.isin(data.families[later], data.families[train])]
    counts = {
        "train": len(train),
        "test": len(test),
        "without_date": int((~dated).sum()),
        "embargoed": int((dated & (day < split) & ~known).sum()),
        "related": len(later) - len(test),
    }
    data = _known_by(data, train, (split - day[train]).astype(float) - config.landmark_days)
    if not _enough(data, train) or len(np.unique(data.y[test])) < 2:
        return None, counts, data
    return run_fold(data, train, test, _without_refits(config)), counts, data


def _known_by(data: Trainable, train: np.ndarray, days: np.ndarray) -> Trainable:
    """The patients with the times of some of them cut so many days after the landmark; labels are
    as they are.
    """
    if data.times is None:
        return data
    end = np.full(len(data.y), np.inf)
    end[train] = days / DAYS_PER_MONTH
    times = data.times.until(end)
    return replace(data, times=times, y=times.event.astype(float))


def days_to_label(config: Config) -> int:
    """Days from the index to the day on which features and label are known.

    The progression label is known at the end of its window; of a survival time something is known
    from the day after the landmark on. A family history, dFS and a column of patients (which
    nothing dates) are taken as known at the landmark.

    Parameters
    ----------
    config : Config
        Of the run.

    Returns
    -------
    int
        Days since the index day.
    """
    label = config.label
    later = config.task == PROGRESSION.name and label.column is None and label.measure == "slope"
    if config.task == SURVIVAL.name:
        return config.landmark_days + 1
    return config.landmark_days + (label.window_days if later else 0)


def _without_refits(config: Config) -> Config:
    quick: Config = config.model_copy(
        update={"validation": config.validation.model_copy(update={"honesty": False})}
    )
    return quick


def probabilities_for(
    data: Trainable, config: Config, y: np.ndarray, kept: np.ndarray | None = None
) -> np.ndarray:
    """Out-of-fold probabilities of refits that ask what if, without search and in the folds of the
    first repeat.

    Parameters
    ----------
    y : array (n,)
        Labels to learn from, which may be others than the patients' own.
    kept : array (n,) of bool, optional
        Who may train; the mixed-model course, which knows no label, is that of all training
        patients of a fold.

    Returns
    -------
    array (n,)
        NaN for the patients of a fold in which too few families are left for inner folds.
    """
    model = config.model.model_copy(update={"search": None, "calibration": "sigmoid"})
    quick = _without_refits(config.model_copy(update={"model": model}))
    folds = family_folds(data.y, data.families, config.validation.folds, config.validation.seed)
    parts = [
        Refit(
            config=quick,
            y=y,
            whole=train,
            train=train if kept is None else train[kept[train]],
            test=test,
        )
        for train, test in folds
    ]
    probability = np.empty(len(y))
    results = each_part(_refitted, data, parts, config.threads, lambda *_: None, "")
    for (_, test), values in zip(folds, results, strict=True):
        probability[test] = values
    return probability


@dataclass(frozen=True)
class Refit:
    """A fold that is learned anew from `y`; `whole` are its training patients, of whom `train`
    train.
    """

    config: Config
    y: np.ndarray
    whole: np.ndarray
    train: np.ndarray
    test: np.ndarray


def _refitted(as_labelled: Trainable, part: Refit) -> np.ndarray:
    data, train = replace(as_labelled, y=part.y), part.train
    families, y = data.families[train], data.y[train]
    fewest = min(len(np.unique(families[y == label])) for label in (0, 1))
    if fewest <= part.config.validation.inner_folds:
        return np.full(len(part.test), np.nan)
    with threadpool_limits(1):
        X = data.matrix(part.whole)
        return data.fit(X, train, part.config)[0].probability(X[part.test])
