"""The one door to a model: find it, check its files, and make a predictor of their bytes with the
installed code.

A model is data. Whoever scores comes through here: `predict.py` with --model or --lock, report,
compare, promote, monitor, recalibrate, lock and serve. The copy of the code inside a model is for
plain `mlflow models serve` and is never run here. (In the room `tracking`, since it needs the
store, and `tracking` lies above `prediction`.)
"""

import logging
from dataclasses import dataclass, replace
from pathlib import Path

from als_ml.prediction.predictor import Predictor
from als_ml.prediction.storage import read_predictor
from als_ml.tracking.model_files import DEFINITIONS, MODEL, PIPELINE, ModelFiles, checked
from als_ml.tracking.versions import StoredModel, files_of, stored_model
from features.catalogue import Definitions
from features.errors import examples
from features.temporary import working_folder

# Shown on standard error by the commands, unless --quiet.
_LOG = logging.getLogger("als_ml")
_NAMED = 3  # unlisted files that a warning names; plain MLflow writes a hundred


@dataclass(frozen=True)
class CheckedModel:
    """A model whose files were compared with what the registry says of them.

    Attributes
    ----------
    stored : StoredModel
        As what it is registered.
    files : ModelFiles
        Its data; nothing else is read from now on.
    """

    stored: StoredModel
    files: ModelFiles

    def registered_as(self, name: str, version: str) -> "CheckedModel":
        """The same files, under a registered name.

        Parameters
        ----------
        name : str
            Of the registered model.
        version : str
            Its number.

        Returns
        -------
        CheckedModel
            Not checked again.
        """
        return replace(self, stored=replace(self.stored, name=name, version=version))

    def predictor(self) -> Predictor:
        """Read the predictor, with the installed code.

        Raises
        ------
        DataError
            If it cannot be read by this release.
        """
        data, stored = self.files.data, self.stored
        tables = _tables(self.files)
        return read_predictor(data[PIPELINE], data[MODEL], tables, stored.name, stored.version)


def load(uri: str, digest: str | None = None) -> Predictor:
    """The predictor of a stored model; see `checked_model`.

    Parameters
    ----------
    uri : str
        `models:/NAME@ALIAS`, `models:/NAME/VERSION`, `models:/m-ID`, `runs:/ID/model` or a path.
    digest : str, optional
        That the model's list of files must have.

    Returns
    -------
    Predictor
        Ready to predict.
    """
    return checked_model(uri, digest).predictor()


def checked_model(uri: str, digest: str | None = None) -> CheckedModel:
    """Find a model and check its files, before anything of them is read.

    Parameters
    ----------
    uri : str
        `models:/NAME@ALIAS`, `models:/NAME/VERSION`, `models:/m-ID`, `runs:/ID/model`, or a model's
        folder.
    digest : str, optional
        What its files must be, whatever the registry says: that of a trial's lock.

    Raises
    ------
    RequestError
        If there is no such model, or its files are not those that were registered; it names the
        file.
    """
    stored = stored_model(uri)
    with working_folder("model") as folder:
        files = checked(files_of(stored, Path(folder)), digest or stored.digest, f"--model {uri}")
    _tell(uri, files)
    return CheckedModel(stored, files)


def model_in(folder: Path, digest: str | None = None) -> CheckedModel:
    """A model whose files lie in a folder, with their list; see `checked_model`.

    Parameters
    ----------
    folder : Path
        With `model.json` and the rest.
    digest : str, optional
        That its list of files must have.

    Returns
    -------
    CheckedModel
        Nothing of it is loaded yet.
    """
    files = checked(folder, digest, f"model {folder}")
    return CheckedModel(StoredModel(uri=str(folder), digest=digest), files)


def _tell(uri: str, files: ModelFiles) -> None:
    """Warn of what was not there at registration, and of files that nobody vouches for."""
    if files.unlisted:
        # Escaped, since whoever put them there chose the names.
        named = examples((n.encode("unicode_escape").decode() for n in files.unlisted), _NAMED)
        _LOG.warning(
            "--model %s: %d files were not there when it was registered (%s). They are not read or"
            " run here; plain `mlflow models serve` may run them.",
            uri,
            len(files.unlisted),
            named,
        )
    if not files.vouched:
        _LOG.warning("--model %s: nothing says what its files must be. Load it as registered.", uri)


def _tables(files: ModelFiles) -> Definitions | None:
    """The definition tables of a model of format 1, which lie among its code.

    They are read as data.
    """
    texts = {
        name.removeprefix(DEFINITIONS).removesuffix(".tsv"): content.decode().replace("\r\n", "\n")
        for name, content in files.data.items()
        if name.startswith(DEFINITIONS)
    }
    return Definitions(texts) if texts else None
