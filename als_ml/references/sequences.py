"""Fetch the coding sequences that are not shipped, and keep those that hold.

The addresses are tried one after the other: Ensembl by transcript, NCBI by RefSeq. A sequence is
kept if it is as long as the gene model, reads from a start to its one stop, and agrees with every
base that public records know and with the protein (`features.variants.sequences`). What is kept
lies in the user's data folder, of which `features.catalogue.shipped` takes it: whatever is read
from then on has it, and a model that is trained keeps it. A maintainer writes into the package.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from als_ml.output import whole_file
from als_ml.references.download import download
from als_ml.references.folder import Progress
from als_ml.references.sources import Source
from features.catalogue import FOLDER, SEQUENCES, Definitions, own_folder
from features.errors import DataError
from features.temporary import working_folder
from features.variants.gene_models import Transcript, transcripts
from features.variants.sequences import Checked, checked_sequence, unresolved_genes

# Seconds between two requests: NCBI allows three a second (its E-utilities' rules, R).
PAUSE = 0.4


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """What became of the sequences that were missing.

    Attributes
    ----------
    path : Path
        Table of those that are kept.
    kept : dict of Checked
        Gene -> its sequence and what it was compared with.
    refused : dict of str
        Gene -> why, for each address that was tried.
    """

    path: Path
    kept: dict[str, Checked]
    refused: dict[str, str]


def fetch_sequences(
    definitions: Definitions,
    addresses: list[Source],
    progress: Progress,
    into_package: bool = False,
    wait: Callable[[float], None] = time.sleep,
) -> Fetched:
    """Fetch each coding sequence that is not whole here.

    Parameters
    ----------
    definitions : Definitions
        Whose sequences are completed.
    addresses : list of Source
        `{transcript}`, `{stable}` and `{refseq}` in them stand for the names of a gene model.
    progress : callable
        Told which gene is fetched.
    into_package : bool
        Write into the package instead of the user's folder.
    wait : callable
        Waits between two requests.

    Returns
    -------
    Fetched
        What is kept is written already.

    Raises
    ------
    DataError
        If none could be kept.
    """
    wanted = list(unresolved_genes(definitions))
    kept, lines, refused = dict[str, Checked](), dict[str, str](), dict[str, str]()
    for done, gene in enumerate(wanted):
        progress(f"fetching the sequence of {gene}", done, len(wanted))
        model, reasons = transcripts(definitions, "GRCh38")[gene], []
        for source in addresses:
            wait(PAUSE)
            try:
                kept[gene] = checked_sequence(definitions, gene, _bases(model, source))
            except DataError as error:
                reasons.append(error.found)
                continue
            lines[gene] = _line(model, kept[gene], source)
            break
        else:
            refused[gene] = "; ".join(reasons)
    if wanted and not kept:
        gene, reason = next(iter(refused.items()))
        raise DataError(
            "sequences",
            f"none of {len(wanted)} could be fetched ({gene}: {reason})",
            "Correct the addresses under `sequences` in the sources file, or the connection.",
            code="download_failed",
        )
    path = (FOLDER if into_package else own_folder()) / SEQUENCES
    _write(definitions, path, lines, into_package)
    return Fetched(path=path, kept=kept, refused=refused)


def _bases(model: Transcript, source: Source) -> str:
    """Bases of the one record of a FASTA."""
    url = source.url.format(
        transcript=model.name, stable=model.name.partition(".")[0], refseq=model.refseq
    )
    with working_folder("sequences") as folder:
        target = Path(folder) / "sequence.fa"
        download(url, target, None, lambda *_: None)
        text = target.read_text(encoding="utf-8", errors="replace")
    header, *rest = text.strip().split("\n")
    if not header.startswith(">"):
        raise DataError(url, "this is not a FASTA", "Correct the address.", code="file_unreadable")
    bases: list[str] = []
    for line in rest:
        if line.startswith(">"):
            break
        bases.append(line.strip())
    return "".join(bases)


def _line(model: Transcript, checked: Checked, source: Source) -> str:
    compared = (
        f"{checked.compared} known bases compared, {checked.different} differ; "
        f"{checked.residues} residues, {checked.residues_different} differ"
    )
    origin = f"fetched from {source.url}; {compared}; {source.licence}"
    return f"{model.gene}\t{model.name}\t{checked.bases}\t{origin}"


def _write(definitions: Definitions, path: Path, lines: dict[str, str], into_package: bool) -> None:
    """Put lines into the table; one of the user's keeps what it had for other genes."""
    header, *had = definitions.texts["coding_sequences"].rstrip("\n").split("\n")
    if not into_package:
        text = path.read_text(encoding="utf-8") if path.is_file() else header
        header, *had = text.rstrip("\n").split("\n")
    by_gene = {line.split("\t")[0]: line for line in had} | lines
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as temporary:
        temporary.write_text("\n".join([header, *by_gene.values()]) + "\n", encoding="utf-8")
