"""The experiment "assumption": events of a-priori budgets and the smallest eigenvalue at initialization, on drawn networks.

Events and conclusions of F at drawn weights, for networks of 2 to 4 layers; empirical moments of points drawn from laws; the matrix
Chernoff event for one hidden layer: these have verdicts. And lambda_min(K_0) against its limit over widths: evidence.
"""

from __future__ import annotations

from verify.evidence.assumption_figures import figures
from verify.evidence.assumption_grid import FULL, QUICK
from verify.evidence.assumption_page import page
from verify.evidence.assumption_results import measure
from verify.evidence.assumption_rows import COLUMNS, details_of, rows_of
from verify.evidence.findings import Experiment

ASSUMPTION = Experiment(
    name="assumption",
    summary="the events of the a-priori bounds on drawn networks, and the smallest NTK eigenvalue at initialization against width",
    quick=QUICK,
    full=FULL,
    measure=measure,
    columns=COLUMNS,
    figures=figures,
    page=page,
    rows=rows_of,
    details=details_of,
    counts=lambda results: results.counts,
)
