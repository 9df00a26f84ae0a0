"""Tables of drawn networks: counted probabilities and measured constants, against scipy and plain numpy."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest

from numerics.network import initialize
from theorems.apriori.budget import EVENTS
from verify.data import load_data
from verify.drawn.eigenvalue import eigenvalue_curve
from verify.problem import load_problem, problem_from_mapping
from verify.tables.check import check_file
from verify.tables.findings import Kind
from verify.tables.formats import FORMATS
from verify.tables.grid import grid_from_mapping, load_grid, tables_of
from verify.tables.records import Row
from verify.verification import certify_only
from verify.weights import architecture_of

ROOT = Path(__file__).resolve().parents[3]
DATA = {"source": "digits", "classes": [3, 8], "points": 8}
COUNTED = {"kind": "monte_carlo", "activation": "tanh", "width": 24, "data": DATA, "draws": 40, "seed": 3, "epsilon": ["1/10", 0]}
CERTIFIED = {"data": DATA, "network": {"activation": "softplus", "trained": [1], "hidden": [1024]}}


def rows(**block) -> dict[str, Row]:
    (table,) = tables_of(grid_from_mapping({"table": [block]}))
    return {row.constant: row for row in table.rows}


def test_limits_are_those_of_scipy_for_counts_of_the_experiment() -> None:
    found = rows(**COUNTED, confidence="9/10")
    problem = problem_from_mapping({"data": DATA, "network": {"hidden": [24]}})
    curve = eigenvalue_curve(problem, load_data(problem.data), [24], 40, 3)
    for epsilon in (Fraction(1, 10), Fraction(0)):
        row = found[f"eigenvalue_probability[{epsilon}]"]
        count = curve.at_least(curve.samples[0], epsilon)
        assert row.note == f"{count.certain} of 40 draws"
        assert row.status == "Monte Carlo (seed 3, count 40, confidence 9/10)"
        exact = binomtest(count.certain, 40).proportion_ci(0.9, method="exact")
        assert float(row.lower) == pytest.approx(exact.low, rel=1e-9)
        assert float(row.upper) == pytest.approx(exact.high, rel=1e-9)
        assert row.rounded == "down"
        assert Fraction(row.value) <= Fraction(row.lower)


def test_events_are_those_of_the_budget_and_their_verdict_is_told() -> None:
    found = rows(**COUNTED | {"hidden": [1, 1], "draws": 12, "failure_probability": "9/10"})
    events = {name[8:-1] for name in found if name.startswith("failure[")}
    assert events == {"operator_norms", "signals", "units", "columns", "leave_one_out", "any of the events"}
    assert events - {"any of the events"} <= set(EVENTS)
    for name in events:
        row = found[f"failure[{name}]"]
        share = "9/10" if name.startswith("any") else "9/50"
        assert re.fullmatch(rf"\d+ of 12 draws; stated: at most {share}: (HOLDS|UNDECIDED)", row.note)
        assert row.rounded == "up"
        assert Fraction(row.value) >= Fraction(row.upper)


def test_an_activation_without_bounds_has_no_events_but_its_eigenvalue() -> None:
    found = rows(**COUNTED | {"activation": "relu", "draws": 3})
    assert set(found) == {"lambda_limit", "eigenvalue_probability[1/10]", "eigenvalue_probability[0]"}


def test_a_singular_limit_has_no_ratio() -> None:
    more_points_than_dimensions = {"source": "gaussian", "dimension": 2, "points": 8}
    found = rows(**COUNTED | {"activation": "identity", "bias_scale": 0, "draws": 2, "data": more_points_than_dimensions})
    assert found["lambda_limit"].value == "0"
    assert found["eigenvalue_probability[0]"].status == "does not exist"


def test_a_changed_count_is_noticed(tmp_path) -> None:
    text = FORMATS["csv"](tables_of(grid_from_mapping({"table": [COUNTED | {"draws": 20}]})))
    path = tmp_path / "t.csv"
    path.write_text(text, encoding="utf-8", newline="")
    assert check_file(path).status == 0
    for old, new in (("of 20 draws", "of 21 draws"), ("seed 3,", "seed 4,"), ("confidence 19/20", "confidence 99/100")):
        path.write_text(text.replace(old, new, 1), encoding="utf-8", newline="")
        found = check_file(path)
        assert found.status == 1
        assert found.count(Kind.WRONG) == 1


def test_measured_constants_against_numpy_and_the_product() -> None:
    found = rows(kind="measured", problem=CERTIFIED, seed=5)
    problem = problem_from_mapping({**CERTIFIED, "network": {**CERTIFIED["network"], "seed": 5}})
    data = load_data(problem.data)
    architecture = architecture_of(problem.network, data.dimension, data.outputs)
    theta = initialize(architecture, problem.network.output_layer, 5)
    first, second = architecture.weight(theta, 1), architecture.weight(theta, 2)
    z = data.inputs @ first.T / np.sqrt(data.dimension)
    slopes = second[0] / (1 + np.exp(-z))
    kernel = (slopes @ slopes.T) / 1024 * (data.inputs @ data.inputs.T) / data.dimension / data.points
    eigenvalues = np.linalg.eigvalsh(kernel)
    assert float(found["lambda0"].value) == pytest.approx(eigenvalues[0], rel=1e-6)
    assert float(found["lambda_max"].value) == pytest.approx(eigenvalues[-1], rel=1e-6)
    assert float(found["s0"].value) == pytest.approx(1, rel=1e-7)
    beta, q, radius = (float(found[name].value) for name in ("beta", "q", "R"))
    assert q == pytest.approx(2 * beta / eigenvalues[0], rel=1e-6)
    assert radius == pytest.approx(2 / np.sqrt(eigenvalues[0]), rel=1e-6)
    certificate = certify_only(problem).start
    assert certificate.certified
    assert certificate.theorem is not None
    for part, name in (("step", "eta"), ("radius", "R"), ("q", "q"), ("path", "rbar"), ("rate", "rate")):
        row = found[f"certified_{part}"]
        assert (row.status, row.note) == ("floating point", f"Theorem {certificate.theorem.id}")
        assert Fraction(row.lower) <= certificate.constants[name].lower
        assert certificate.constants[name].upper <= Fraction(row.upper)


def test_measured_refusals() -> None:
    found = rows(kind="measured", problem={"data": DATA, "network": {"activation": "relu", "hidden": [8]}})
    assert {row.value for row in found.values()} == {""}
    assert {row.status for row in found.values()} == {"does not exist", "not certified"}
    flat = rows(kind="measured", problem={"data": DATA, "loss": {"name": "logistic", "ridge": 0.0}})
    assert flat["lambda0"].value
    assert flat["q"].status == "does not exist"
    assert "ridge > 0" in flat["q"].note
    small = rows(kind="measured", problem={"data": DATA}, hidden=[8])
    assert small["certified_rate"].status == "not certified"
    assert small["q"].applies == "no: q"


def test_a_problem_file_is_written_out_in_the_row_and_its_data_found_again(tmp_path) -> None:
    """The grid, the problem and its data in three folders; a check of the table stands without the problem file."""
    points = np.random.default_rng(0).normal(size=(5, 3))
    deep = tmp_path / "problems" / "data"
    deep.mkdir(parents=True)
    np.savez(deep / "points.npz", X=points, y=np.array([1.0, -1, 1, -1, 1]))
    problem = tmp_path / "problems" / "p.toml"
    problem.write_text('[data]\nsource = "data/points.npz"\npoints = 5\n[network]\nhidden = [16]\n', encoding="utf-8")
    grid = tmp_path / "grid.toml"
    grid.write_text('[[table]]\nkind = "measured"\nproblem = "problems/p.toml"\nconstants = ["lambda0", "q"]\n', encoding="utf-8")
    tables = tables_of(load_grid(grid))
    assert '"problems/data/points.npz"' in dict(tables[0].rows[0].inputs)["problem"]
    path = tmp_path / "t.csv"
    path.write_text(FORMATS["csv"](tables), encoding="utf-8", newline="")
    problem.unlink()
    assert check_file(path).status == 0


def test_examples_of_problem_files_are_measured() -> None:
    problem = load_problem(ROOT / "examples" / "three_classes.toml")
    (table,) = tables_of(grid_from_mapping({"table": [{"kind": "measured", "problem": "examples/three_classes.toml"}]}, ROOT))
    shown = {row.constant: row for row in table.rows}
    assert shown["lambda_max"].value
    assert dict(table.rows[0].inputs)["seed"] == str(problem.network.seed)
