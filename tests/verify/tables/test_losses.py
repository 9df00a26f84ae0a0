"""A-priori tables for every loss and for widths in ratios, against routes that share nothing with them but the definitions."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from theorems.catalogue import theorem
from theorems.losses import LOSSES, RIDGED_LOSSES
from verify.tables.grid import grid_from_mapping, tables_of
from verify.tables.records import Row

APRIORI = {
    "kind": "apriori",
    "activation": "tanh",
    "width": 10**12,
    "law": "gaussian",
    "dimension": 6,
    "points": 8,
    "lambda0": "1/10",
}
DIGITS = {"source": "digits", "classes": [3, 8], "points": 6}
FORMULAS = {
    "log_cosh": lambda y, t, ridge: np.log(np.cosh(y - t)) + ridge * (y - t) ** 2 / 2,
    "pseudo_huber": lambda y, t, ridge: np.sqrt(1 + (y - t) ** 2) - 1 + ridge * (y - t) ** 2 / 2,
    "logistic": lambda y, t, ridge: np.log1p(np.exp(-t * y)) + ridge * y**2 / 2,
}


def rows(**block) -> dict[str, Row]:
    (table,) = tables_of(grid_from_mapping({"table": [block]}))
    found = {row.constant: row for row in table.rows}
    assert len(found) == len(table.rows)
    return found


def number(row: Row) -> float:
    return float(Fraction(row.value))


def test_there_is_a_formula_here_for_every_loss_with_a_ridge() -> None:
    assert set(FORMULAS) == set(RIDGED_LOSSES)
    assert set(LOSSES) == {"square", "weighted_square"}


@pytest.mark.parametrize("name", sorted(FORMULAS))
@pytest.mark.parametrize("ridge", ["1/10", "1"])
def test_constants_of_a_loss_against_its_formula(name, ridge) -> None:
    found = rows(**APRIORI, loss=name, targets=[-1, 1], ridge=ridge, constants=["L", "mu", "s0"])
    size = float(Fraction(ridge))

    def loss(y: float, t: float) -> float:
        return float(FORMULAS[name](y, t, size))

    excess = []
    for t in (-1.0, 1.0):
        best = minimize_scalar(lambda y, t=t: loss(y, t), bounds=(-9, 9), method="bounded", options={"xatol": 1e-10})
        excess.append(loss(0.0, t) - best.fun)
    mu, smoothness = number(found["mu"]), number(found["L"])
    assert number(found["s0"]) == pytest.approx(math.sqrt(2 * max(excess) / mu), rel=1e-7)
    grid, h = np.linspace(-30, 30, 6001), 1e-3
    with np.errstate(over="ignore"):
        bends = [
            (FORMULAS[name](grid + h, t, size) - 2 * FORMULAS[name](grid, t, size) + FORMULAS[name](grid - h, t, size)) / h**2
            for t in (-1, 1)
        ]
    assert mu - 1e-6 <= np.min(bends) <= mu * 1.01 + 1e-4
    assert smoothness * 0.99 <= np.max(bends) <= smoothness + 1e-6


def test_doubling_a_loss_halves_the_step_and_changes_nothing_else() -> None:
    """(y - t)^2 is twice the square loss: L = mu = 2, the same residual, quotient, path and rate."""
    target = {"targets": ["-1/2", "3/4"]}
    one, two = rows(**APRIORI, **target), rows(**APRIORI, **target, loss="(y - t)**2")
    assert (two["L"].value, two["mu"].value, two["s0"].value) == ("2", "2", "0.75")
    for name in ("lambda_max", "s0", "R", "beta", "q", "Lambda", "least_width"):
        assert two[name].value == one[name].value
    assert number(two["certified_step"]) <= number(one["certified_step"]) / 2 * (1 + 1e-9)
    assert number(two["eta"]) <= number(one["eta"]) / 2 * 2.001  # A0 admits up to twice 1/(L Lambda)
    assert one["rate"].value  # the square loss has its own theorem on B(R*)
    assert "rate" not in two


@pytest.mark.parametrize("name", sorted(FORMULAS))
def test_what_a_row_certifies_passes_its_theorem_in_plain_doubles(name) -> None:
    found = rows(**APRIORI | {"width": 10**9}, loss=name, targets=[-1, 1])
    record = theorem(found["certified_rate"].note.removeprefix("Theorem "))
    assert found["certified_rate"].source.startswith(f"Theorem {record.id}")
    assert found["certified_rate"].formula == str(next(c.expression for c in record.constants if c.name == "rate"))
    assert {found[f"certified_{part}"].status for part in ("step", "radius", "q", "path", "rate")} == {"proved"}
    values = {part: number(found[f"certified_{part}"]) for part in ("step", "radius", "q", "path", "rate")}
    assert values["q"] < 1
    assert values["path"] < values["radius"]
    assert 0 < values["rate"] < 1
    # mu lambda0 eta is the most that any step can gain: 1 - 2 eta mu lambda0 bounds every rate from below.
    assert 1 - values["rate"] <= 2 * values["step"] * number(found["mu"]) * 0.1
    assert values["step"] < 2 / (number(found["L"]) * number(found["lambda_max"]))
    assert number(found["q"]) == pytest.approx(2 * number(found["beta"]) * number(found["s0"]) / 0.1, rel=1e-9)
    assert found["q"].applies == "yes"


def test_data_sets_with_weights() -> None:
    """Equal weights are the square loss; balanced ones are other numbers, and those of a hand-made list."""
    block = {
        "kind": "apriori",
        "activation": "tanh",
        "width": 10**9,
        "data": DIGITS,
        "lambda0": "1/1000",
        "constants": ["L", "s0", "lambda_max", "q", "R"],
    }
    plain = rows(**block)
    equal = rows(**block, loss="weighted_square", loss_weights=[2] * 6)
    for name, row in plain.items():
        assert equal[name].value == row.value
    heavy = rows(**block, loss="weighted_square", loss_weights=[9, 1, 1, 1, 1, 1])
    assert heavy["lambda_max"].value != plain["lambda_max"].value
    assert rows(**block, loss="weighted_square", loss_weights="balanced")["L"].value == "1"


def test_a_loss_on_a_data_set_takes_its_targets_from_there() -> None:
    block = {"activation": "tanh", "width": 10**9, "lambda0": "1/10", "loss": "logistic", "constants": ["s0", "L", "mu"]}
    on_data = rows(kind="apriori", data=DIGITS, **block)
    of_law = rows(**APRIORI | block, targets=[-1, 1])
    assert {name: row.value for name, row in on_data.items()} == {name: row.value for name, row in of_law.items()}


def test_widths_in_ratios() -> None:
    """[2, 2] at m is [1, 1] at 2m; layers and hidden say the same of equal widths; [4, 1] is no better than [4, 4]."""
    both = rows(**APRIORI, hidden=[2, 2])
    equal = rows(**APRIORI | {"width": 2 * 10**12}, layers=3)
    for name, row in equal.items():
        if name != "least_width":
            assert both[name].value == row.value
    assert int(both["least_width"].value) == -(-int(equal["least_width"].value) // 2)
    assert dict(equal["q"].inputs)["hidden"] == "[1, 1]"
    narrow = rows(**APRIORI, hidden=[4, 1], constants=["q", "beta"])
    wide = rows(**APRIORI, hidden=[4, 4], constants=["q", "beta"])
    assert number(wide["q"]) < number(narrow["q"])


def test_no_certificate_is_no_number() -> None:
    found = rows(**APRIORI | {"width": 4})
    for part in ("step", "radius", "q", "path", "rate"):
        row = found[f"certified_{part}"]
        assert (row.value, row.lower, row.status) == ("", "", "not certified")
        assert "q" in row.note
    assert found["q"].applies.startswith("no:")
