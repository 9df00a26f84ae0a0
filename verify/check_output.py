"""What ``overparam check`` prints of an outcome, and its exit status."""

from __future__ import annotations

import json
from pathlib import Path

from verify.checker import Outcome
from verify.checker_balls import show

ACCEPTED, REJECTED, UNDECIDED = 0, 1, 3


def exit_status(outcome: Outcome) -> int:
    """0 accepted, 1 rejected, 3 not decided: a statement about something that the checker does not derive."""
    if outcome.accepted:
        return ACCEPTED
    return UNDECIDED if outcome.undecided else REJECTED


def verdict_line(path: Path, outcome: Outcome) -> str:
    """One line: accepted and what is certified, or the first statement that is not proved and why."""
    certificate, proved = outcome.certificate, f"{outcome.statements} statements derived again from {outcome.certificate.file}"
    if outcome.accepted:
        factor = show(certificate.conclusions["residual_factor_at_most"])
        return f"{path}: accepted, Theorem {certificate.theorem}, {proved}; residual factor per step at most {factor}"
    verdict = "not decided" if outcome.undecided else "rejected"
    return f"{path}: {verdict} at {outcome.first_failure}: {outcome.reason} (after {proved})"


def as_json(outcome: Outcome) -> str:
    """The outcome as a JSON object."""
    certificate = outcome.certificate
    document = {
        "accepted": outcome.accepted,
        "decided": not outcome.undecided,
        "first_failure": outcome.first_failure,
        "reason": outcome.reason or None,
        "statements": outcome.statements,
        "theorem": certificate.theorem,
        "step": certificate.step,
        "arrays": {"file": certificate.file, "sha256": certificate.sha256},
    }
    return json.dumps(document, indent=2)
