"""The experiment "assumption": events of a-priori budgets and the smallest eigenvalue at initialization, on drawn networks.

Events and conclusions of F at drawn weights, for networks of 2 to 4 layers; empirical moments of points drawn from laws; the matrix
Chernoff event for one hidden layer: these have verdicts. And lambda_min(K_0) against its limit over widths: evidence.
"""

from __future__ import annotations

from verify.evidence.assumption_figures import figures
from verify.evidence.assumption_grid import FULL, QUICK, Grid
from verify.evidence.assumption_page import page
from verify.evidence.assumption_results import measure
from verify.evidence.assumption_rows import COLUMNS, details_of, rows_of
from verify.evidence.findings import Experiment, Findings
from verify.evidence.team import Team


def run_grid(grid: Grid, quick: bool, seed: int, team: Team) -> Findings:
    """Measure a grid and put it into words and figures."""
    results = measure(grid, seed, team)
    team.progress("figures")
    return Findings(
        rows=rows_of(results),
        columns=COLUMNS,
        details=details_of(results),
        counts=results.counts,
        figures=figures(results),
        page=page(results, quick),
    )


def _run(quick: bool, seed: int, team: Team) -> Findings:
    return run_grid(QUICK if quick else FULL, quick, seed, team)


ASSUMPTION = Experiment(
    "assumption",
    "the events of the a-priori bounds on drawn networks, and the smallest NTK eigenvalue at initialization against width",
    _run,
)
