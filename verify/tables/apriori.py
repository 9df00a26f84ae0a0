"""Constants before any weight is drawn: from architecture, law or data set, and probability of failure to beta, q, width."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from theorems.activations import Activation, activation
from theorems.apriori.blueprint import Blueprint, blueprint
from theorems.apriori.constants import Prior, initial, path_radius, quantities
from theorems.apriori.eigenvalue import Chernoff, Granted, chernoff_constant
from theorems.apriori.threshold import closed_form_square_root, least_width
from theorems.arithmetic import BALL, exactly, upper, working_precision
from theorems.catalogue import theorem
from theorems.errors import InputError
from theorems.infinite_kernel import Normalization, wide_network
from theorems.laws import Law
from verify.apriori import points_of, prior_of_law, value_at_zero
from verify.data import Dataset
from verify.errors import ProblemError
from verify.infinite_width import limit_spectrum
from verify.statements import latex
from verify.tables.apriori_formulas import beta_formula, kernel_formula, residual_formula
from verify.tables.keys import (
    Key,
    boolean,
    boolean_text,
    integer,
    listed_text,
    moves,
    nonnegative,
    positive,
    probability,
    share,
    text,
    trained,
    word,
)
from verify.tables.kind import Kind, fixed
from verify.tables.laws import PARAMETERS, law_in, read_law
from verify.tables.points import load_points, read_data
from verify.tables.records import HYPOTHESIS, Entry, Rounding, Value, missing, of_ball
from verify.tables.statements import applies

MOST_LAYERS = 8


def layer_count(key: str, value: Any) -> int:
    """The number of layers with weights: at least one hidden layer and the output."""
    found = integer(1, MOST_LAYERS)(key, value)
    if found < 2:
        raise ProblemError(f"{key} must be at least 2, one hidden layer and the output, got {found}")
    return found


KEYS = (
    Key("activation", text, required=True, shown=True),
    Key("layers", layer_count, default=2, shown=True),
    Key("width", integer(), required=True, shown=True, symbol=True),
    Key("law", read_law, shown=True),
    *PARAMETERS,
    Key("points", integer(), symbol=True),
    Key("method", word("markov", "chebyshev", "cantelli", "least")),
    Key("label_norm", positive),
    Key("data", read_data),
    Key("failure_probability", probability, default=Fraction(1, 100), shown=True),
    Key("lambda0", positive),
    Key("certain", boolean, boolean_text, default=False),
    Key("target", share, default=1),
    Key("weight_scale", positive, default=1),
    Key("bias_scale", nonnegative, default=0),
    Key("output_scale", positive, default=1),
    Key("output_layer", word("signs", "gaussian"), default="signs"),
    Key("outputs", integer()),
    Key("trained", trained, listed_text, default="all", depth=1),
    Key("centered", boolean, boolean_text, default=True),
)
OF_A_LAW = ("dimension", "degrees_of_freedom", "points", "method", "label_norm")
OF_THEOREM_A = ("R", "q", "eta", "rate")
NORMALIZATION = (
    "z_l = sigma_w/sqrt(fan-in) W_l h_{l-1} + sigma_b b_l, unit variances, f = alpha z_L; square loss, norms of L2(nu) with 1/n; "
    "hidden layers of one width; sup|phi'|, sup|phi''| and |phi(0)| enter by the upper ends of their enclosures"
)


def _finish(where: str, case: dict[str, Any], folder: Path) -> dict[str, Any]:
    moves(f"{where}.trained", case["trained"], case["layers"])
    if ("law" in case) == ("data" in case):
        raise ProblemError(f"{where} needs exactly one of law and data")
    if "data" in case:
        for name in OF_A_LAW:
            if name in case:
                raise ProblemError(f"{where}.{name} belongs to a law and not to a data set, got {case[name]}")
        data = load_points(f"{where}.data", case["data"], folder)
        if case.get("outputs", data.outputs) != data.outputs:
            raise ProblemError(f"{where}.outputs must be {data.outputs}, the number of targets of the data, got {case['outputs']}")
        return case | {"outputs": data.outputs, "_data": data}
    for name in ("points", "lambda0"):
        if name not in case:
            raise ProblemError(f"{where}.{name} is missing: a law needs it")
    filled = {"method": "least", "label_norm": Fraction(1), "outputs": 1} | case
    return filled | {"_law": law_in(where, case, folder)}


@dataclass(frozen=True)
class _Known:
    """A prior, and what follows from it on B(R*), in balls; ``applies``: whether Theorem A does, with these numbers."""

    prior: Prior
    values: Mapping[str, Any]
    applies: str


def _phi(case: Mapping[str, Any]) -> Activation:
    return activation(case["activation"])


def _plan(case: Mapping[str, Any], dimension: Any, outputs: int, points: int, width: Any) -> Blueprint:
    phi = _phi(case)
    return blueprint(
        (dimension, *(width,) * (case["layers"] - 1), outputs),
        slope=phi.slope_bound().upper,
        curvature=phi.curvature_bound().upper,
        at_zero=value_at_zero(phi),
        points=points,
        weight_scale=case["weight_scale"],
        bias_scale=case["bias_scale"],
        output_scale=case["output_scale"],
        trained=moves("trained", case["trained"], case["layers"]),
        output_layer=case["output_layer"],
    )


def _prior(case: Mapping[str, Any], width: int, data: Dataset | None) -> Prior:
    if data is not None:
        return _prior_of_data(case, width, data)
    law: Law = case["_law"]
    plan = _plan(case, law.known_dimension("an a-priori constant"), case["outputs"], case["points"], width)
    return prior_of_law(
        plan,
        law,
        label_norm=case["label_norm"],
        lambda0=case["lambda0"],
        failure_probability=case["failure_probability"],
        centered=case["centered"],
        certain=case["certain"],
        method=case["method"],
    )


def _prior_of_data(case: Mapping[str, Any], width: int, data: Dataset) -> Prior:
    plan = _plan(case, data.dimension, data.outputs, data.points, width)
    points = points_of(plan, data.inputs, data.sample_weights)
    with working_precision():
        size = BALL.numbers(data.sample_weights) @ (BALL.numbers(data.targets) ** 2).sum(axis=1)
        label_norm = upper(BALL.sqrt(size))
    granted = case.get("lambda0")
    return Prior(
        plan=plan,
        data=points,
        label_norm=label_norm,
        eigenvalue=_chernoff(case, data, points.gram_norm) if granted is None else Granted(granted),
        failure_probability=case["failure_probability"],
        centered=case["centered"],
        certain=case["certain"],
    )


def _chernoff(case: Mapping[str, Any], data: Dataset, gram_norm: Any) -> Chernoff:
    network = wide_network(
        case["activation"],
        1,
        weight_scale=case["weight_scale"],
        bias_scale=case["bias_scale"],
        output_scale=case["output_scale"],
        trained=(True, False),
    )
    weights = [exactly(float(x)) for x in data.sample_weights]
    found = limit_spectrum(network, data.inputs, normalization=Normalization.MEAN, sample_weights=weights).tangent
    if found.lower <= 0:
        raise InputError(f"the infinite-width kernel of the first layer must be positive definite, lambda_min is {found}")
    return Chernoff(found.lower, gram_norm**2)


def _known(case: Mapping[str, Any], prior: Prior) -> _Known:
    """Theorem A for the square loss on B(R*), with a step just below 1/Lambda."""
    record = theorem("A-square")
    with working_precision():
        at = initial(prior, BALL)
        if not at.lambda0 > 0:
            return _Known(prior, {"lambda_max": at.lambda_max, "s0": at.s0, "lambda0": at.lambda0}, "no: H3")
        values = quantities(prior, path_radius(at, case["target"], BALL), BALL, at)
        root = BALL.sqrt(values["lambda_max"]) + values["beta"] * values["R"]
        values["eta"] = BALL.numbers((1 / (root * root)).lower() * (1 - BALL.numbers(Fraction(1, 1 << 60))))
        found = record.evaluate_constants({str(item.symbol): values[str(item.symbol)] for item in record.quantities}, BALL)
        return _Known(prior, found, applies(record, found))


def make(case: Mapping[str, Any]) -> Iterator[Entry]:
    """The entries of one architecture; see the module."""

    data: Dataset | None = case.get("_data")

    @functools.cache
    def known() -> _Known:
        return _known(case, _prior(case, case["width"], data))

    def entry(
        name: str, symbol: str, formula: tuple[str, str], rounding: Rounding, source: str, compute: Callable[[], Value]
    ) -> Entry:
        holds = f"with probability at least 1 - failure_probability over the weights{' and the points' if 'law' in case else ''}"
        if name not in ("lambda_max", "s0") and "lambda0" in case:
            holds += "; lambda_min(K_0) >= lambda0 is a hypothesis" + ("" if case["certain"] else ", one of the events")
        return Entry(name, symbol, *formula, rounding, holds, NORMALIZATION, source, compute)

    def constant(name: str) -> Callable[[], Value]:
        def compute() -> Value:
            found = known()
            if name not in found.values:
                return missing("lambda0 is not positive at this width")
            return of_ball(found.values[name], found.applies if name in OF_THEOREM_A else "")

        return compute

    up, down = Rounding.UP, Rounding.DOWN
    beta = beta_formula(case)
    yield entry(
        "lambda_max", r"\lambda_{\max}", kernel_formula(case), up, "Theorem F: theorems.apriori.data", constant("lambda_max")
    )
    yield entry("s0", "s_0", residual_formula(case), up, "Theorem F: theorems.apriori.constants", constant("s0"))
    chernoff = "lambda0" not in case
    if chernoff:
        yield entry(
            "epsilon", r"\epsilon", _formula("F-chernoff", "epsilon"), up, "Theorem F-chernoff", lambda: _epsilon(known().prior)
        )
    granted = ("lambda0 (granted)", r"\lambda_0\ \text{(granted)}")
    lambda0 = _formula("F-chernoff", "lambda0") if chernoff else granted
    yield entry(
        "lambda0",
        r"\lambda_0",
        lambda0,
        down,
        "Theorem F-chernoff" if chernoff else "hypothesis",
        constant("lambda0") if chernoff else _granted(case),
    )
    yield entry("R", "R^*", _formula("F", "R"), up, "Theorem F", constant("R"))
    yield entry("beta", r"\beta(R^*)", beta, up, "Theorem F: theorems.apriori.ball", constant("beta"))
    yield entry("q", "q(R^*)", _formula("F", "q"), up, "Theorem F", constant("q"))
    yield entry("Lambda", r"\Lambda(R^*)", _formula("F", "Lambda"), up, "Theorem F", constant("Lambda"))
    yield entry("eta", r"\eta", ("1/Lambda, less a factor 1 - 2**-60", r"1/\Lambda"), down, "Theorem G-step", constant("eta"))
    yield entry("rate", r"\varrho", _formula("A-square", "rate"), up, "Theorem A-square", constant("rate"))
    closed = _has_closed_form(case)
    threshold = (
        _formula("F-width", "width") if closed else ("least m with q(R*) < q_target", r"\min\{m : q(R^*) < q_{\rm target}\}")
    )
    source = "Theorem F-width" if closed else "theorems.apriori.threshold, a bracket proved at both ends"
    yield entry("least_width", "m^*", threshold, up, source, lambda: _width(case, _prior(case, 1, data), closed))


KIND = Kind("apriori", "A-priori constants", fixed(KEYS), make, _finish)


def _formula(identifier: str, name: str) -> tuple[str, str]:
    item = next(constant for constant in theorem(identifier).constants if constant.name == name)
    return str(item.expression), latex(item.expression)


def _granted(case: Mapping[str, Any]) -> Callable[[], Value]:
    return lambda: Value(case["lambda0"], case["lambda0"], HYPOTHESIS)


def _epsilon(prior: Prior) -> Value:
    assert isinstance(prior.eigenvalue, Chernoff)
    with working_precision():
        constant = chernoff_constant(prior.plan, prior.shares, prior.eigenvalue, BALL)
        return of_ball(BALL.sqrt(constant / BALL.numbers(prior.plan.hidden[0])))


def _has_closed_form(case: Mapping[str, Any]) -> bool:
    return case["layers"] == 2 and case["trained"] == (1,) and case["output_layer"] == "signs" and bool(case["centered"])


def _width(case: Mapping[str, Any], prior: Prior, closed: bool) -> Value:
    """The least width with q(R*) < q_target, an integer."""
    try:
        found = least_width(prior, case["target"])
    except InputError as reason:
        return missing(reason)
    low = found.width if found.decided else found.width - 1
    note = (
        ""
        if found.width > found.first
        else f"below the width {found.first} nothing is asked: only from there on q falls with the width"
    )
    if closed and found.decided:
        with working_precision():
            root = closed_form_square_root(prior, BALL, case["target"])
            if not root * root < found.width:
                note = f"{note}; the closed form is not decided there".removeprefix("; ")
    return Value(Fraction(low), Fraction(found.width), note=note)
