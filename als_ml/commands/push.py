"""Upload a finished run that was kept because the store was lost."""

import argparse
from pathlib import Path

from als_ml.cli import progress_bar

SUMMARY = "upload a finished run that train.py kept because the tracking store was lost"


def add_options(made: argparse.ArgumentParser) -> None:
    """Describe the command's own options."""
    made.add_argument("run_dir", metavar="RUN_DIR", help="folder that train.py named")


def run(arguments: argparse.Namespace) -> int:
    """Upload a finished run that was kept when the store was lost."""
    from als_ml.tracking.log import push
    from als_ml.tracking.store import check_store
    from als_ml.tracking.view import where_to_look

    check_store()
    with progress_bar(arguments.quiet) as progress:
        progress("uploading", 0, 0)
        logged = push(Path(arguments.run_dir))
    if not arguments.quiet:
        model = (
            f"models:/{logged['name']}@{logged['alias']}"
            if "name" in logged
            else logged["model_uri"]
        )
        print(
            f"model {model}; run {logged['run_id']}; the folder {arguments.run_dir} is no longer"
            " needed"
        )
        print(where_to_look(logged))
    return 0
