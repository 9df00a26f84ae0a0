"""The waterfall in result.json and in words."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from verify.waterfall.records import BallRow, BetaTerm, Link, Waterfall

NOTE = (
    "Every link divides neighboring bounds of the proof, so the product of the ratios is the total, exactly up to rounding. "
    "Numbers are floating point with estimated errors; no verdict depends on them. A link that is not an inequality of the proof "
    "may also gain: its ratio may be below 1."
)


def waterfall_json(found: Waterfall | None) -> dict[str, Any] | None:
    """The entry "waterfall" of result.json; None without a certified run."""
    if found is None:
        return None
    return {
        "rigor": "floating point",
        "chains": [
            {
                "claim": chain.claim,
                "title": chain.title,
                "reading": chain.reading,
                "where": chain.where,
                "measured": chain.measured,
                "bound": chain.bound,
                "total": chain.total,
                "unit": chain.unit,
                "links": [{**_json(link), "contradicted": link.contradicted} for link in chain.links],
            }
            for chain in found.chains
        ],
        "ball": [_json(row) for row in found.ball],
        "beta_terms": [_json(term) for term in found.beta_terms],
        "without_chain": [{"what": what, "reason": reason} for what, reason in found.omitted],
    }


def _json(record: Link | BallRow | BetaTerm) -> dict[str, Any]:
    """The fields; null for a number that is not finite: an error of which nothing is known."""
    fields = dataclasses.asdict(record)
    return {name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in fields.items()}


def reading_lines(found: Waterfall | None) -> list[str]:
    """Each chain in one sentence, and any link that is contradicted."""
    if found is None:
        return []
    lines = [f"{chain.claim} {chain.reading}" for chain in found.chains]
    for chain in found.chains:
        for link in chain.links:
            if link.contradicted:
                lines.append(
                    f'{chain.claim}: the link "{link.name}" is {link.ratio:.6g} +- {link.error:.1g}, below 1: an inequality of the '
                    "proof is broken"
                )
    return lines
