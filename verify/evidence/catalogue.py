"""The experiments, by name: one file and one line each."""

from __future__ import annotations

from typing import Any

from theorems.errors import nearest
from verify.errors import ProblemError
from verify.evidence.assumption import ASSUMPTION
from verify.evidence.certification import CERTIFICATION
from verify.evidence.findings import Experiment
from verify.evidence.generalization import GENERALIZATION
from verify.evidence.implicit import IMPLICIT
from verify.evidence.lazy import LAZY
from verify.evidence.transfer import TRANSFER

EXPERIMENTS: dict[str, Experiment[Any, Any]] = {
    item.name: item
    for item in (
        ASSUMPTION,
        CERTIFICATION,
        IMPLICIT,
        GENERALIZATION,
        LAZY,
        TRANSFER,
    )
}


def experiment(name: str) -> Experiment[Any, Any]:
    """The experiment of that name. Raises ProblemError for an unknown one, naming the nearest."""
    if name not in EXPERIMENTS:
        known = ", ".join(EXPERIMENTS)
        raise ProblemError(f"NAME must be one of {known}, got {name!r}{nearest(name, EXPERIMENTS)}")
    return EXPERIMENTS[name]
