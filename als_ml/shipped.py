"""The configurations that come with als-ml: beside the packages in a checkout, inside the wheel."""

from pathlib import Path

from features.errors import RequestError, nearest

_PACKAGE = Path(__file__).resolve().parent
_FOLDERS = (_PACKAGE / "configs", _PACKAGE.parent / "configs")


def config_folder() -> Path:
    """Where the shipped configurations lie.

    Raises
    ------
    RequestError
        If the installation is not whole.
    """
    for folder in _FOLDERS:
        if folder.is_dir():
            return folder
    raise RequestError(
        "als-ml", "its configurations are not installed", "Install it again.", code="file_absent"
    )


def config_names() -> tuple[str, ...]:
    """Names of the shipped configurations of a run, as in `progression`."""
    return tuple(sorted(path.stem for path in config_folder().glob("*.yaml")))


def config_path(name: str) -> Path:
    """The shipped configuration of a name.

    Raises
    ------
    RequestError
        If there is none; the message names the nearest.
    """
    if name not in config_names():
        raise RequestError(
            f"configuration {name!r}",
            "there is none of this name",
            f"{nearest(name, config_names())} Shipped: {', '.join(config_names())}.",
            code="name_unknown",
        )
    return config_folder() / f"{name}.yaml"
