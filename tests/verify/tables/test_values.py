"""The numbers in tables against values that none of this code produced, and against other routes."""

from __future__ import annotations

import csv
import io
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import sympy
from scipy.integrate import quad

from theorems.apriori.blueprint import blueprint
from theorems.apriori.budget import budget, event_counts
from theorems.apriori.threshold import best_width, beta_grows
from theorems.catalogue import THEOREMS
from verify.tables.apriori_known import prior_at
from verify.tables.grid import grid_from_mapping, tables_of
from verify.tables.records import Row, Table
from verify.tables.reference import REFERENCE, reference_grid
from verify.tables.statements import keys_of

ROOT = Path(__file__).resolve().parents[3]
FOUR_POINTS = [[1, 0], [0, 1], ["sqrt(1/2)", "sqrt(1/2)"], [-1, 0]]

# FACTS: E phi, E phi^2, exact gain.
MOMENTS = {
    "relu": (".39894228040143", ".5", "1.7128585504497"),
    "tanh": ("0", ".39429449039784", "1.5925374197228"),
    "sigmoid": (".5", ".29337903585809", "4.8013133720400"),
    "silu": (".20662096414191", ".35577551981735", "1.7871872221004"),
    "gelu": (".28209479177388", ".42522148257030", "1.7009262433633"),
}
# FACTS: activation, hidden layers, scales, K00, K01, K02, K03, K23, lambda_min (None: exactly 0).
KERNELS = [
    ("relu", 1, {}, [".5", ".079577471546", ".321434812705", "0", "-.032118577888"], ".07432571382"),
    ("relu", 2, {}, [".375", ".085713579535", ".223185880370", ".039788735773", ".034577405559"], ".09533309104"),
    ("erf", 1, {}, [".700885930281", "0", ".470673112933", "-.700885930281", "-.470673112933"], None),
    ("gelu", 1, {}, [".393180526104", ".026525823849", ".260017350848", "-.106819473896", "-.093536039745"], ".03601321535"),
    (
        "sin",
        1,
        {"weight_scale": "1.5", "bias_scale": "0.3"},
        ["2.603168908881", ".210492205345", "1.599956558484", "-1.826396834717", "-1.014181200687"],
        ".4380932",
    ),
    (
        "relu",
        1,
        {"weight_scale": "1.5", "bias_scale": "0.3"},
        ["2.823750000000", ".629923547200", "1.901959251586", "-.090755681597", "-.036420236058"],
        ".3958789",
    ),
]
PLACES = ("ntk[0,0]", "ntk[0,1]", "ntk[0,2]", "ntk[0,3]", "ntk[2,3]")


def table(**block) -> Table:
    (found,) = tables_of(grid_from_mapping({"table": [block]}))
    return found


def rows(**block) -> dict[str, Row]:
    return {row.constant: row for row in table(**block).rows}


def assert_printed(row: Row, printed: str) -> None:
    """Every number of the row is within one unit of the printed value's last digit."""
    unit = Fraction(1, 10 ** len(printed.partition(".")[2]))
    for text in (row.lower, row.upper, row.value):
        assert abs(Fraction(text) - Fraction(printed)) <= unit + Fraction(1, 10**11), (row.constant, text, printed)


@pytest.mark.parametrize("name", MOMENTS)
def test_gaussian_moments_are_those_of_facts(name: str) -> None:
    found = rows(kind="activation", activation=name, digits=14)
    for constant, printed in zip(("mean", "mean_square", "gain"), MOMENTS[name], strict=True):
        assert_printed(found[constant], printed)
        assert found[constant].rounded in ("nearest", "exact")


@pytest.mark.parametrize("name", ["leaky_relu(0.1)", "cos", "softplus", "s*exp(-s**2/2)", "leaky_relu(3)", "abs", "s**3 - s**2"])
@pytest.mark.parametrize("variance", ["1", "9/4"])
def test_gaussian_moments_by_quadrature(name: str, variance: str) -> None:
    functions = {
        "leaky_relu(0.1)": (lambda s: max(s, 0) + 0.1 * min(s, 0), lambda s: 1.0 if s > 0 else 0.1),
        "leaky_relu(3)": (lambda s: max(s, 0) + 3 * min(s, 0), lambda s: 1.0 if s > 0 else 3.0),
        "abs": (abs, lambda s: math.copysign(1.0, s)),
        "cos": (math.cos, math.sin),
        "softplus": (lambda s: np.logaddexp(0, s), lambda s: 1 / (1 + math.exp(-s))),
        "s*exp(-s**2/2)": (lambda s: s * math.exp(-s * s / 2), lambda s: (1 - s * s) * math.exp(-s * s / 2)),
        "s**3 - s**2": (lambda s: s**3 - s**2, lambda s: 3 * s**2 - 2 * s),
    }
    phi, slope = functions[name]
    sd = math.sqrt(Fraction(variance))

    def mean(f) -> float:
        density = lambda z: f(sd * z) * math.exp(-z * z / 2) / math.sqrt(2 * math.pi)  # noqa: E731
        return quad(density, -12, 0, epsabs=1e-12)[0] + quad(density, 0, 12, epsabs=1e-12)[0]

    found = rows(kind="activation", activation=name, variance=variance)
    first, second = mean(phi), mean(lambda s: phi(s) ** 2)
    for constant, wanted in (
        ("mean", first),
        ("mean_square", second),
        ("variance", second - first**2),
        ("slope_mean_square", mean(lambda s: slope(s) ** 2)),
        ("gain", (second - first**2) ** -0.5),
        ("second_moment_gain", second**-0.5),
    ):
        assert float(Fraction(found[constant].value)) == pytest.approx(wanted, rel=1e-8, abs=1e-9), constant


def test_suprema_round_up_and_what_does_not_exist_says_so() -> None:
    tanh = rows(kind="activation", activation="tanh", digits=9)
    exact = 4 / (3 * math.sqrt(3))
    assert tanh["curvature_bound"].rounded == "up"
    assert Fraction(tanh["curvature_bound"].lower) <= Fraction(exact) + Fraction(1, 10**15)
    assert Fraction(tanh["curvature_bound"].value) >= Fraction(exact)
    relu = rows(kind="activation", activation="relu")
    assert (relu["slope_bound"].value, relu["slope_bound"].rounded) == ("1", "exact")
    assert (relu["curvature_bound"].value, relu["curvature_bound"].status) == ("", "does not exist")
    square = rows(kind="activation", activation="s**2")
    assert square["slope_bound"].status == "does not exist"
    assert "unbounded" in square["slope_bound"].note


@pytest.mark.parametrize(("name", "depth", "scales", "entries", "smallest"), KERNELS, ids=lambda x: str(x)[:12])
def test_kernels_are_those_of_facts(name, depth, scales, entries, smallest) -> None:
    found = rows(kind="kernel", activation=name, hidden_layers=depth, points=FOUR_POINTS, digits=14, **scales)
    for place, printed in zip(PLACES, entries, strict=True):
        assert_printed(found[place], printed)
    last = found["ntk_lambda_min"]
    if smallest is None:
        assert (last.value, last.rounded) == ("0", "exact")
        assert "odd" in last.note
    else:
        assert last.rounded == "down"
        assert_printed(last, smallest)


def test_nngp_and_the_circle_are_those_of_facts() -> None:
    found = rows(kind="kernel", activation="relu", points=FOUR_POINTS, digits=14)
    for place, printed in (("nngp[0,0]", ".25"), ("nngp[0,1]", str(1 / (4 * math.pi))[:14]), ("nngp[0,2]", ".188852291232")):
        assert_printed(found[place], printed)
    circle = table(kind="kernel", activation="relu", points=["circle(4)", "circle(8)"], constants=["ntk_lambda_min"]).rows
    assert_printed(circle[0], ".340845056908")
    assert (circle[1].value, circle[1].lower, circle[1].upper, circle[1].rounded) == ("0", "0", "0", "exact")
    assert "4 opposite pairs" in circle[1].note


def test_an_enclosure_around_zero_is_rounded_to_zero_and_not_called_exact() -> None:
    entry = rows(kind="kernel", activation="relu", points=[[1, 0], [-1, 0]])["ntk[0,1]"]
    assert (entry.value, entry.rounded) == ("0", "nearest")
    assert Fraction(entry.lower) <= 0 <= Fraction(entry.upper)


def test_moments_of_the_digits_are_those_of_facts() -> None:
    shipped = (ROOT / "docs" / "tables" / "laws.csv").read_bytes().decode()
    found = [row for row in csv.DictReader(io.StringIO(shipped)) if "empirical" in row["inputs"]]
    for row, total in zip(found, (6907012, 27148857892), strict=True):
        assert Fraction(row["lower"]) <= Fraction(total, 1797) <= Fraction(row["upper"])
        assert abs(Fraction(row["value"]) - Fraction(total, 1797)) < Fraction(1, 10**11) * total


def test_moments_of_laws() -> None:
    found = table(kind="law", law=["gaussian", "sphere"], dimension=3, order=[2, 4, 6]).rows
    assert [row.value for row in found] == ["3", "15", "105", "3", "9", "27"]
    nested = {
        "name": "mixture",
        "weights": [1, 1],
        "laws": [{"name": "gaussian", "dimension": 2}, {"name": "sphere", "dimension": 2}],
    }
    assert rows(kind="law", law=nested, order=4)["moment"].value == "6"
    sampled = rows(kind="law", law="gaussian", dimension=2, order=2, points=100, failure_probability="1/100")
    assert sampled["markov"].value == "200"
    assert sampled["cantelli"].rounded == "up"
    assert Fraction(sampled["cantelli"].value) >= Fraction(2 + math.sqrt(4 * 0.99 / (100 * 0.01))) - Fraction(1, 10**14)
    heavy = rows(kind="law", law="student", dimension=2, degrees_of_freedom=5, order=4, points=10, failure_probability="1/2")
    assert heavy["cantelli"].status == "does not exist"
    assert "E|x|^8" in heavy["cantelli"].note


@pytest.mark.parametrize("identifier", [name for name, item in THEOREMS.items() if item.constants])
def test_every_statement_is_tabulated_at_reference_inputs(identifier: str) -> None:
    """A new record needs no code in the tables; SymPy's own arithmetic is the other route."""
    (found,) = tables_of(reference_grid(identifier))
    theorem = THEOREMS[identifier]
    assert [row.constant for row in found.rows] == [item.name for item in theorem.constants]
    known: dict[sympy.Symbol, sympy.Expr] = {}
    inputs = dict(found.rows[0].inputs)
    by_name = {item.symbol.name: item.symbol for item in theorem.quantities}
    if not all(key.name in REFERENCE for key in keys_of(theorem)[1:]):
        assert {row.status for row in found.rows} == {"formula only"}
        return
    for key in keys_of(theorem)[1:]:
        known[by_name[key.name]] = sympy.Rational(inputs[key.name])
    for row, constant in zip(found.rows, theorem.constants, strict=True):
        known[constant.symbol] = constant.expression.subs(known).evalf(40)
        assert row.formula == str(constant.expression)
        if row.value:
            low, high = (sympy.Rational(text) for text in (row.lower, row.upper))
            assert low - sympy.Float("1e-30", 40) <= known[constant.symbol] <= high + sympy.Float("1e-30", 40)
            # The printed number is a bound itself: beyond the end of the enclosure on the safe side.
            assert Fraction(row.value) <= Fraction(row.lower) if constant.lower else Fraction(row.value) >= Fraction(row.upper)
            assert row.rounded in ("exact", "down" if constant.lower else "up")


def test_rational_constants_are_exact() -> None:
    given = {"theorem": "A-square", "eta": "1/8", "lambda0": "1/2", "lambda_max": 2, "beta": "1/100", "s0": 1, "R": 8}
    found = rows(**given)
    assert {name: (found[name].value, found[name].rounded) for name in ("beta_prime", "q", "rate", "rbar")} == {
        "beta_prime": ("0.01", "exact"),
        "q": ("0.04", "exact"),
        "rate": ("0.94", "exact"),
        "rbar": ("1.4286458159", "up"),
    }
    third = rows(**{**given, "beta": "1/3"})["beta_prime"]
    assert (third.value, third.rounded) == ("0.333333333334", "up")
    # Where balls are not defined, neither is the product of two roots of negative numbers.
    negative = rows(theorem="A0-descent", **{"L": -1, "mu": -1, "eta": 1, "beta": 1, "s0": 1, "R": 1, "Lambda": 1, "rbar": 1})
    assert negative["L_J"].status == "not enclosed"


def test_a_statement_says_which_hypothesis_fails() -> None:
    given = {"theorem": "A-square", "eta": "1/8", "lambda0": "1/2", "lambda_max": 2, "beta": "1/100", "s0": 1, "R": 8}
    assert {row.applies for row in table(**given).rows} == {"yes"}
    assert {row.applies for row in table(**{**given, "R": 1}).rows} == {"no: radius"}
    assert {row.applies for row in table(**{**given, "eta": 1}).rows} == {"no: step"}
    refused = table(**{**given, "s0": 100})
    assert {row.applies for row in refused.rows} == {"no: q"}
    assert next(row for row in refused.rows if row.constant == "rbar").status == "not enclosed"


APRIORI = {
    "kind": "apriori",
    "activation": "tanh",
    "width": 10**9,
    "law": "gaussian",
    "dimension": 10,
    "points": 16,
    "lambda0": "1/10",
}


def evaluated_formula(row: Row, values: dict[str, float]) -> float:
    """The named definitions of a row's formula, one after the other, in doubles."""
    *definitions, last = (part.split(" = ", 1) for part in row.formula.split("; "))
    known = dict(values)
    functions = {"sqrt": math.sqrt, "log": math.log, "pi": math.pi}
    for name, text in definitions:
        known[name] = eval(text, functions, known)
    return eval(last[1], functions, known)


@pytest.mark.parametrize("change", [{}, {"layers": 3}, {"centered": False}, {"certain": True}, {"bias_scale": "1/2"}], ids=str)
def test_the_formula_of_beta_gives_its_value(change) -> None:
    """Named definitions, with this case's own split of the failure probability."""
    found = rows(**{**APRIORI, **change})
    layers, width = change.get("layers", 2), 10**9
    bound = Fraction(rows(kind="activation", activation="tanh", digits=20)["curvature_bound"].upper)
    plan = blueprint(
        (10, *(width,) * (layers - 1), 1), slope=1, curvature=bound, points=16, bias_scale=Fraction(change.get("bias_scale", 0))
    )
    counts = event_counts(plan, centered=change.get("centered", True), eigenvalue=not change.get("certain", False), sampled=True)
    share = budget(counts, Fraction(1, 100)).shares["moments"]
    values = {"d": 10.0, "n": 16.0, "delta": 0.01, "sigma_w": 1.0, "sigma_b": float(plan.bias_scale), "alpha": 1.0, "L_p": 1.0}
    values |= {"L_pp": float(bound), "R": float(Fraction(found["R"].value)), **{f"m_{i}": float(width) for i in range(1, layers)}}
    for j in range(1, layers + 1):
        p = share / layers
        law = rows(kind="law", law="gaussian", dimension=10, order=2 * j, points=16, failure_probability=str(p))
        values[f"M_{2 * j}"] = min(float(Fraction(law[name].value)) for name in ("markov", "cantelli"))
    assert evaluated_formula(found["beta"], values) == pytest.approx(float(Fraction(found["beta"].value)), rel=1e-10)


def test_apriori_rows_are_safe_and_consistent() -> None:
    found = rows(**APRIORI)
    sides = {name: row.rounded for name, row in found.items()}
    for name in ("lambda_max", "beta", "q", "R", "Lambda", "rate"):
        assert sides[name] == "up"
    assert sides["eta"] == "down"
    value = {name: Fraction(row.value) for name, row in found.items()}
    assert value["q"] == pytest.approx(2 * value["beta"] * value["s0"] / value["lambda0"], rel=1e-10)
    assert value["eta"] * value["Lambda"] <= 1
    assert found["q"].applies == "yes"
    assert (found["lambda0"].status, found["lambda0"].rounded) == ("hypothesis", "exact")
    assert {row.applies for row in rows(**{**APRIORI, "width": 10}).values()} >= {"no: q"}


def test_least_width_agrees_with_q_on_either_side() -> None:
    width = int(rows(**{**APRIORI, "constants": ["least_width"]})["least_width"].value)
    assert rows(**{**APRIORI, "width": width})["q"].applies == "yes"
    assert rows(**{**APRIORI, "width": width - 1})["q"].applies != "yes"


def test_the_least_width_says_whether_its_criterion_is_exact() -> None:
    """Over all radii a smaller width may do where beta grows with R, and none does where it does not."""
    for change, exact in (({"trained": [1]}, True), ({"trained": "all"}, False), ({"layers": 3}, False), ({"trained": [2]}, False)):
        block = {**APRIORI, "layers": 2, **change}
        found = rows(**{**block, "constants": ["least_width"]})["least_width"]
        (case,) = grid_from_mapping({"table": [block]})[0].cases
        prior = prior_at(case.given, 1, None)
        assert beta_grows(prior.plan) is not exact
        assert ("certify --solve width" in found.note) is not exact
        assert ("certify --solve width" in found.hypotheses) is not exact
        assert ("if and only if" in found.hypotheses) is exact
        best = best_width(prior).threshold.width
        assert best == int(found.value) if exact else best <= int(found.value)


def test_an_eigenvalue_that_no_network_has_gives_no_rate() -> None:
    found = rows(**{**APRIORI, "lambda0": 1e5})
    for name in ("R", "beta", "q", "eta", "rate", "least_width"):
        assert found[name].value == "", name
        assert "lambda0 must be at most lambda_max" in found[name].note
    assert found["certified_rate"].status == "not certified"
    square = {"kind": "theorem", "theorem": "A-square", "lambda0": 5, "lambda_max": 4, "beta": 0.001, "s0": 1, "R": 1, "eta": 0.249}
    assert float(rows(**square)["rate"].value) < 0
    assert rows(**square)["rate"].applies == "no: lambda0 <= lambda_max"
    assert rows(**{**square, "lambda0": 3})["rate"].applies == "yes"


def test_the_formula_of_the_least_width_is_its_value() -> None:
    """Granted: floor((2 alpha sigma_w Lpp S s0/(q_target lambda0))^2) + 1. With sqrt(C) added for the matrix Chernoff bound."""
    granted = {**APRIORI, "layers": 2, "trained": [1], "lambda0": 0.1}
    formula = rows(**granted)["least_width"].formula
    assert formula.startswith("floor((2*alpha*sigma_w*Lpp*S*s0/(q_target*lambda0))**2) + 1; S = ")
    block = {"kind": "apriori", "activation": "tanh", "width": 1, "trained": [1], "constants": ["least_width"]}
    found = rows(**block, data={"source": "digits", "classes": [3, 8], "points": 4})["least_width"]
    assert found.formula.startswith("floor((sqrt(C) + 2*alpha*sigma_w*Lpp*S*s0/(q_target*lambda_inf))**2) + 1; C = 2*alpha^2*")
    assert "F-chernoff" in found.source


def test_least_width_by_matrix_chernoff_on_a_data_set() -> None:
    block = {
        "kind": "apriori",
        "activation": "tanh",
        "width": 1,
        "trained": [1],
        "data": {"source": "digits", "classes": [3, 8], "points": 4},
    }
    found = rows(**block)
    width = int(found["least_width"].value)
    assert (found["lambda0"].status, Fraction(found["lambda0"].value) < 0) == ("proved", True)  # eps > 1: true, and says nothing
    wide = rows(**{**block, "width": width})
    assert wide["q"].applies == "yes"
    assert 0 < Fraction(wide["epsilon"].value) < 1
    assert "log(n/p)" in wide["epsilon"].formula
    assert rows(**{**block, "width": width - 1})["q"].applies != "yes"
