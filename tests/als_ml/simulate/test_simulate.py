"""The simulated cohort keeps the contract, and its best possible scores are what they claim."""

import filecmp
import sys
from datetime import date

import numpy as np
import pandas as pd
import pytest
from pysam import VariantFile

from als_ml.__main__ import main
from als_ml.cluster import on_cluster
from als_ml.cohort.source import open_cohort
from als_ml.pages.protocol import _ruled_out, decide, read_rules
from als_ml.pages.protocol_inputs import cohort_inputs
from als_ml.simulate import constants as c
from als_ml.simulate import simulate
from als_ml.simulate.course import draw_future, draw_start, event_risk, prolonged
from als_ml.simulate.genetics import draw_genome, draw_people, draw_repeats
from als_ml.simulate.oracle import familial_best
from als_ml.training.folds import cross_validate
from als_ml.training.survival_estimates import seen, survival_figures
from als_ml.training.survival_metrics import kaplan_meier, uno_c
from benchmarks import share_of_possible, two_years
from features.blocks.genetics import causal_carriers
from features.blocks.rows import feature_dictionary
from features.blocks.spec import FeatureSpec
from features.catalogue import shipped
from features.errors import DataError, RequestError
from models.labels import SlopeRule, familial_labels, progression_labels
from tests.cohorts import read as read_cohort
from tests.cohorts import trainable

room = sys.modules["als_ml.simulate"]


def test_same_seed_same_files(tmp_path):
    for name in ("a", "b"):
        simulate(tmp_path / name, patients=40, seed=9)
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert "truth.csv" in names
    tables = [name for name in names if not name.endswith((".gz", ".tbi"))]
    assert filecmp.cmpfiles(tmp_path / "a", tmp_path / "b", tables, shallow=False)[0] == tables


def bytes_of(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def backwards(function, shared, parts, arrived, lost):
    """Work on parts from the last one on, and on one twice, as after an error of the disk."""
    made = {part.number: function(shared, part) for part in [*parts[::-1], parts[1]]}
    for part in parts[::-1]:
        arrived(part, made[part.number])
    return (made[part.number] for part in parts)


def test_blocks_are_the_same_cohort_in_any_order(tmp_path, monkeypatch):
    steps = []
    simulate(tmp_path / "a", 12, 9, lambda *step: steps.append(step), block=5)
    assert steps == [("blocks of patients", done, 3) for done in (1, 2, 3)]
    monkeypatch.setattr(room, "map_parts", lambda: backwards)
    simulate(tmp_path / "b", 12, 9, block=5)
    assert bytes_of(tmp_path / "a") == bytes_of(tmp_path / "b")
    assert len(list((tmp_path / "a").glob("variants-*.vcf.gz"))) == 3
    assert not [path for path in (tmp_path / "a").iterdir() if path.is_dir()]


@pytest.mark.slow
def test_blocks_are_the_same_cohort_on_any_number_of_workers(tmp_path):
    simulate(tmp_path / "here", 24, 9, block=10)
    for workers in (1, 2):
        with on_cluster(f"local:{workers}"):
            simulate(tmp_path / f"by{workers}", 24, 9, block=10)
        assert bytes_of(tmp_path / f"by{workers}") == bytes_of(tmp_path / "here")


@pytest.mark.parametrize(("block", "sizes"), [(11, [11, 1]), (12, [12]), (13, [12])])
def test_every_patient_is_in_one_block(tmp_path, block, sizes):
    simulate(tmp_path / "made", 12, 2, block=block)
    read = read_cohort(tmp_path / "made/cohort.yaml")
    assert read.patients["sample_id"].tolist() == [f"DEMO-{i:05d}" for i in range(1, 13)]
    assert np.isfinite(read.genotypes.assayed).any(axis=1).all()
    files = sorted((tmp_path / "made").glob("variants-*.vcf.gz"))
    assert [len(list(VariantFile(path).header.samples)) for path in files] == sizes
    assert len(pd.read_csv(tmp_path / "made/truth.csv")) == 12


def test_a_longer_cohort_begins_with_the_blocks_of_a_shorter_one(tmp_path):
    for n in (6, 9):
        simulate(tmp_path / str(n), n, 4, follow_up_months=30, block=3)
    short, long = (pd.read_csv(tmp_path / f"{n}/patients.csv", dtype=str) for n in (6, 9))
    assert short.equals(long.iloc[:6])
    ages = long["age_at_onset"].to_numpy(dtype=float).reshape(3, 3)
    assert len(np.unique(ages, axis=0)) == 3  # no two blocks are the same


@pytest.mark.slow
def test_no_family_is_in_two_blocks(tmp_path):
    simulate(tmp_path / "made", 300, 1, block=100)
    named = pd.read_csv(tmp_path / "made/patients.csv", dtype=str)["family_id"].dropna()
    assert named.groupby(named).agg(lambda of: len(set(of.index // 100))).max() == 1


def test_a_block_that_no_worker_makes_is_told(tmp_path, monkeypatch):
    def dying(function, shared, parts, arrived, lost):
        yield lost(parts[1], "the process died")

    monkeypatch.setattr(room, "map_parts", lambda: dying)
    with pytest.raises(DataError, match="patients from 11 on were not made: the process died"):
        simulate(tmp_path / "made", 24, 9, block=10)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--cluster", "local:2"], "Add --block 5000"),
        (["--block", "0"], "--block 0: must be at least 1"),
        (["--patients", "0"], "--patients 0: must be at least 1"),
        (["--seed", "-1"], "--seed -1: the value is not possible"),
        (["--seed", "2147483648"], "Give a whole number from 0 to 2147483647."),
    ],
)
def test_options_that_do_not_hold(tmp_path, capsys, words, said):
    assert main(["simulate", "--output", str(tmp_path / "made"), *words]) == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_truth_holds_the_labels_of_the_contract(demo, cohort):
    truth = pd.read_csv(demo / "truth.csv").set_index("sample_id").loc[cohort.patients["sample_id"]]
    familial = familial_labels(cohort, ("first_degree", "second_degree")).y
    progression = progression_labels(cohort, SlopeRule()).y
    assert np.array_equal(truth["familial"].to_numpy(dtype=float), familial, equal_nan=True)
    assert np.array_equal(truth["progression"].to_numpy(dtype=float), progression, equal_nan=True)
    for task in ("familial", "progression"):
        assert truth[f"p_{task}"].between(0, 1).all()


def test_true_carriers_are_found(demo, cohort):
    """Every patient whose cause is a gene other than C9orf72 carries a known row there, or a novel
    variant.
    """
    cause = (
        pd.read_csv(demo / "truth.csv")
        .set_index("sample_id")
        .loc[cohort.patients["sample_id"], "cause"]
        .to_numpy()
    )
    carriers = causal_carriers(cohort)
    mendelian = np.flatnonzero(~np.isin(cause, ["C9orf72", "unexplained"]))
    found = [carriers[cause[i]][i] == 1 for i in mendelian]
    assert len(mendelian) >= 5
    assert np.mean(found) > 0.6  # 15 % are novel by design


@pytest.mark.slow
def test_familial_score_is_calibrated():
    rng = np.random.default_rng(4)
    people = draw_people(6000, rng)
    best = familial_best(people, draw_genome(people, rng), draw_repeats(people, rng))
    for members in np.array_split(np.argsort(best.p), 5):
        expected, error = (
            best.p[members].sum(),
            np.sqrt((best.p[members] * (1 - best.p[members])).sum()),
        )
        assert (
            abs(people.familial[members].sum() - expected) < 5 * error
        )  # relatives: wider than binomial


def test_progression_score_is_calibrated(demo):
    truth = pd.read_csv(demo / "truth.csv").dropna(subset="progression")
    p, y = truth["p_progression"].to_numpy(), truth["progression"].to_numpy()
    assert abs(y.sum() - p.sum()) < 4 * np.sqrt((p * (1 - p)).sum())


@pytest.mark.parametrize(("rate", "loss"), [(0.5, 30.0), (-1.0, 20.0)])
@pytest.mark.parametrize("days", [1, 30, 365])
def test_the_true_risk_is_the_share_of_drawn_futures(rate, loss, days):
    n = 40_000
    future = draw_future(
        np.full(n, rate), np.full(n, loss), np.full(n, np.inf), np.random.default_rng(days)
    )
    # Somebody lost first is censored: the risk is that of the event alone.
    months = np.minimum(future.event_days, future.lost_days).clip(max=600.0) - 90
    seen = 1 - kaplan_meier(months, np.isfinite(future.event_days)).at(days)[0]
    expected = event_risk(np.array([rate]), np.array([loss]), float(days))[0]
    assert seen == pytest.approx(expected, abs=4 * np.sqrt(expected / n) + 1e-4)


@pytest.mark.parametrize(("rate", "loss"), [(0.5, 20.0), (-1.0, 20.0)])
@pytest.mark.parametrize("days", [365, 600, 730])
def test_nor_is_it_another_where_the_follow_up_goes_on(rate, loss, days):
    """The months that are drawn later join those that were drawn first."""
    n = 40_000
    rates, losses, rng = np.full(n, rate), np.full(n, loss), np.random.default_rng(days)
    first = draw_future(rates, losses, np.full(n, np.inf), rng)
    future = prolonged(first, rates, losses, 26, rng)
    months = np.minimum(future.event_days, future.lost_days).clip(max=900.0) - 90
    seen = 1 - kaplan_meier(months, np.isfinite(future.event_days)).at(days)[0]
    expected = event_risk(np.array([rate]), np.array([loss]), float(days))[0]
    assert seen == pytest.approx(expected, abs=4 * np.sqrt(expected / n) + 1e-4)
    over = np.isfinite(first.event_days) | np.isfinite(first.lost_days)
    for name in ("event_days", "lost_days"):
        np.testing.assert_array_equal(getattr(future, name)[over], getattr(first, name)[over])
    late = future.days[:, first.days.shape[1] :]
    assert np.nanmax(late) <= 90 + 26 * 30.4375 + c.VISIT_JITTER
    end = np.minimum(future.event_days, future.lost_days)[:, None]
    assert not (late >= end).any()


@pytest.mark.parametrize("months", [13, 121])
def test_a_follow_up_that_cannot_be_simulated_is_refused(tmp_path, months):
    with pytest.raises(RequestError, match=f"--follow-up-months {months}.*14 to 120"):
        simulate(tmp_path / "new", patients=10, follow_up_months=months)
    assert not (tmp_path / "new").exists()


@pytest.fixture(scope="module")
def followed(tmp_path_factory):
    """Tables of the same 40 patients by months of follow-up."""
    folder, names = tmp_path_factory.mktemp("followed"), ("patients", "alsfrs", "truth")
    simulate(folder / "plain", patients=40, seed=3)
    for months in (14, 25, 26):
        simulate(folder / str(months), patients=40, seed=3, follow_up_months=months)
    return {
        path.name: {name: pd.read_csv(path / f"{name}.csv", dtype=str) for name in names}
        for path in folder.iterdir()
    }


@pytest.mark.parametrize(("months", "late"), [(14, False), (25, False), (26, True)])
def test_a_longer_follow_up_moves_nothing_that_came_before(followed, months, late):
    """The same patients and visits as without it, and later ones; the oracle tells month 24."""
    plain, long = followed["plain"], followed[str(months)]
    assert ("p_survival_24m" in long["truth"]) == late
    own = list(plain["truth"])
    pd.testing.assert_frame_equal(long["truth"][own], plain["truth"])
    outcome = ["death_days", "niv_23h_days", "tracheostomy_days", "last_contact_days"]
    ended = plain["patients"][outcome].notna().any(axis=1)
    assert ended.any()
    pd.testing.assert_frame_equal(
        long["patients"].loc[ended, outcome], plain["patients"].loc[ended, outcome]
    )
    items = ["sample_id", "days", *(f"q{i}" for i in range(1, 13))]
    last = plain["alsfrs"]["days"].astype(int).max()
    early = long["alsfrs"][long["alsfrs"]["days"].astype(int) <= last]
    whole = early[items].reset_index(drop=True)
    pd.testing.assert_frame_equal(whole, plain["alsfrs"][items])
    assert (len(long["alsfrs"]) > len(plain["alsfrs"])) == (months > 14)


@pytest.mark.slow
def test_risks_by_month_24_hold_and_a_hazard_off_by_1_6_does_not(tmp_path):
    """One cohort of 800, out of fold; the benchmark two-years has several."""
    simulate(tmp_path / "cohort", patients=800, seed=2, follow_up_months=30)
    config = two_years.configured(tmp_path / "cohort")
    data = trainable(config)
    truth = pd.read_csv(tmp_path / "cohort/truth.csv").set_index("sample_id")
    best = truth["p_survival_24m"].reindex(data.rows.index).to_numpy()
    validated = cross_validate(data, config)
    of = seen(data, validated.curves)
    metrics, tables = survival_figures(data, validated, config)
    for name in ("oe_24m", "calibration_slope_24m"):
        half = 1.31 * (metrics[f"{name}_high"] - metrics[f"{name}_low"]) / 2  # 99 %
        assert metrics[name] == pytest.approx(1, abs=half), name
    assert metrics["d_calibration_p"] > 0.05
    assert len(tables["calibration_24m"]) == 10
    found = two_years.at_two_years(of, best)
    assert found["oracle: O/E at 24"] == pytest.approx(1, abs=0.1)
    assert found["oracle: Brier at 24"] < found["Brier at 24"] < found["hazard x 1.6: Brier at 24"]
    assert found["hazard x 1.6: D-calibration p"] < 0.001
    high = metrics["oe_24m_high"] * found["hazard x 1.6: O/E at 24"] / found["O/E at 24"]
    assert high < 0.9
    fitted = data.fit_times(data.rows.to_numpy(), np.arange(len(data.y)), config)
    outlook = fitted.outlook(data.rows.to_numpy())
    assert (outlook.risk_24m > outlook.risk_12m).all()
    assert outlook.risk_24m.mean() == pytest.approx(best.mean(), abs=0.05)


def test_the_best_survival_score_is_calibrated_and_orders(demo, cohort):
    truth = pd.read_csv(demo / "truth.csv").set_index("sample_id").loc[cohort.patients["sample_id"]]
    patients = cohort.patients
    died = patients[["death_days", "niv_23h_days", "tracheostomy_days"]].min(axis=1).to_numpy(float)
    lost = patients["last_contact_days"].to_numpy(dtype=float, na_value=np.nan)
    days = np.fmin(np.fmin(died, lost), 91 + 365.0)
    kept = (days > 90) & patients["diagnosis"].isin(["als", "als_ftd"]).to_numpy()
    months, event = days[kept] - 90, died[kept] <= days[kept]
    best, latent = (truth[name].to_numpy()[kept] for name in ("p_survival", "p_survival_latent"))
    value, low, high = kaplan_meier(months, event).at(365)
    half = (high - low) / 1.96
    assert abs(1 - value - best.mean()) < half
    assert abs(1 - value - latent.mean()) < half
    c = [uno_c(months, event, risk, np.ones((1, kept.sum())), 365)[0] for risk in (best, latent)]
    assert 0.65 < c[0] < c[1]


def test_treated_patients_are_in_the_label_table(cohort):
    """Each reason by treatment occurs, and nobody is treated after an event or after he was
    lost.
    """
    counts = progression_labels(cohort, SlopeRule()).counts
    assert counts["unlabelled_treated"] > 0
    assert counts["unlabelled_treated_early"] > 0
    patients = cohort.patients
    start = patients[["tofersen_start_days", "trial_drug_start_days"]].min(axis=1)
    gone = patients[["death_days", "niv_23h_days", "tracheostomy_days", "last_contact_days"]]
    assert not (start >= gone.min(axis=1)).any()


def test_a_treatment_that_has_not_begun_begins_later_as_often_as_it_should():
    rng, share = np.random.default_rng(0), np.full(200_000, 0.3)
    days = draw_start(share, rng)
    low, high = c.TREATMENT_START
    assert np.isfinite(days).mean() == pytest.approx(0.3, abs=0.005)
    assert (days.min(), days[np.isfinite(days)].max()) == (low, high)
    untreated = days[days > 90]
    later = draw_start(share, rng, after=90)
    assert np.isfinite(later).mean() == pytest.approx(np.isfinite(untreated).mean(), abs=0.005)
    assert later.min() == 91
    assert later[np.isfinite(later)].mean() == pytest.approx(
        untreated[np.isfinite(untreated)].mean(), abs=2
    )


def test_testing_depends_on_family_history(cohort):
    patients = cohort.patients
    tested = patients["c9orf72_status"] != "not_tested"
    familial = patients["family_history"].isin(["first_degree", "second_degree"])
    assert tested[familial].mean() > tested[~familial].mean() + 0.2
    assert not tested.all()


def test_a_strange_folder_is_refused(tmp_path):
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(RequestError, match="holds no simulated cohort"):
        simulate(tmp_path, patients=10)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(("task", "floor"), [("progression", 0.75), ("familial", 0.65)])
@pytest.mark.slow
def test_share_of_the_possible_stays(tmp_path, task, floor):
    """One seed of 800 patients.

    The floor lies 3 SD below the mean of `python -m benchmarks share`.
    """
    simulate(tmp_path / "cohort", 800, 2)
    assert (
        share_of_possible.measure(task, tmp_path / "cohort", "validation.repeats=1")["share"]
        > floor
    )


def test_what_the_care_rules_need_is_no_feature(cohort):
    """Later values only, or of analytes that no model sees: figures of the demo stay."""
    table = cohort.biomarkers
    early = table[table["days"] <= 90]
    for analyte in ("fvc_pct", "weight"):
        assert set(early.loc[early["analyte"] == analyte, "days"]) == {0}
        assert (table["analyte"] == analyte).sum() > (early["analyte"] == analyte).sum()
    further = {"alt_serum", "bilirubin_serum", "snip"}
    assert further <= set(table["analyte"].astype(str))
    named = " ".join(feature.name for feature in feature_dictionary(FeatureSpec(), shipped()))
    assert not [analyte for analyte in further if analyte in named]
    alt = table[table["analyte"] == "alt_serum"]
    assert 0 < (alt["value"] > 3 * alt["ref_high"]).mean() < 0.15


def test_each_rule_of_care_is_seen_to_decide(cohort):
    """By what is written of somebody whom it is about; the rare ones apply in larger cohorts."""
    patients = cohort_inputs(cohort)
    decided, applies = set(), set()
    for rule in read_rules():
        about = [inputs for inputs in patients if not _ruled_out(rule, inputs.known)]
        seen = {decide(rule, inputs, date(2026, 12, 1)).status for inputs in about}
        decided |= {rule.id} if seen & {"applies", "does not apply"} else set()
        applies |= {rule.id} if "applies" in seen else set()
    assert {rule.id for rule in read_rules()} == decided
    rare = {"GEN-05", "GEN-06", "RIL-13", "EDA-01", "TOF-02", "MEC-01", "NIV-08", "PEG-03"}
    assert decided - applies <= rare


def test_what_a_clinic_writes_beside_moves_no_feature(cohort):
    """Aids and treatments begin after the landmark, and the form of item 5 with them."""
    patients = cohort.patients
    for column in ("niv_start_days", "gastrostomy_days", "edaravone_start_days"):
        assert patients[column].notna().sum() >= 5, column
        assert patients[column].min() > 90
    visits = cohort.alsfrs
    assert visits.loc[visits["q5_form"] == "b", "days"].min() > 90
    assert patients["index_date"].notna().all()
    died = patients["death_days"]
    assert not (patients[["niv_start_days", "gastrostomy_days"]].max(axis=1) > died).any()
    further = {"spo2", "paco2_blood", "mip", "neutrophils_blood"}
    table = cohort.biomarkers
    assert table.loc[table["analyte"].isin(further), "days"].min() > 90


def test_a_simulated_cohort_says_so_itself(demo):
    """Not by the truth that lies beside it: a cut of the cohort may leave that behind."""
    assert open_cohort(demo / "cohort.yaml", False).described.simulated
