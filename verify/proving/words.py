"""A step of a proof in words: what a machine is asked, and how it answered. Light to import; nothing is tried here."""

from __future__ import annotations

from theorems.ledger import Compact, Evidence, Growth, Identity, Implication, Sampled
from verify.proving.outcome import Outcome, Status


def phrase(outcome: Outcome, evidence: Evidence) -> str:
    """The status in words that are the same on every machine: "proved by z3", "sampled, 400 instances without a violation"."""
    if outcome.status is Status.PROVED:
        return f"identity, by {outcome.by}" if isinstance(evidence, Identity) else f"proved by {outcome.by}"
    if outcome.status is Status.SAMPLED:
        return f"sampled, {outcome.count} instances without a violation"
    if outcome.status is Status.ASSUMED:
        return f"assumed: {outcome.detail}"
    return f"{outcome.status.name}: {outcome.detail}"


def describe(evidence: Evidence) -> dict[str, object]:
    """What a machine is asked, as text."""
    if isinstance(evidence, Implication):
        premises = [str(relation) for relation in evidence.premises]
        return {
            "name": evidence.name,
            "premises": premises,
            "conclusion": str(evidence.conclusion),
            "reduction": evidence.reduction,
        }
    if isinstance(evidence, Growth):
        interval = f"0 <= {evidence.variable} < {evidence.end}"
        return {"name": evidence.name, "nonnegative": str(evidence.expression), "interval": interval}
    if isinstance(evidence, Compact):
        intervals = [f"{low} <= {symbol} <= {high}" for symbol, low, high in evidence.box]
        return {"name": evidence.name, "positive": str(evidence.expression), "box": intervals, "reduction": evidence.reduction}
    if isinstance(evidence, Identity):
        return {"left": str(evidence.left), "right": str(evidence.right)}
    return {"sampler": evidence.sampler} if isinstance(evidence, Sampled) else {"source": evidence.source}
