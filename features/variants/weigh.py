"""Every site described and weighed: the one function for cohorts, requests and variant tables."""

from features.catalogue import Definitions, gene_names, recently_derived
from features.genotypes.genotype import Types, typed_table
from features.tables.columns import Frame, FrameT
from features.variants.annotation import Effect
from features.variants.evidence import Assessment, Sources, assess
from features.variants.lookups import Lookups
from features.variants.variant import Variant, describe

VARIANT_TYPES: Types = {
    "variant": object,
    "assessment": object,
    "role": object,
    "points": float,
    "frequency": float,
}
Weighed = tuple[Variant, Assessment]


def weigh_sites(definitions: Definitions, sites: FrameT, build: str, lookups: Lookups) -> FrameT:
    """Describe and assess each site (`key`, `gene`, `effect`) as models see it: ClinVar's own word
    does not count.

    Parameters
    ----------
    definitions : Definitions
        Rules and thresholds.
    sites : DataFrame or Table
        `key`, `gene` (index into the panel), `effect`.
    build : str
        GRCh37 or GRCh38.
    lookups : Lookups
        What the references say.

    Returns
    -------
    DataFrame
        In the order of the sites: `variant`, `assessment`, and from them `role`, `points`,
        `frequency` (NaN unknown).
    """
    weighed = weigh(sites, Sources(definitions=definitions, build=build, lookups=lookups))
    rows = [(v, a, v.role, a.points, v.frequency) for v, a in weighed]
    return typed_table(rows, VARIANT_TYPES, sites)


def weigh(sites: Frame, sources: Sources) -> list[Weighed]:
    """Each site (`key`, `gene`, `effect`) with what is known of it and what that weighs by the
    given sources.

    Parameters
    ----------
    sites : DataFrame or Table
        `key`, `gene` (index into the panel), `effect`.
    sources : Sources
        What may count.

    Returns
    -------
    list of (Variant, Assessment)
        One a site.
    """
    columns = (sites[name].to_numpy() for name in ("key", "gene", "effect"))
    return [
        (
            _remembered(sources.definitions, key, gene, *_facts(sources))
            if effect is None
            else _weighed(sources, key, gene, effect)
        )
        for key, gene, effect in zip(*columns, strict=True)
    ]


def _facts(sources: Sources) -> tuple[str, Lookups, bool, bool]:
    return sources.build, sources.lookups, sources.assertions, sources.known


def _weighed(sources: Sources, key: str, gene: int, effect: Effect | None) -> Weighed:
    name = gene_names(sources.definitions)[gene]
    variant = describe(sources.definitions, key, name, effect, sources.build, sources.lookups)
    return variant, assess(variant, sources)


# Most variants of a request are common ones that a request before had; a variant takes some kB.
@recently_derived(4096)
def _remembered(
    definitions: Definitions,
    key: str,
    gene: int,
    build: str,
    lookups: Lookups,
    assertions: bool,
    known: bool,
) -> Weighed:
    sources = Sources(
        definitions=definitions, build=build, lookups=lookups, assertions=assertions, known=known
    )
    return _weighed(sources, key, gene, None)
