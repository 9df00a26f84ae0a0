"""The experiments beside "assumption": tiny grids against the functions of the product, and the pages that are shipped."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from verify.evidence import catalogue, certification, generalization, implicit, lazy, regimes
from verify.evidence.findings import Findings, as_csv
from verify.evidence.tabulated import by_draw, claim_counts, doubts, total_counts, verdict_line
from verify.evidence.team import Team
from verify.implicit import implicit_regularization
from verify.lazy import lazy_training
from verify.measured import measured_steps
from verify.problem import problem_from_mapping
from verify.run import measure_run
from verify.setup import prepare
from verify.verdict import CheckedClaim, Verdict
from verify.verification import silent, start_certificate, verify

ROOT = Path(__file__).parents[3]
TABULATED = [name for name in catalogue.EXPERIMENTS if name != "assumption"]
TINY: dict[str, Any] = {
    "certification": certification.Grid((4,), (2,), (16,), 1),
    "generalization": generalization.Grid((("digits", (3, 8)),), (300,), (32,), 1, (3, 6)),
    "implicit": regimes.Grid(((2, 1.0), (2, 64.0)), (32,), 1, 1e-4, 3000),
    "lazy": regimes.Grid(((2, 1.0), (2, 64.0)), (32,), 1, 1e-4, 3000),
}
LARGEST_FIGURE = 150_000


@pytest.fixture(scope="module")
def found() -> dict[str, Findings]:
    return {name: replace(catalogue.EXPERIMENTS[name], quick=grid).run(True, 2, Team()) for name, grid in TINY.items()}


def value_of(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text or None


def rows_from(text: str) -> list[dict[str, Any]]:
    return [{name: value_of(cell) for name, cell in row.items()} for row in csv.DictReader(text.splitlines())]


def body(page: str) -> str:
    """Without the versions."""
    return page[page.index("## What was run") :]


@pytest.mark.parametrize("name", TINY)
def test_every_page_says_what_was_run_seen_and_not_seen(found, name) -> None:
    findings = found[name]
    assert re.findall("^## (.*)", findings.page, re.MULTILINE) == ["What was run", "What was seen", "What was not seen"]
    assert set(re.findall(r"\]\(\.\./figures/([^)]+\.svg)\)", findings.page)) == set(findings.figures)
    for row in findings.rows:
        assert set(row) <= set(findings.columns)
    for line in (line for line in findings.page.splitlines() if line.startswith("| ")):
        assert "nan" not in line
    assert findings.counts == total_counts(findings.rows)
    assert findings.counts[Verdict.VIOLATED] == 0


@pytest.mark.parametrize("name", TINY)
def test_the_page_is_a_function_of_the_table(found, name) -> None:
    findings = found[name]
    rows = rows_from(as_csv(findings))
    assert catalogue.EXPERIMENTS[name].page(rows, True, 2) == findings.page


def test_everything_follows_from_the_seed() -> None:
    grid = regimes.Grid(((2, 64.0),), (32,), 1, 0.1, 100)
    assert lazy.measure(grid, 2, Team()) == lazy.measure(grid, 2, Team()) != lazy.measure(grid, 3, Team())


def test_a_run_of_certification_is_that_of_verify(found) -> None:
    row = found["certification"].rows[0]
    mapping = {
        "data": {"points": 4, "seed": 2},
        "network": {"hidden": [16], "seed": row["network_seed"]},
        "training": {"steps": certification.STEPS, "stop_residual": certification.STOP_RESIDUAL},
    }
    whole = verify(problem_from_mapping(mapping))
    assert whole.run is not None
    assert row["certification_step"] == whole.certificate.step
    assert row["certification_residual"] == whole.run.trajectory.residual[whole.certificate.step]
    assert row["width_estimate"] == whole.start.failure.remedies["width_estimate"]
    assert f"q = {row['q_start']:.4g}" in whole.start.failure.detail
    assert row["holds"] <= sum(claim.verdict is Verdict.HOLDS for claim in whole.claims)


def test_the_bounds_of_lazy_training_are_those_of_its_claims(found) -> None:
    plain, scaled = found["lazy"].rows
    assert plain["start_certified"] == 0
    assert plain.get("holds") is None
    assert scaled["start_certified"] == 1
    for column, _, _ in lazy.MEASURED:
        assert 0 < scaled[column] <= scaled[f"{column}_bound"]
        assert plain.get(f"{column}_bound") is None
    (_, problem) = list(regimes.problems(TINY["lazy"], 2))[1]
    setup, theta0 = prepare(problem)
    start, eta = start_certificate(setup, theta0)
    run = measure_run(setup, theta0, start, eta, silent)
    steps = measured_steps(setup, start, run, eta)
    claimed = lazy_training(setup, start, theta0, steps, [step for step, _ in run.drifts])
    bounds = {claim.id: claim.bound for claim in claimed.claims}
    assert scaled["weight_change_bound"] == pytest.approx(bounds["C2"], rel=1e-9)
    assert scaled["linear_gap_bound"] == pytest.approx(bounds["C3"] / steps.residual[0], rel=1e-9)
    size = float(np.linalg.norm(theta0))
    for name in ("layer", "neuron"):  # of the claims, each divided by the smallest norm
        assert scaled[f"{name}_change"] <= scaled[f"{name}_change_bound"]
    smallest = min(float(np.linalg.norm(setup.architecture.layer(theta0, i))) for i in (1, 2))
    assert scaled["layer_change_bound"] == pytest.approx(bounds["C2-layers"] / smallest, rel=1e-9)
    assert scaled["neuron_change"] == pytest.approx(
        max(float(x.max()) for c in claimed.changes for x in c.neurons_relative), rel=1e-9
    )
    assert scaled["weight_change"] == pytest.approx(max(change.absolute for change in claimed.changes) / size, rel=1e-9)
    gaps = claimed.values["linear_gap"]
    measured = scaled["linear_gap"] * steps.residual[0]
    assert gaps.lower.max() <= measured * (1 + 1e-9)
    assert measured <= gaps.upper.max() * (1 + 1e-9)


def test_implicit_starts_where_the_run_is_certified(found) -> None:
    plain, scaled = found["implicit"].rows
    assert plain["reference_step"] > 0 == scaled["reference_step"]
    for row in (plain, scaled):
        assert row["ratio"] == row["travelled"] / row["dist"]
        assert row["outside"] <= row["outside_bound"]
        assert row["deviation"] <= row["deviation_bound"]
        if row["excess"] is not None:
            assert row["ratio"] - 1 == pytest.approx(row["excess"], abs=1e-9)
    assert any(row["excess"] is not None for row in (plain, scaled))
    (_, problem) = list(regimes.problems(TINY["implicit"], 2))[1]
    setup, theta0 = prepare(problem)
    start, _ = start_certificate(setup, theta0)
    whole = implicit_regularization(setup, start, theta0, implicit.MOST_STEPS)
    assert whole.nearest.found is not None
    assert scaled["dist"] == pytest.approx(whole.nearest.found.distance, rel=1e-9)
    assert scaled["deviation"] == pytest.approx(
        float(np.linalg.norm(whole.end.theta - whole.nearest.found.theta)) / scaled["dist"], rel=1e-6
    )


def test_generalization_adds_up(found) -> None:
    for row in found["generalization"].rows:
        terms = row["linear_term"] + row["curvature_term"] + row["deviation_term"]
        assert row["bound_of_gap"] == pytest.approx(terms, rel=1e-12)
        assert row["bound"] == pytest.approx(row["train_loss"] + terms, rel=1e-9)
        assert row["gap"] == row["test_loss"] - row["train_loss"]
        assert row["vacuous"] == (row["bound"] >= generalization.LARGEST)
        assert row["distance"] <= row["radius"]
        assert row["held_out"] == 357 - row["points"]


def test_claims_are_counted_by_their_verdict_and_named_where_in_doubt() -> None:
    def claim(name: str, verdict: Verdict) -> CheckedClaim:
        return CheckedClaim(name, "", "A", 1.0, 1.0, 0.0, 1.0, 0, {}, verdict, "")

    verdicts = [Verdict.HOLDS, Verdict.HOLDS, Verdict.UNDECIDED, Verdict.VIOLATED, Verdict.NOT_APPLICABLE]
    counts = claim_counts([claim(f"c{i}", verdict) for i, verdict in enumerate(verdicts)])
    assert counts == {"violated": 1, "undecided": 1, "holds": 2, "not_applicable": 1, "doubtful": "c2 c3"}
    rows = [{**counts, "width": 8}, {"width": 16}]
    assert "| 8 | c2 c3 |" in doubts(rows, "width")
    assert doubts([{**counts, "doubtful": None}], "width") == ""
    assert verdict_line(rows) == "Verdicts: 1 VIOLATED, 1 UNDECIDED, 2 HOLDS, 1 NOT_APPLICABLE."
    undecided = Findings([{"undecided": 1}], (), {}, total_counts([{"undecided": 1}]), {}, "")
    assert undecided.status == 3


def test_a_value_that_is_missing_stays_missing() -> None:
    rows = [{"draw": draw, "width": width, "x": None if width == 2 else draw} for draw in (0, 1) for width in (1, 2)]
    assert np.array_equal(by_draw(rows, "x", [1, 2]), [[0, np.nan], [1, np.nan]], equal_nan=True)


# What is shipped.


@pytest.mark.parametrize("name", TABULATED)
def test_the_page_shipped_is_made_from_the_table_shipped(name) -> None:
    folder = ROOT / "docs" / "evidence"
    text, page = (folder / f"{name}.csv").read_text(), (folder / f"{name}.md").read_text()
    rows = rows_from(text)
    experiment = catalogue.EXPERIMENTS[name]
    assert tuple(rows[0]) == experiment.columns
    assert body(page) == body(experiment.page(rows, False, 1))
    assert f"`overparam experiments {name} --seed 1`" in page
    for figure in re.findall(r"\]\(([^)]+\.svg)\)", page):
        assert 0 < (folder / figure).stat().st_size < LARGEST_FIGURE
    grid = experiment.full
    if isinstance(grid, regimes.Grid):
        assert len(rows) == len(grid.regimes) * len(grid.widths) * grid.draws


def test_the_summary_counts_what_the_pages_count() -> None:
    text = (ROOT / "docs" / "evidence.md").read_text()
    for name in catalogue.EXPERIMENTS:
        page = " ".join((ROOT / "docs" / "evidence" / f"{name}.md").read_text().split())
        stated = re.search(r"Verdicts: (\d+) VIOLATED, (\d+) UNDECIDED, (\d+) HOLDS, (\d+) NOT_APPLICABLE", page)
        assert stated is not None
        row = next(line for line in text.splitlines() if line.startswith(f"| [{name}](evidence/{name}.md) |"))
        assert [cell.strip() for cell in row.split("|")[-5:-1]] == list(stated.groups())
