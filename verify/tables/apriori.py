"""Constants before any weight is drawn: from architecture, law or data set, loss and probability of failure to beta, q, width."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from theorems.apriori.constants import Prior, contradiction
from theorems.apriori.eigenvalue import Chernoff, chernoff_constant
from theorems.apriori.threshold import at_width, closed_form_square_root, least_width
from theorems.arithmetic import BALL, exactly, working_precision
from theorems.catalogue import theorem
from theorems.errors import InputError
from verify.data import Dataset, load_data
from verify.errors import ProblemError
from verify.statements import latex
from verify.tables import certificates, losses, shapes
from verify.tables.apriori_formulas import beta_formula, kernel_formula, residual_formula, width_formula
from verify.tables.apriori_known import Known, certified, known_of, prior_at
from verify.tables.keys import Key, boolean, boolean_text, integer, moves, positive, probability, share, word
from verify.tables.kind import Kind, fixed
from verify.tables.laws import PARAMETERS, law_in, read_law
from verify.tables.points import data_options, read_data
from verify.tables.records import HYPOTHESIS, Entry, Rounding, Value, missing, of_ball

KEYS = (
    *shapes.HEAD,
    Key("law", read_law, shown=True),
    *PARAMETERS,
    Key("points", integer(), symbol=True),
    Key("method", word("markov", "chebyshev", "cantelli", "least")),
    Key("data", read_data),
    *losses.KEYS,
    Key("failure_probability", probability, default=Fraction(1, 100), shown=True),
    Key("lambda0", positive),
    Key("certain", boolean, boolean_text, default=False),
    Key("target", share, default=1),
    *shapes.SCALES,
    Key("outputs", integer()),
    Key("centered", boolean, boolean_text, default=True),
)
OF_A_LAW = ("dimension", "degrees_of_freedom", "points", "method", "label_norm", "targets")
OF_THEOREM = ("R", "q", "eta", "rate")
SUFFICIENT = "q(R*) < q_target is sufficient; certify --solve width, for a data set, looks over all radii and may find less"
EXACT = "beta does not depend on R: q < q_target on some ball if and only if q(R*) < q_target"
NORMALIZATION = (
    "z_l = sigma_w/sqrt(fan-in) W_l h_{l-1} + sigma_b b_l, unit variances, f = alpha z_L; norms of L2(nu), nu_i = 1/n unless the "
    "loss weighs the points; the widths of the hidden layers are those of hidden times width; sup|phi'|, sup|phi''| and |phi(0)| "
    "enter by the upper ends of their enclosures"
)


def _finish(where: str, given: dict[str, Any], folder: Path) -> dict[str, Any]:
    case, loss = losses.chosen(where, shapes.shaped(where, given))
    moves(f"{where}.trained", case["trained"], case["layers"])
    if ("law" in case) == ("data" in case):
        raise ProblemError(f"{where} needs exactly one of law and data")
    if "data" in case:
        for key in KEYS:
            if key.name in OF_A_LAW and key.name in case:
                given_text = key.write(case[key.name])
                raise ProblemError(f"{where}.{key.name} belongs to a law and not to a data set, got {given_text}")
        data = load_data(data_options(f"{where}.data", case["data"], folder), losses.options(case))
        if case.get("outputs", data.outputs) != data.outputs:
            raise ProblemError(f"{where}.outputs must be {data.outputs}, the number of targets of the data, got {case['outputs']}")
        return case | {"outputs": data.outputs, "_data": data, "_loss": loss}
    for name in ("points", "lambda0"):
        if name not in case:
            raise ProblemError(f"{where}.{name} is missing: a law needs it")
    filled = {"method": "least", "outputs": 1} | case
    if loss.is_square and "targets" not in filled:
        filled = {"label_norm": Fraction(1)} | filled
    known = losses.numbers_for_targets(where, filled, loss)
    return filled | {"_law": law_in(where, case, folder), "_loss": loss, "_loss_numbers": known}


def make(case: Mapping[str, Any]) -> Iterator[Entry]:
    """The entries of one architecture; see the module."""

    data: Dataset | None = case.get("_data")

    @functools.cache
    def prior() -> Prior:
        return prior_at(case, case["width"], data)

    @functools.cache
    def known() -> Known:
        return known_of(case, prior())

    @functools.cache
    def certificate() -> certificates.Found:
        return certificates.Found.of_apriori(*certified(case, prior()))

    def entry(
        name: str,
        symbol: str,
        formula: tuple[str, str],
        rounding: Rounding,
        source: str,
        compute: Callable[[], Value],
        more: str = "",
    ) -> Entry:
        holds = f"with probability at least 1 - failure_probability over the weights{' and the points' if 'law' in case else ''}"
        if name not in ("L", "mu", "lambda_max", "s0") and "lambda0" in case:
            holds += "; lambda_min(K_0) >= lambda0 is a hypothesis" + ("" if case["certain"] else ", one of the events")
        return Entry(name, symbol, *formula, rounding, f"{holds}; {more}" if more else holds, NORMALIZATION, source, compute)

    def constant(name: str) -> Callable[[], Value]:
        def compute() -> Value:
            found = known()
            if name not in found.values:
                return missing(found.reason)
            return of_ball(found.values[name], found.applies if name in OF_THEOREM else "")

        return compute

    up, down = Rounding.UP, Rounding.DOWN
    beta = beta_formula(case)
    of_loss = "theorems.losses: the loss at these targets"
    yield entry("L", "L", ("sup |loss''|", r"\sup|\ell''|"), up, of_loss, lambda: _exact(prior().smoothness))
    yield entry("mu", r"\mu", ("inf loss''", r"\inf\ell''"), down, of_loss, lambda: _exact(prior().mu))
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
    if case["_loss"].is_square:
        step = ("(1 - 2**-60)/Lambda", r"(1 - 2^{-60})/\Lambda")
        yield entry("eta", r"\eta", step, down, "Theorem G-step", constant("eta"))
        yield entry("rate", r"\varrho", _formula("A-square", "rate"), up, "Theorem A-square", constant("rate"))
    else:
        yield entry("eta", r"\eta", _formula("F", "eta"), down, "Theorem F: Theorem A0 at every step below", constant("eta"))
    yield from certificates.entries(entry, certificate, "verify.apriori.certificate")
    closed = _has_closed_form(case)
    threshold = width_formula(case) if closed else ("least m with q(R*) < q_target", r"\min\{m : q(R^*) < q_{\rm target}\}")
    exact = "F-width and F-chernoff: theorems.apriori.threshold" if chernoff else "F-width"
    source = f"Theorem {exact}" if closed else "theorems.apriori.threshold, a bracket proved at both ends"
    criterion = EXACT if _is_free_of_radius(case) else SUFFICIENT
    yield entry("least_width", "m^*", threshold, up, source, lambda: _width(case, prior_at(case, 1, data), closed), criterion)


KIND = Kind("apriori", "A-priori constants", fixed(KEYS), make, _finish)


def _formula(identifier: str, name: str) -> tuple[str, str]:
    item = next(constant for constant in theorem(identifier).constants if constant.name == name)
    return str(item.expression), latex(item.expression)


def _exact(number: Any) -> Value:
    return Value(exactly(number), exactly(number))


def _granted(case: Mapping[str, Any]) -> Callable[[], Value]:
    return lambda: Value(case["lambda0"], case["lambda0"], HYPOTHESIS)


def _epsilon(prior: Prior) -> Value:
    assert isinstance(prior.eigenvalue, Chernoff)
    with working_precision():
        constant = chernoff_constant(prior.plan, prior.shares, prior.eigenvalue, BALL)
        return of_ball(BALL.sqrt(constant / BALL.numbers(prior.plan.hidden[0])))


def _has_closed_form(case: Mapping[str, Any]) -> bool:
    return case["hidden"] == (1,) and case["trained"] == (1,) and case["output_layer"] == "signs" and bool(case["centered"])


def _is_free_of_radius(case: Mapping[str, Any]) -> bool:
    """Whether beta is the same on every ball: one hidden layer, and the first layer alone trained (theorems.apriori.threshold)."""
    return len(case["hidden"]) == 1 and case["trained"] == (1,)


def _width(case: Mapping[str, Any], prior: Prior, closed: bool) -> Value:
    """The least width with q(R*) < q_target, an integer."""
    try:
        found = least_width(prior, case["target"])
    except InputError as reason:
        return missing(reason)
    contradicted = contradiction(at_width(prior, found.width))
    if contradicted:
        return missing(contradicted)
    low = found.width if found.decided else found.width - 1
    notes = [] if _is_free_of_radius(case) else [SUFFICIENT]
    if found.width <= found.first:
        notes.append(f"below the width {found.first} nothing is asked: only from there on q falls with the width")
    if closed and found.decided:
        with working_precision():
            root = closed_form_square_root(prior, BALL, case["target"])
            if not root * root < found.width:
                notes.append("the closed form is not decided there")
    return Value(Fraction(low), Fraction(found.width), note="; ".join(notes))
