"""What ``overparam check`` prints of an outcome, and its exit status."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from fractions import Fraction
from pathlib import Path

from verify.certificate_consequences import Consequences
from verify.checker import Outcome
from verify.rigor import shown_probability

CHOSEN = "the points are independent draws and theta0, loss and radii were chosen without them"
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
        factor = rounded(certificate.conclusions["residual_factor_at_most"], ROUND_CEILING)
        accepted = f"{path}: accepted, Theorem {certificate.theorem}, {proved}"
        line = f"{accepted}; residual factor per step at most {factor}; {_follows(outcome)}"
        if certificate.inexact is None:
            return line
        error = rounded(certificate.inexact.gradient_error, ROUND_FLOOR)
        steps, floor = certificate.inexact.steps, rounded(certificate.inexact.floor, ROUND_CEILING)
        assumed = f"for gradients that err by at most {error}, which is not checked"
        return f"{line}; Theorem A1: {assumed}, {steps} steps, residual floor {floor}"
    verdict = "not decided" if outcome.undecided else "rejected"
    return f"{path}: {verdict} at {outcome.first_failure}: {outcome.reason} (after {proved})"


def _follows(outcome: Outcome) -> str:
    """Which consequences are among the statements."""
    judged = outcome.certificate.consequences.generalization
    if judged is None:
        return "bounds of B1-B5 and C1-C3 follow"
    largest = judged.choices.largest
    expected = rounded(judged.terms["expected_loss_at_most"], ROUND_CEILING)
    vacuous = f", which is vacuous, for the loss is at most {largest:g}" if judged.vacuous else ""
    failing = shown_probability(Fraction(judged.choices.failure_probability), 4)
    assumed = f"but for a probability of {failing}, if {CHOSEN}"
    return (
        f"bounds of B1-B5 and C1-C3 follow, and an expected {judged.choices.loss} loss at most {expected}{vacuous} (H1, {assumed})"
    )


def _numbers(found: Consequences[Fraction]) -> dict[str, object]:
    """The bounds of B, C and H, rounded up; null where nothing is claimed."""
    judged = found.generalization
    return {
        "implicit": _plain(vars(found.implicit)),
        "lazy": _plain(vars(found.lazy)),
        "generalization": None if judged is None else vars(judged.choices) | _plain(judged.terms),
    }


def _plain(values: Mapping[str, object]) -> dict[str, object]:
    return {name: _shown(value) for name, value in values.items()}


def _shown(value: object) -> object:
    if isinstance(value, tuple):
        return [_shown(item) for item in value]
    return rounded(value, ROUND_CEILING) if isinstance(value, Fraction) else value


def rounded(value: Fraction, rounding: str) -> str:
    """A rational in 15 digits, rounded in the direction in which what is said of it remains true."""
    return str(Context(prec=15, rounding=rounding).divide(Decimal(value.numerator), Decimal(value.denominator)))


def as_json(outcome: Outcome) -> str:
    """The outcome as a JSON object; what stands under not_checked was only read, and may be false in an accepted certificate."""
    certificate, inexact = outcome.certificate, outcome.certificate.inexact
    document = {
        "accepted": outcome.accepted,
        "decided": not outcome.undecided,
        "first_failure": outcome.first_failure,
        "reason": outcome.reason or None,
        "statements": outcome.statements,
        "theorem": certificate.theorem,
        "arrays": {"file": certificate.file, "sha256": certificate.sha256},
        "not_checked": {
            "step": certificate.step,
            "gradient_error": None if inexact is None else rounded(inexact.gradient_error, ROUND_FLOOR),
            "sample": None if certificate.consequences.generalization is None else CHOSEN,
        },
        "follows": _numbers(certificate.consequences) if outcome.accepted else None,
    }
    return json.dumps(document, indent=2)
