"""Running the ledger: every step of every proof is put to what its evidence names."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from theorems.errors import InputError, nearest
from theorems.ledger import Assumed, Compact, Evidence, Growth, Identity, Implication, ProofStep, Sampled
from theorems.records import Theorem
from verify.proving.boxes import prove_on_box
from verify.proving.identities import check_identity
from verify.proving.implications import prove, prove_growth
from verify.proving.outcome import Outcome, Status
from verify.proving.samplers import SAMPLERS
from verify.proving.sampling import sample
from verify.proving.words import phrase


@dataclass(frozen=True)
class TriedStep:
    """A step of a theorem's proof with how it fared; number: from 1 in the theorem's proof."""

    theorem: str
    number: int
    step: ProofStep
    outcome: Outcome


def run_ledger(theorems: Sequence[Theorem]) -> Iterator[TriedStep]:
    """Try every step of the theorems, in order. Evidence that several steps share is tried once.

    Raises InputError for evidence that cannot be tried: an unknown sampler, a lemma that is not polynomial.
    """
    known: dict[Evidence, Outcome] = {}
    for theorem in theorems:
        for number, step in enumerate(theorem.proof, 1):
            if step.evidence not in known:
                known[step.evidence] = try_evidence(step.evidence)
            yield TriedStep(theorem.id, number, step, known[step.evidence])


def try_evidence(evidence: Evidence) -> Outcome:
    """Put one piece of evidence to its checker, and take the time."""
    start = time.perf_counter()
    outcome = _CHECKERS[type(evidence)](evidence)
    return dataclasses.replace(outcome, seconds=time.perf_counter() - start)


def exit_status(outcomes: Sequence[Outcome]) -> int:
    """0 when nothing is VIOLATED or UNDECIDED, 1 when something is VIOLATED, otherwise 3."""
    statuses = {outcome.status for outcome in outcomes}
    return 1 if Status.VIOLATED in statuses else 3 if Status.UNDECIDED in statuses else 0


def ledger_phrases(tried: Sequence[TriedStep]) -> dict[str, list[str]]:
    """For each theorem's id how the steps of its proof fared, in order, in words that are the same on every machine."""
    phrases: dict[str, list[str]] = {}
    for item in tried:
        phrases.setdefault(item.theorem, []).append(phrase(item.outcome, item.step.evidence))
    return phrases


def _sample(evidence: Sampled) -> Outcome:
    if evidence.sampler not in SAMPLERS:
        raise InputError(f"unknown sampler {evidence.sampler!r}{nearest(evidence.sampler, SAMPLERS)}")
    return sample(evidence.sampler, SAMPLERS[evidence.sampler], evidence.count)


def _assume(evidence: Assumed) -> Outcome:
    return Outcome(Status.ASSUMED, "", evidence.source)


_CHECKERS: dict[type, Callable[[Any], Outcome]] = {
    Implication: prove,
    Growth: prove_growth,
    Compact: prove_on_box,
    Identity: check_identity,
    Sampled: _sample,
    Assumed: _assume,
}
