"""The ledger for readers: a table in the terminal, and plain data for JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from theorems.records import Theorem
from verify.proving.ledger import TriedStep
from verify.proving.outcome import Outcome, Status
from verify.proving.words import describe

STYLES = {Status.PROVED: "green", Status.VIOLATED: "bold red", Status.UNDECIDED: "yellow"}
ATTAINED = 1e-12  # a margin below this is rounding


def print_ledger(theorems: Sequence[Theorem], tried: Sequence[TriedStep], console: Console) -> None:
    """One table a theorem, then the counts."""
    for theorem in theorems:
        table = Table(title=f"Theorem {theorem.id}: {theorem.title}", box=box.SIMPLE, title_justify="left", pad_edge=False)
        table.add_column("", justify="right")
        table.add_column("step", ratio=1)
        table.add_column("kind")
        table.add_column("status")
        table.add_column("by", max_width=10)
        table.add_column("time or\ncount", justify="right")
        table.add_column("worst\nmargin", justify="right", max_width=10)
        for item in tried:
            if item.theorem == theorem.id:
                table.add_row(*_cells(item))
        console.print(table)
    counts = counted(tried)
    shown = ", ".join(f"{number} {status.lower()}" for status, number in counts.items())
    evidence = len({item.step.evidence for item in tried})
    seconds = sum({item.step.evidence: item.outcome.seconds for item in tried}.values())
    console.print(f"{len(tried)} steps, of which {evidence} are distinct: {shown}; {seconds:.1f} s")


def counted(tried: Sequence[TriedStep]) -> dict[str, int]:
    """The number of steps by status, all statuses, starting from zero."""
    counts = Counter(item.outcome.status for item in tried)
    return {status.name: counts[status] for status in Status}


def as_document(tried: Sequence[TriedStep], status: int, exported: Sequence[str]) -> dict[str, object]:
    """The ledger as plain data."""
    steps = [
        {
            "theorem": item.theorem,
            "step": item.number,
            "statement": item.step.statement,
            "kind": item.step.kind,
            "evidence": describe(item.step.evidence),
            "status": item.outcome.status.name,
            "by": item.outcome.by,
            "detail": item.outcome.detail,
            "count": item.outcome.count,
            "worst_margin": item.outcome.margin,
            "seconds": round(item.outcome.seconds, 3),
        }
        for item in tried
    ]
    return {"schema": "overparam-ledger-1", "steps": steps, "counts": counted(tried), "status": status, "exported": list(exported)}


def _cells(item: TriedStep) -> list[str]:
    outcome, style = item.outcome, STYLES.get(item.outcome.status)
    status = f"[{style}]{outcome.status.name}[/{style}]" if style else outcome.status.name
    words = escape(item.step.statement)
    if outcome.status is not Status.PROVED and outcome.detail:
        words += f"\n[dim]{escape(outcome.detail)}[/dim]"
    amount = f"{outcome.count}" if outcome.count is not None else f"{outcome.seconds:.2f} s" if outcome.by else ""
    return [str(item.number), words, item.step.kind, status, outcome.by, amount, _margin(outcome)]


def _margin(outcome: Outcome) -> str:
    if outcome.margin is None:
        return ""
    return "attained" if 0 <= outcome.margin < ATTAINED else f"{outcome.margin:.2g}"
