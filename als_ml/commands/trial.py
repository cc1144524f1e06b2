"""Plan a trial that adjusts for a prediction, or enrols by it."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from als_ml.cli import print_table, progress_bar, report_problems, whole
from features import bounds
from features.errors import RequestError, printable

if TYPE_CHECKING:
    from als_ml.trials.planning import PlanRow, Settings

SUMMARY = "plan a trial: size, power and recruitment with a prediction as covariate or cut"
_ENDPOINTS = ("slope", "survival", "joint_rank")
_ADJUST = ("total", "delta_fs", "bulbar", "age", "riluzole")


def add_options(made: argparse.ArgumentParser) -> None:
    """Describe the command's own options."""
    made.add_argument("--cohort", required=True, help="cohort.yaml of patients as the trial's")
    which = made.add_mutually_exclusive_group(required=True)
    which.add_argument("--model", help="models:/NAME@ALIAS or models:/NAME/VERSION; it is locked")
    which.add_argument("--lock", help="a lock file instead, that of the covariate's model")
    made.add_argument("--output", required=True, help="new folder for table, picture, text, lock")
    made.add_argument(
        "--endpoint",
        nargs="+",
        choices=_ENDPOINTS,
        default=list(_ENDPOINTS),
        help="rate of decline, time to the event, or both jointly (CAFS); by default all",
    )
    made.add_argument("--effect", type=float, default=0.3, help="relative slowing (0.3)")
    made.add_argument("--power", type=float, default=0.8, help="wanted (0.8)")
    made.add_argument("--months", type=float, default=12.0, help="of follow-up (12)")
    made.add_argument(
        "--screened-monthly", type=float, default=20.0, help="at all centres together (20)"
    )
    made.add_argument(
        "--adjust",
        nargs="*",
        choices=_ADJUST,
        default=["total", "delta_fs", "bulbar"],
        help="what the trial adjusts for anyway (total delta_fs bulbar)",
    )
    made.add_argument("--simulations", type=int, default=400, help="trials of each size (400)")
    made.add_argument("--seed", type=int, default=1)


def run(arguments: argparse.Namespace) -> int:
    """Plan the trial and write what it needs."""
    settings = _settings(arguments)
    from als_ml.cohort.source import open_cohort
    from als_ml.lifecycle.lock import locked_predictor, locked_uri, read_lock, write_lock
    from als_ml.output import whole_folder
    from als_ml.trials.planning import plan
    from als_ml.trials.predictions import predicted_pool
    from als_ml.trials.writing import write_plan
    from features.tables.problems import Problems

    problems, output = Problems(), Path(arguments.output)
    with progress_bar(arguments.quiet) as progress, whole_folder(output) as folder:
        progress("scoring the cohort", 0, 0)
        source = open_cohort(Path(arguments.cohort), arguments.allow_outside)
        lock = folder / "covariate.lock.json"
        if arguments.lock:
            pinned = read_lock(Path(arguments.lock))
            locked_predictor(Path(arguments.lock))
            lock.write_text(json.dumps(pinned, indent=1) + "\n", encoding="utf-8")
        else:
            pinned = write_lock(arguments.model, lock)
        adjust = tuple(dict.fromkeys(arguments.adjust))
        found = predicted_pool(locked_uri(pinned), source, adjust, problems)
        pool = found.pool
        _check_follow_up(float(pool.months.max()), settings.months)
        rows = plan(pool, settings, progress)
        facts = {
            "cohort": source.described.name,
            "patients": str(len(pool.months)),
            "how": found.how,
            "known": str(found.known),
            "model": f"{pinned['name']}, version {pinned['version']}",
            "digest": pinned["digest"],
            "simulated": "yes" if source.simulated else "",
        }
        write_plan(folder, rows, settings, facts, adjust)
    report_problems(problems.found)
    if not arguments.quiet:
        _print(rows, facts, output)
    return 0


def _settings(arguments: argparse.Namespace) -> "Settings":
    """What was asked for, each value within what is possible."""
    limits = {
        "effect": (0.0, 0.95),
        "power": (0.5, 0.99),
        "months": (3.0, 24.0),
        "screened_monthly": (0.1, 10_000.0),
        "simulations": (50, 20_000),
        "seed": (0, bounds.MOST_SEED),
    }
    for name, (low, high) in limits.items():
        value = getattr(arguments, name)
        least = "above" if name == "effect" else "from"
        no_effect = name == "effect" and value == 0
        if not low <= value <= high or no_effect:
            raise RequestError(
                f"--{name.replace('_', '-')} {_shown(value)}",
                "a treatment without an effect" if no_effect else "the value is not possible",
                f"Give a number {least} {low:g} to {_shown(high)}.",
                code="option_value",
            )
    from als_ml.trials.planning import Settings

    return Settings(
        endpoints=tuple(name for name in _ENDPOINTS if name in arguments.endpoint),
        effect=arguments.effect,
        power=arguments.power,
        months=arguments.months,
        screened_monthly=arguments.screened_monthly,
        simulations=arguments.simulations,
        seed=arguments.seed,
    )


def _shown(value: float) -> str:
    """A number as it was given; a whole one may be larger than any that has a point."""
    return printable(str(value), 20) if isinstance(value, int) else f"{value:g}"


def _check_follow_up(followed: float, asked: float) -> None:
    """Refuse a trial that lasts longer than anybody of the cohort was followed."""
    if followed + 0.5 < asked:
        raise RequestError(
            f"--months {asked:g}",
            f"nobody of the cohort is followed longer than {followed:.1f} months after baseline",
            "Give fewer months, or a cohort with a longer follow-up.",
            code="option_value",
        )


def _print(rows: "list[PlanRow]", facts: dict[str, str], output: Path) -> None:
    shown = [
        {
            "endpoint": row["endpoint"],
            "prediction": row["prediction"],
            "R2": row["r2"],
            "enrolled": whole(row["enrolled"]),
            "power": row["power"],
            "screened": whole(row["screened"]),
            "months": row["months_to_recruit"],
        }
        for row in rows
        if row["not_enrolled_share"] == 0
    ]
    print_table(shown, "everybody enrolled; trial.tsv has the cuts")
    print(f"{facts['patients']} patients, predictions by {facts['how']}.")
    print(f"{facts['known']} patients of the cohort are known to the model.")
    if facts["simulated"]:
        print("SIMULATED cohort: this proves the machinery, not medicine.")
    print(f"written: {output}: trial.tsv, trial.svg, protocol.md, covariate.lock.json.")
