"""What the falsifier found, as text and as JSON."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

from theorems.records import Claim, Strength
from verify.falsify.falsification import Falsification
from verify.falsify.mutants import Fate, Trial
from verify.falsify.promises import Outcome

SCHEMA = 1
_LABELS = {
    Fate.KILLED: "killed",
    Fate.SURVIVES: "surviving",
    Fate.WEAKER: "weaker",
    Fate.UNTRIED: "not tried",
    Fate.NO_EFFECT: "without effect",
}


def as_text(result: Falsification) -> str:
    """The report: the verdict, the tightest instance of every claim, the mutants by their fate."""
    theorem, found = result.theorem, result.search
    lines = [f"Theorem {theorem.id}: {theorem.title}"]
    lines.append(f"{result.family.name}: {found.admitted} drawn instances met the hypotheses, {found.examined} points examined")
    lines += ["", *_verdict(result), "", "How much of each bound was used (1: attained):"]
    for claim in theorem.claims:
        best = found.tightest.get(claim.id)
        lines.append(f"  {claim.id:<18}" + ("no instance" if best is None else _tight(result, best.instance, best.outcome)))
    if result.trials is not None:
        lines += ["", *_mutants(result, result.trials)]
    return "\n".join(lines)


def _tight(result: Falsification, instance: Any, outcome: Outcome) -> str:
    return f"{outcome.ratio:<14.9g} at step {outcome.step}: {result.family.described(instance)}"


def _verdict(result: Falsification) -> list[str]:
    found, lines = result.search.counterexample, []
    if found is not None:
        outcome = found.outcome
        lines.append(f"COUNTEREXAMPLE to {outcome.claim}, decided in balls, shrunk:")
        lines.append(f"  measured {outcome.measured:.17g}, bound {outcome.bound:.17g}, at step {outcome.step}")
        lines.append(f"  {result.family.described(found.instance)}")
    else:
        lines.append("No counterexample.")
    if result.dominated is not None:
        rival = result.dominated
        at = ", ".join(f"{name} = {value}" for name, value in rival.values.items())
        lines.append(f"NOT SHARP: {rival.claim} is marked sharp, but at {at} its bound is {rival.bound:.6g} and a proved one")
        lines.append(f"  is {rival.smaller:.6g}: {rival.rival.statement}. Proof: {rival.rival.proof}.")
    if result.escaped:
        lines.append(f"NOT CONFIRMED SHARP: {len(result.escaped)} mutants by 1% survive in a theorem that is marked sharp:")
        lines += [f"  {_named(trial)}" for trial in result.escaped]
    elif result.trials is not None and result.theorem.strength is Strength.SHARP:
        lines.append("Marked sharp, and every stronger mutant by 1% of a constant, a hypothesis or a whole bound is killed.")
    return lines


def _named(trial: Trial) -> str:
    return f"{trial.mutant.target.value} {trial.mutant.name}, {trial.mutant.change}"


def _mutants(result: Falsification, trials: list[Trial]) -> list[str]:
    counts = Counter(trial.fate for trial in trials)
    lines = [f"{len(trials)} mutants: " + ", ".join(f"{counts[fate]} {label}" for fate, label in _LABELS.items())]
    lines.append("Killed:")
    for trial in trials:
        if trial.counterexample is not None:
            outcome = trial.counterexample.outcome
            lines.append(f"  {_named(trial)}: {outcome.claim}, ratio {outcome.ratio:.6g}")
    lines.append("Surviving, where a sharper theorem may exist (or a better attack):")
    for trial in trials:
        if trial.fate is Fate.SURVIVES:
            lines.append(f"  {_named(trial)}: tightest ratio {trial.ratio:.6g}")
    untried = [trial for trial in trials if trial.fate is Fate.UNTRIED]
    return lines + [f"Not tried, because no instance met its hypotheses: {_named(trial)}" for trial in untried]


def script(result: Falsification) -> tuple[str, Claim]:
    """The program of the counterexample, or of the tightest instance, and the claim that it is about."""
    claims = {claim.id: claim for claim in result.theorem.claims}
    found = result.search.counterexample
    if found is not None:
        instance, outcome = found.instance, found.outcome
    else:
        largest = max(item.outcome.ratio for item in result.search.tightest.values())
        best = next(item for item in result.search.tightest.values() if item.outcome.ratio >= largest - 1e-9)
        instance, outcome = best.instance, best.outcome
    claim = claims[outcome.claim]
    return result.family.script(result.theorem, instance, claim, outcome.step), claim


def as_json(result: Falsification) -> dict[str, Any]:
    """The report as a document; a number that is not finite is null."""
    found, rival = result.search.counterexample, result.dominated
    return {
        "schema": SCHEMA,
        "theorem": result.theorem.id,
        "strength": result.theorem.strength.name.lower(),
        "status": result.status,
        "family": result.family.name,
        "examples": result.examples,
        "seed": result.seed,
        "examined": result.search.examined,
        "admitted": result.search.admitted,
        "tightest": [_found(result, item.instance, item.outcome) for item in result.search.tightest.values()],
        "counterexample": None if found is None else _found(result, found.instance, found.outcome),
        "dominated": None
        if rival is None
        else {
            "claim": rival.claim,
            "by": rival.rival.statement,
            "proof": rival.rival.proof,
            "at": {name: float(value) for name, value in rival.values.items()},
            "bound": rival.bound,
            "proved_bound": rival.smaller,
        },
        "mutants": None if result.trials is None else [_trial(result, trial) for trial in result.trials],
        "not_confirmed_sharp": [_named(trial) for trial in result.escaped],
        "script": script(result)[0],
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _found(result: Falsification, instance: Any, outcome: Outcome) -> dict[str, Any]:
    return {
        "claim": outcome.claim,
        "step": outcome.step,
        "measured": _finite(outcome.measured),
        "bound": _finite(outcome.bound),
        "ratio": _finite(outcome.ratio),
        "violated": outcome.violated,
        "instance": result.family.as_json(instance),
    }


def _trial(result: Falsification, trial: Trial) -> dict[str, Any]:
    mutant, killer = trial.mutant, trial.counterexample
    return {
        "target": mutant.target.value,
        "name": mutant.name,
        "change": mutant.change,
        "percent": mutant.percent,
        "fate": trial.fate.name.lower(),
        "tightest_ratio": _finite(trial.ratio),
        "killed_by": None if killer is None else _found(result, killer.instance, killer.outcome),
    }
