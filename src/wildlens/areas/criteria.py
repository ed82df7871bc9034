"""Which sites count as protected, and why the others do not."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas

TERRESTRIAL, COASTAL, MARINE = REALMS = ("Terrestrial", "Coastal", "Marine")

_OECM = ("oecm", "0", "0.0")  # SITE_TYPE and PA_DEF of sites that are no protected areas


@dataclass(frozen=True)
class Criteria:
    """Sites that count.

    Attributes:
        categories: IUCN categories of protected areas, in upper or lower case.
        statuses: in upper or lower case.
        realms: some of `REALMS`; a site without a known realm counts only if all are selected.
        oecm: whether other effective conservation measures count, of any category: most have none.
    """

    categories: Sequence[str]
    statuses: Sequence[str]
    realms: Sequence[str] = REALMS
    oecm: bool = False

    def exclusions(self, sites: pandas.DataFrame) -> pandas.Series:
        """Why each site does not count, as text that names the settings; empty if it counts.

        Args:
            sites: as returned by `sites.read_sites`. UNESCO-MAB reserves never count.
        """
        oecm = sites["kind"].str.lower().isin(_OECM)
        reserve = sites["designation"].str.lower().str.contains("unesco-mab", regex=False)
        other_realm = ~sites["realm"].isin(self.realms) & (len(set(self.realms)) < len(REALMS))
        tests = [
            (oecm & (not self.oecm), "OECM (tiles.oecm)"),
            (reserve, "UNESCO-MAB reserve"),
            (~oecm & ~_among(sites["category"], self.categories), _named(sites, "category")),
            (~_among(sites["status"], self.statuses), _named(sites, "status")),
            (other_realm, _named(sites, "realm")),
        ]
        reasons = pandas.Series("", index=sites.index, dtype=object)
        for fails, text in tests:
            texts = pandas.Series(text, index=sites.index)
            separator = reasons.map(lambda reason: ", " if reason else "")
            reasons = reasons.mask(fails, reasons + separator + texts)
        return reasons

    def describe(self, sites: pandas.DataFrame) -> str:
        """Text of the criteria and of the values that were found in sites."""
        wanted = {
            "categories": ("category", self.categories),
            "statuses": ("status", self.statuses),
            "realms": ("realm", self.realms),
        }
        return "; ".join(
            f"{setting} found {tally(sites[column])}, wanted {', '.join(values)} (tiles.{setting})"
            for setting, (column, values) in wanted.items()
        )


def tally(values: pandas.Series) -> str:
    """Values and how often they occur, the most frequent first."""
    return ", ".join(f"{value or 'none'} {n}" for value, n in values.value_counts().items())


def _among(values: pandas.Series, wanted: Sequence[str]) -> pandas.Series:
    return values.str.casefold().isin([value.casefold() for value in wanted])


def _named(sites: pandas.DataFrame, column: str) -> pandas.Series:
    plural = {"category": "categories", "status": "statuses", "realm": "realms"}[column]
    return column + " " + sites[column].replace("", "unknown") + f" (tiles.{plural})"
