"""The report as one HTML page: everything that result.json says, readable without a network, on a phone, in print, light and dark.

The page is rendered from the same records as the terminal report; no number is computed here.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from importlib.resources import files
from typing import Any

import jinja2
import markupsafe
import tomli_w

from verify.page.figures import Figure, figures_of
from verify.page.waterfall import COLUMNS as CHAIN_COLUMNS
from verify.page.waterfall import ball_table, beta_table, shown_chains, without_chain
from verify.report import (
    certificate_lines,
    number_shown,
    problem_lines,
    shown_above,
    shown_below,
    slack_shown,
    source_lines,
)
from verify.result import Verification
from verify.unseen_report import COLUMNS, unseen_lines, unseen_rows
from verify.verdict import CheckedClaim, Verdict
from verify.waterfall.document import NOTE

NORMALIZATIONS = (
    "Network in NTK parametrization: weights of variance 1, each layer divided by the root of its fan-in and multiplied by "
    "weight_scale; distances are those of the undivided weights.",
    "The objective is the mean over the points (1/n, or the sample weights), and the square loss carries 1/2: L = mu = 1.",
    "Kernels, lambda0, lambda_max, beta and Lambda carry the 1/n; the residual is a root mean square.",
    "Slack is bound over measured for an upper bound, measured over bound for a lower one.",
)
TILES = (
    ("rate", "factor per step", True),
    ("radius", "path length at most", True),
    ("q", "q at most", True),
    ("lambda0", "λ₀ at least", False),
)


def report_page(verification: Verification, document: dict[str, Any]) -> str:
    """Return the page as text.

    Arguments: ``document``, what ``verify.result.result_json`` says of the same verification.
    """
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    template = environment.from_string(_resource("report.html"))
    return template.render(
        document=document,
        headline=headline(verification),
        style=markupsafe.Markup(_resource("style.css")),
        problem=problem_lines(verification),
        tiles=list(_tiles(document)),
        statements=_grouped(certificate_lines(verification)),
        claims=[claim_row(claim) for claim in verification.claims],
        unseen=_grouped(unseen_lines(verification.unseen)),
        unseen_columns=COLUMNS,
        unseen_rows=unseen_rows(verification.unseen),
        figures=[{"caption": item.caption, "svg": markupsafe.Markup(item.svg)} for item in _figures(verification)],
        chains=shown_chains(verification.waterfall),
        chain_note=NOTE,
        chain_columns=CHAIN_COLUMNS,
        ball_rows=ball_table(verification.waterfall),
        beta_rows=beta_table(verification.waterfall),
        without_chain=without_chain(verification.waterfall),
        constants=[{"name": name, **value} for name, value in document["certificate"]["constants"].items()],
        normalizations=NORMALIZATIONS,
        sources=source_lines(verification),
        toml=tomli_w.dumps(document["problem"]),
    )


def headline(verification: Verification) -> str:
    """The outcome in one line; what is violated comes before what is certified."""
    counts, certificate = verification.counts, verification.certificate
    if counts[Verdict.VIOLATED]:
        return f"{counts[Verdict.VIOLATED]} checks violated"
    if not certificate.certified:
        return "Not certified"
    where = f"from step {certificate.step} on" if certificate.step else "from the start"
    left = f", {counts[Verdict.UNDECIDED]} checks undecided" if counts[Verdict.UNDECIDED] else ""
    return f"Certified {where}, {certificate.rigor.value}{left}"


def _tiles(document: dict[str, Any]) -> Iterable[tuple[str, str]]:
    certificate = document["certificate"]
    if not certificate["certified"]:
        return
    yield "certification step", str(certificate["step"])
    for name, label, above in TILES:
        constant = certificate["constants"][name]
        digits = 8 if name == "rate" else 4
        yield label, shown_above(_exact(constant["upper"]), digits) if above else shown_below(_exact(constant["lower"]), digits)


def _exact(decimal: str) -> Fraction:
    return Fraction(Decimal(decimal))


def _grouped(lines: list[str]) -> list[tuple[str, list[str]]]:
    """Indented lines belong to the line before them."""
    groups: list[tuple[str, list[str]]] = []
    for line in lines:
        if line.startswith(" ") and groups:
            groups[-1][1].append(line.strip())
        else:
            groups.append((line.strip(), []))
    return groups


def claim_row(claim: CheckedClaim) -> dict[str, str]:
    """What the table of claims shows of one, as text."""
    checks = sum(count for kind, count in claim.counts.items() if kind is not Verdict.NOT_APPLICABLE)
    told = claim.verdict is not Verdict.HOLDS or ";" in claim.reason  # it says more than the verdict
    return {
        "id": claim.id,
        "statement": claim.statement,
        "bound": number_shown(claim.bound, above=not claim.lower),
        "measured": number_shown(claim.measured, above=not claim.lower),
        "slack": slack_shown(claim.slack),
        "step": "" if claim.step is None else str(claim.step),
        "checks": str(checks) if checks else "",
        "verdict": claim.verdict.name,
        "outcome": claim.outcome,
        "remark": claim.reason if told else "",
    }


def _figures(verification: Verification) -> list[Figure]:
    return figures_of(verification) if verification.run is not None else []


def _resource(name: str) -> str:
    return (files("verify.page") / name).read_text(encoding="utf-8")
