"""Bands that a map of several members has beside their mean, and how readers find them."""

import rasterio

SD, AGREEMENT = "member_sd", "member_agreement"  # names of bands
# further bands of the score: of the members' mean score, and between score and member
ENTROPY, INFORMATION, BIT = "entropy", "mutual_information", "bit"
SHARE = "share of members"  # unit of the agreement
MEMBERS = "wildlens_members"  # tag: number of members


def band_named(dataset: rasterio.DatasetReader, name: str) -> int | None:
    """Number of the band of a name, from 1; None without one."""
    names = list(dataset.descriptions)
    return names.index(name) + 1 if name in names else None
