"""Do the decision tables hold the decisions? `python -m benchmarks mutate [--since COMMIT]`.

Each module's mutants meet its decision tables only. The report is docs/mutation.md; why a mutant
may live stands in benchmarks/survivors.tsv. Ends with 1 where a module has less than LEAST_KILLED
killed, or a mutant lives without a reason.
"""

import argparse
import csv
import hashlib
import json
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import libcst as cst
import yaml

from benchmarks.mutants import Mutant, changed_lines, code_mutants, mutated, table_mutants

ROOT = Path(__file__).resolve().parent.parent
HAND = Path(__file__).parent / "mutants_by_hand.yaml"
REPORT, REASONS = ROOT / "docs" / "mutation.md", Path(__file__).parent / "survivors.tsv"
KEPT = ROOT / ".mutation"
# The wanted share of a module's mutants (P).
LEAST_KILLED = 0.9
# Of fewer mutants a share says little (P).
FEW = 30
ROUNDS = 8


@dataclass(frozen=True)
class Decision:
    """Code or a table that decides, and the tests that hold it.

    `only` or `skip` name functions, classes or `module` (constants), `columns` those of a table.
    """

    path: str
    tests: tuple[str, ...]
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()


def _blocks(name: str, *skip: str, further: tuple[str, ...] = ()) -> Decision:
    tests = tuple(f"tests/features/blocks/test_{of}.py" for of in (name, *further))
    return Decision(f"features/blocks/{name}.py", tests, skip=(*skip, "_dictionary", "_compute"))


_LABELS = ("tests/models/test_label_rule.py", "tests/models/test_label_columns.py")
_PATIENTS = "tests/models/survival/test_times_of_patients.py"
_CHOICE = "tests/models/test_choice.py"
_SETS = "tests/models/test_conformal.py"
_CURVE, _BOUND, _COX = (
    f"tests/models/survival/test_{of}.py" for of in ("curve", "low_bound", "cox")
)
_BY_HAND = "tests/models/test_course_by_hand.py"
_OF_TIMES = tuple(f"tests/als_ml/training/test_{of}_metrics.py" for of in ("survival", "competing"))
_TRIALS, _IMPORTS = "tests/als_ml/trials/test", "tests/als_ml/imports/test"
DECISIONS = (
    _blocks("genetics", "genetic_dictionary", "_known_rows", further=("haplotypes",)),
    _blocks("landmark"),
    _blocks("clinical", "clinical_dictionary", "_time_since_onset"),
    _blocks("prognosis", "prognosis_dictionary"),
    Decision("features/alsfrs/encals.py", ("tests/features/blocks/test_prognosis.py",)),
    Decision("features/alsfrs/slopes.py", ("tests/features/alsfrs/test_slopes.py", *_LABELS)),
    Decision("features/alsfrs/stages.py", ("tests/features/alsfrs/test_stages.py",)),
    Decision("features/alsfrs/d50.py", ("tests/features/alsfrs/test_d50.py",)),
    Decision("features/alsfrs/visits.py", ("tests/features/alsfrs/test_visits.py",)),
    Decision("features/genotypes/coverage.py", ("tests/features/genotypes/test_coverage.py",)),
    Decision("features/genotypes/samples.py", ("tests/features/genotypes/test_samples.py",)),
    Decision("features/genotypes/families.py", ("tests/features/genotypes/test_duplicates.py",)),
    Decision(
        "features/genotypes/repeats.py",
        ("tests/features/genotypes/test_states.py",),
        only=("repeat_state", "_bounds", "RepeatStates", "_laboratory", "module"),
    ),
    Decision("features/variants/vrs.py", ("tests/features/variants/test_vrs.py",)),
    Decision("features/variants/structural.py", ("tests/features/variants/test_structural.py",)),
    Decision(
        "features/genotypes/phase.py",
        ("tests/features/genotypes/test_phase.py",),
        skip=("_asked", "_records", "read_phases"),
    ),
    Decision("features/variants/observed.py", ("tests/features/variants/test_stated.py",)),
    Decision("models/labels.py", (*_LABELS, _PATIENTS), skip=("in_words",)),
    Decision("models/thresholds.py", ("tests/models/test_thresholds.py",)),
    Decision("models/conformal.py", (_SETS,)),
    Decision("models/ladder.py", (_SETS,), skip=("fit_ladder",)),
    Decision(
        "models/fitted.py",
        (_SETS,),
        only=("joined_sets", "recalibrated", "training_range", "module"),
    ),
    Decision("models/choice.py", (_CHOICE,)),
    Decision("models/course.py", (_BY_HAND, "tests/models/test_course.py")),
    Decision("models/survival/labels.py", (_PATIENTS,)),
    Decision("models/survival/choice.py", (_CHOICE,)),
    Decision("models/survival/fitted.py", ("tests/models/survival/test_fitted_by_hand.py",)),
    Decision("models/survival/conformal.py", (_BOUND,)),
    Decision("models/survival/curve.py", (_CURVE, _BOUND)),
    Decision("models/survival/partial_likelihood.py", (_COX,)),
    Decision("models/survival/elastic_net_cox.py", (_COX,), skip=("_build", "_space", "module")),
    Decision("als_ml/training/survival_metrics.py", _OF_TIMES),
    Decision(
        "als_ml/training/survival_honesty.py",
        ("tests/als_ml/training/test_survival_honesty.py",),
        skip=("survival_checks",),
    ),
    Decision("als_ml/trials/endpoints.py", (f"{_TRIALS}_endpoints.py",)),
    Decision("als_ml/trials/patients.py", (f"{_TRIALS}_patients.py",)),
    Decision("als_ml/trials/sizes.py", (f"{_TRIALS}_sizes.py",)),
    Decision("als_ml/trials/planning.py", (f"{_TRIALS}_planning.py",)),
    Decision("als_ml/trials/predictions.py", (f"{_TRIALS}_predictions.py",)),
    Decision("als_ml/imports/left_out.py", (f"{_IMPORTS}_left_out.py",)),
    Decision(
        "als_ml/imports/amp_als.py",
        (f"{_IMPORTS}_amp_als_by_hand.py", f"{_IMPORTS}_amp_als.py"),
    ),
    Decision(
        "als_ml/imports/phenopackets.py",
        (f"{_IMPORTS}_phenopackets_by_hand.py",),
        skip=("import_phenopackets", "_packets", "_parsed", "_strange_place", "_write_variants"),
    ),
    Decision(
        "als_ml/imports/omop.py",
        (f"{_IMPORTS}_omop_by_hand.py",),
        only=(
            "_last_part",
            "_first_date",
            "_days",
            "_diagnosis",
            "_age",
            "_onset_site",
            "_one_site",
            "_family_history",
            "_count_new_years_days",
            "_possible",
        ),
    ),
    Decision(
        "als_ml/imports/proact.py",
        (f"{_IMPORTS}_proact_by_hand.py",),
        only=(
            "_first",
            "_death",
            "_shifted",
            "_points",
            "_totals",
            "_before_death",
            "_unit",
            "_ever",
            "_age",
            "_possible",
            "_onset_site",
            "_family_history",
            "_degree",
            "_escorial",
        ),
    ),
    Decision(
        "als_ml/lifecycle/promotion.py",
        ("tests/als_ml/lifecycle/test_promotion.py",),
        only=("decide", "_figures", "_with_checks"),
    ),
    Decision(
        "features/definitions/repeats.tsv",
        ("tests/features/genotypes/test_states.py",),
        columns=("intermediate_min", "risk_min", "expanded_min"),
    ),
    Decision(
        "features/definitions/progression_schemes.tsv",
        ("tests/features/test_numbers.py",),
        columns=("cutoffs",),
    ),
    Decision(
        "features/definitions/patients.tsv",
        ("tests/features/test_numbers.py",),
        columns=("min", "max"),
    ),
    Decision(
        "features/definitions/reference_limits.tsv",
        ("tests/features/test_numbers.py",),
        columns=("age_from", "age_to", "below", "above"),
    ),
    Decision(
        "features/definitions/contigs.tsv",
        ("tests/features/test_numbers.py",),
        columns=("grch37", "grch38"),
    ),
)


class Outcome(NamedTuple):
    """A mutant as text, and what became of it."""

    where: str
    before: str
    after: str
    killed: bool


class Result(NamedTuple):
    """The mutants of one decision that were tried, of how many, in how many seconds."""

    path: str
    outcomes: list[Outcome]
    made: int
    seconds: float

    @property
    def killed(self) -> int:
        return sum(outcome.killed for outcome in self.outcomes)

    @property
    def held(self) -> bool:
        return self.killed >= LEAST_KILLED * len(self.outcomes)


def outcomes_of(decision: Decision, seconds: float) -> tuple[list[Outcome], int]:
    """Outcomes of one decision's mutants, and how many there are; loads its code and tests here."""
    from benchmarks.mutant_runs import put_code, put_table, run

    path, end = ROOT / decision.path, time.monotonic() + seconds
    if decision.columns:
        module, mutants = None, table_mutants(path, decision.columns)
    else:
        module, mutants = code_mutants(path, decision.only, decision.skip)
    # In rounds of every eighth: neighbours die by the same tests, and where time ends first, what
    # was tried is spread over the whole module.
    mutants = [mutant for start in range(ROUNDS) for mutant in mutants[start::ROUNDS]]
    changes = [
        (m, partial(put_table, m) if module is None else partial(_put, put_code, module, m))
        for m in mutants
    ]
    tried = run(decision.path, decision.tests, changes, lambda: time.monotonic() > end)
    return [_outcome(module, mutant, killed) for mutant, killed, _ in tried], len(mutants)


def _put(put_code: Callable[[str, str], None], module: cst.Module, mutant: Mutant) -> None:
    put_code(str(Path(mutant.path).relative_to(ROOT)), mutated(module, mutant))


def _outcome(module: cst.Module | None, mutant: Mutant, killed: bool) -> Outcome:
    """With the lines that differ where it lives; of one that died nobody reads them."""
    lines = (mutant.before, mutant.after)
    if module is not None:
        lines = ("", "") if killed else changed_lines(module.code, mutated(module, mutant))
    return Outcome(mutant.where, *lines, killed)


def tried(decision: Decision, seconds: float) -> Result:
    """One decision in a process of its own, since it changes the code that it has loaded.

    What was tried to the end is kept until its code or its tests change.
    """
    kept = _kept(decision)
    if not kept.exists():
        kept.parent.mkdir(exist_ok=True)
        result = _tried_anew(decision, seconds, kept.with_suffix(".part"))
        whole = result.made == len(result.outcomes)
        (kept if whole else kept.with_suffix(".sample")).write_text(json.dumps(result))
        return result
    return _read(kept)


def _kept(decision: Decision) -> Path:
    return KEPT / f"{decision.path.replace('/', '.')}-{_digest(decision)}.json"


def _read(kept: Path) -> Result:
    path, outcomes, made, took = json.loads(kept.read_text())
    return Result(path, [Outcome(*outcome) for outcome in outcomes], made, took)


def kept_results() -> list[Result]:
    """What was tried before of the code as it is now: all mutants of a decision, or a sample."""
    files = (
        (kept if (kept := _kept(decision)).exists() else kept.with_suffix(".sample"))
        for decision in DECISIONS
    )
    return [_read(file) for file in files if file.exists()]


def _tried_anew(decision: Decision, seconds: float, into: Path) -> Result:
    start = time.monotonic()
    own = ["--one", decision.path, "--seconds", str(seconds), "--into", str(into)]
    _run_here(own, decision.path)
    found, made = json.loads(into.read_text())
    into.unlink()
    outcomes = [Outcome(*outcome) for outcome in found]
    return Result(decision.path, outcomes, made, time.monotonic() - start)


def _run_here(arguments: list[str], what: str) -> None:
    command = [sys.executable, "-m", "benchmarks.mutate", *arguments]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{what}: {done.stdout[-2000:]}{done.stderr[-2000:]}")


def _digest(decision: Decision) -> str:
    """Of the code, its tests and what makes the mutants."""
    return _digest_of(repr(decision), decision.path, *decision.tests)


def _digest_of(words: str, *paths: str) -> str:
    digest = hashlib.sha256(words.encode())
    for path in (*paths, "tests/made.py", "benchmarks/mutants.py"):
        digest.update((ROOT / path).read_bytes())
    return digest.hexdigest()[:12]


class ByHand(NamedTuple):
    """A change made by hand, the test that killed it (empty if none did)."""

    path: str
    why: str
    before: str
    after: str
    by: str


def by_hand() -> list[ByHand]:
    """Every change of mutants_by_hand.yaml, each in a process of its own."""
    found = []
    for i, row in enumerate(yaml.safe_load(HAND.read_text(encoding="utf-8"))):
        into = KEPT / f"hand-{_digest_of(repr(row), row['path'], *row['tests'])}.json"
        into.parent.mkdir(exist_ok=True)
        if not into.exists():
            _run_here(["--hand", str(i), "--into", str(into)], row["why"])
        by = json.loads(into.read_text())
        found.append(ByHand(row["path"], row["why"], row["before"], row["after"], by))
        print(f"{row['path']}: {row['why']}: {by or 'LIVES'}", flush=True)
    return found


def killer(number: int) -> str:
    """The test that kills a change made by hand; empty where none does."""
    from benchmarks.mutant_runs import put_code, run

    row = yaml.safe_load(HAND.read_text(encoding="utf-8"))[number]
    text = (ROOT / row["path"]).read_text(encoding="utf-8")
    if text.count(row["before"]) != 1:
        raise SystemExit(f"{row['path']} has not exactly one place {row['before']!r}")
    mutant = Mutant(row["path"], "by hand", row["before"], row["after"])
    put = partial(put_code, row["path"], text.replace(row["before"], row["after"]))
    (only,) = run(row["path"], tuple(row["tests"]), [(mutant, put)], lambda: False)
    return only.by if only.killed else ""


def changed_since(commit: str) -> "set[str] | None":
    """Files that differ from a commit, None where there is no such commit."""
    command = ["git", "diff", "--name-only", commit, "--"]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    return None if done.returncode else set(done.stdout.split())


def reasons() -> dict[tuple[str, str, str, str], str]:
    """Path, place, line before and line after of a mutant -> why it may live."""
    with REASONS.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))[1:]
    return {(path, where, before, after): reason for path, where, before, after, reason in rows}


def living(results: list[Result]) -> list[tuple[str, Outcome]]:
    """Mutants that no test killed, with their paths, in the order of the modules and lines."""
    return [
        (result.path, outcome)
        for result in results
        for outcome in sorted(result.outcomes)
        if not outcome.killed
    ]


def unexplained(results: list[Result]) -> list[tuple[str, Outcome]]:
    """Those that live without a reason."""
    known = reasons()
    return [(path, o) for path, o in living(results) if (path, *o[:3]) not in known]


def report(results: list[Result], hand: list[ByHand]) -> str:
    """The page: a line a module, then every mutant that lives, by its reason."""
    killed, made = sum(r.killed for r in results), sum(len(r.outcomes) for r in results)
    minutes = sum(r.seconds for r in results) / 60
    whole = sum(r.made for r in results)
    share = f"Killed {killed} of {made} tried ({killed / made:.1%}) in {minutes:.0f} minutes"
    lines = [*_HEAD, f"{share}; there are {whole}.", ""]
    lines += ["| code or table | mutants | tried | killed | share | seconds |"]
    lines += ["|---|--:|--:|--:|--:|--:|"]
    lines += [
        f"| `{r.path}` | {r.made} | {(n := len(r.outcomes))} | {r.killed} | {r.killed / n:.1%} |"
        f" {r.seconds:.0f} |"
        for r in results
    ]
    lines += ["", "## Changes made by hand", "", "| where | change | killed by |", "|---|---|---|"]
    lines += [f"| `{Path(m.path).name}` | {m.why} | `{m.by or 'nobody'}` |" for m in hand]
    return "\n".join([*lines, "", "## What lives, and why", "", *_reasoned(results)]) + "\n"


_HEAD = (
    "# Mutation report",
    "",
    "Written by `make mutate`. A mutant is the code with one change; it is killed where one of its",
    "decision tables fails with it; no other test is asked. Operators are mutmut's; a constant of",
    "a module and each threshold of the definitions also moves one down and one up in its last",
    "digit. Left out: prose, annotations, `strict=`, `dtype=`, `errstate` and the words of errors",
    "(`benchmarks/mutants.py`). Where fewer were tried than there are, time ended (`--seconds`):",
    "they are spread evenly over the module.",
    "",
)


def _reasoned(results: list[Result]) -> list[str]:
    known, by_reason = reasons(), defaultdict[str, list[str]](list)
    for path, outcome in living(results):
        reason = known.get((path, *outcome[:3]), "no reason given")
        shown = f"- `{path}`, {outcome.where}: `{outcome.before}` -> `{outcome.after}`"
        by_reason[reason].append(shown.replace("|", "\\|"))
    ordered = sorted(by_reason.items(), key=lambda pair: -len(pair[1]))
    return [line for reason, lines in ordered for line in (f"**{reason}**", "", *lines, "")]


def main(arguments: list[str]) -> None:
    options = _options(arguments)
    if options.one:
        (decision,) = (d for d in DECISIONS if d.path == options.one)
        Path(options.into).write_text(json.dumps(outcomes_of(decision, options.seconds)))
        return
    if options.hand is not None:
        Path(options.into).write_text(json.dumps(killer(options.hand)))
        return
    chosen = [d for d in DECISIONS if options.only in d.path]
    if options.since:
        chosen = _chosen_since(options.since, chosen)
    results = kept_results() if options.kept else _all_tried(chosen, options.seconds)
    hand = [] if options.since or options.only else by_hand()
    if hand:
        REPORT.write_text(report(results, hand), encoding="utf-8")
    _conclude(results, hand)


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks mutate", description=__doc__)
    parser.add_argument("--since", default="", help="only what changed since a commit")
    parser.add_argument("--only", default="", help="only paths that hold this")
    parser.add_argument("--seconds", type=float, default=36_000, help="stop after so many seconds")
    parser.add_argument(
        "--kept", action="store_true", help="report what was tried before, try nothing"
    )
    parser.add_argument("--one", default="", help=argparse.SUPPRESS)
    parser.add_argument("--hand", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--into", default="", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def _chosen_since(commit: str, decisions: list[Decision]) -> list[Decision]:
    changed = changed_since(commit)
    if changed is None:
        print(f"no commit {commit} to compare with: no mutant is tried")
        return []
    chosen = [d for d in decisions if changed & {d.path, *d.tests}]
    print(f"{len(chosen)} of {len(decisions)} decisions or their tests changed since {commit}")
    return chosen


def _all_tried(decisions: list[Decision], seconds: float) -> list[Result]:
    results, end = [], time.monotonic() + seconds
    for i, decision in enumerate(decisions):
        left = (end - time.monotonic()) / (len(decisions) - i)
        results.append(result := tried(decision, max(left, 1)))
        untried = result.made - len(result.outcomes)
        more = f", {untried} not tried in the time given" if untried else ""
        share = f"{result.killed} of {len(result.outcomes)} killed"
        print(f"{result.path}: {share}, {result.seconds:.0f} s{more}", flush=True)
    return results


def _conclude(results: list[Result], hand: list[ByHand]) -> None:
    """Say what lives without a reason; end with 1 where that, or too much in all, is wrong."""
    nameless = unexplained(results)
    for path, outcome in nameless:
        print("\t".join([path, *outcome[:3]]))
    weak = [m.why for m in hand if not m.by]
    weak += [r.path for r in results if hand and not r.held]
    weak += [
        path
        for path, n in Counter(path for path, _ in nameless).items()
        if n > _most(path, results)
    ]
    if weak or (hand and nameless):
        raise SystemExit(
            f"too few killed: {', '.join(weak) or 'nowhere'}; "
            f"{len(nameless)} live without a reason in {REASONS.name}"
        )


def _most(path: str, results: list[Result]) -> float:
    """How many mutants of a module may live without a reason where only what changed is tried."""
    tried_here = sum(len(r.outcomes) for r in results if r.path == path)
    return (1 - LEAST_KILLED) * max(tried_here, FEW)


if __name__ == "__main__":
    main(sys.argv[1:])
