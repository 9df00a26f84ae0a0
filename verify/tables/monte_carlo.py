"""Probabilities at initialization, counted on drawn networks: the assumption on the smallest eigenvalue, and the a-priori events.

A row's enclosure are the limits of Clopper and Pearson for its probability, with the confidence that its status names; nothing is
proved. The draws follow from ``seed`` alone, the same as those of ``overparam experiments``.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from theorems.apriori.blueprint import Blueprint
from theorems.apriori.budget import event_counts
from theorems.errors import InputError
from verify import fields
from verify.data import load_data
from verify.drawn.clopper_pearson import Count, limits
from verify.drawn.eigenvalue import EPSILONS, Curve, WidthSample, smallest_eigenvalues
from verify.drawn.events import event_frequencies
from verify.drawn.frequencies import Frequency, seeds_of
from verify.errors import ProblemError
from verify.infinite_width import LimitEigenvalue, spectrum_of
from verify.memory import require_memory, required_memory
from verify.problem import Problem, problem_from_mapping
from verify.rigor import decimal_above, decimal_below
from verify.tables import shapes
from verify.tables.kernels import EIGENVALUE_DIGITS
from verify.tables.keys import Key, boolean, boolean_text, decoded, integer, moves, probability, rational
from verify.tables.kind import Kind, fixed
from verify.tables.points import data_options, read_data
from verify.tables.records import Entry, Rounding, Value, missing
from verify.weights import architecture_of

MOST_DRAWS = 100_000
_EPSILONS = "a list of numbers from 0 on and less than 1, such as [0.1, 0.5]"
_epsilon = rational("a number from 0 on and less than 1", lambda x: 0 <= x < 1)


def _epsilons(key: str, value: Any) -> tuple[Fraction, ...]:
    found = fields.entries(key, decoded(key, value, _EPSILONS), _EPSILONS, _epsilon)
    if len(set(found)) < len(found):
        raise ProblemError(f"{key} must not name a number twice, got {', '.join(map(str, found))}")
    return found


KEYS = (
    *shapes.HEAD,
    Key("data", read_data, required=True),
    Key("seed", integer(0), default=0, shown=True),
    Key("draws", integer(1, MOST_DRAWS), default=200, shown=True),
    Key("confidence", probability, default=Fraction(95, 100)),
    Key("epsilon", _epsilons, lambda value: json.dumps([str(x) for x in value]), default=EPSILONS, depth=1),
    Key("failure_probability", probability, default=Fraction(1, 100)),
    *shapes.SCALES,
    Key("centered", boolean, boolean_text, default=True),
)
NORMALIZATION = (
    "z_l = sigma_w/sqrt(fan-in) W_l h_{l-1} + sigma_b b_l, unit variances, f = alpha z_L, scales as the doubles next to the "
    "inputs; entries of K_0 times sqrt(nu_i nu_j), nu_i = 1/n; the widths of the hidden layers are those of hidden times width"
)
DRAWN = "independent draws of the weights on fixed points; seeds SeedSequence([seed, L, widths])"


def _finish(where: str, given: dict[str, Any], folder: Path) -> dict[str, Any]:
    case = shapes.shaped(where, given)
    moves(f"{where}.trained", case["trained"], case["layers"])
    if not isinstance(case["width"], int):  # a letter, in a table of formulas
        return case
    problem = _problem(where, case, folder)
    data = load_data(problem.data, problem.loss)
    require_memory(required_memory(architecture_of(problem.network, data.dimension, data.outputs), data.points), where)
    return case | {"_problem": problem, "_data": data}


def _problem(where: str, case: Mapping[str, Any], folder: Path) -> Problem:
    options = data_options(f"{where}.data", case["data"], folder)
    network = {name: float(case[name]) for name in ("weight_scale", "bias_scale", "output_scale")}
    words = {name: case[name] for name in ("activation", "output_layer", "trained", "centered")}
    found = problem_from_mapping({"network": {**network, **words, "hidden": shapes.widths(case, case["width"])}})
    return Problem(options, found.network, found.loss, found.training, found.certificate)


def make(case: Mapping[str, Any]) -> Iterator[Entry]:
    """lambda_inf; P(lambda_min(K_0) >= (1 - eps) lambda_inf) for each eps; the probability that each event of the budget fails.

    An activation without bounds of phi' and phi'' has no events. Raises ProblemError where lambda_inf cannot be enclosed.
    """

    @functools.cache
    def limit() -> LimitEigenvalue:
        return spectrum_of(case["_problem"].network, case["_data"]).tangent

    @functools.cache
    def sample() -> WidthSample:
        return smallest_eigenvalues(case["_problem"], case["_data"], _seeds(case))

    @functools.cache
    def frequencies() -> dict[str, Frequency]:
        found = event_frequencies(case["_problem"], case["_data"], _seeds(case), [case["failure_probability"]], conclusion_draws=0)
        return {item.quantity: item for item in found if item.section == "event"}

    def entry(
        name: str, symbol: str, formula: tuple[str, str], rounding: Rounding, source: str, compute: Callable[[], Value]
    ) -> Entry:
        return Entry(name, symbol, *formula, rounding, DRAWN, NORMALIZATION, source, compute)

    formula = ("lambda_min of the limit kernel", r"\lambda_{\min}(K_\infty)")
    source = "verify.infinite_width: enclosed, not counted"
    yield entry("lambda_limit", r"\lambda_\infty", formula, Rounding.DOWN, source, lambda: _limit(limit()))
    for eps in case["epsilon"]:
        yield entry(
            f"eigenvalue_probability[{eps}]",
            rf"P(\lambda_{{\min}}(K_0)\geq {1 - eps}\,\lambda_\infty)",
            (f"P(lambda_min(K_0) >= {1 - eps}*lambda_inf)", rf"P(\lambda_{{\min}}(K_0)\geq {1 - eps}\,\lambda_\infty)"),
            Rounding.DOWN,
            "verify.drawn.eigenvalue; limits of Clopper and Pearson (1934)",
            _probability(case, limit, sample, eps),
        )
    for event, words in _events(case).items():
        letters = "".join(r"\ " if character in "_ " else character for character in event)
        yield entry(
            f"failure[{event}]",
            rf"P(\mathrm{{{letters}}})",
            (f"P({words})", rf"P(\mathrm{{{letters}\ fails}})"),
            Rounding.UP,
            "verify.drawn.events; limits of Clopper and Pearson (1934)",
            _failure(case, frequencies, event),
        )


KIND = Kind("monte_carlo", "Probabilities at initialization, counted", fixed(KEYS), make, _finish)
ANY = "any of the events"


def _events(case: Mapping[str, Any]) -> dict[str, str]:
    """The budget's events for this network, in words: all but the eigenvalue, whose rows are its own."""
    from verify.apriori.prior import plan_of

    if "_problem" not in case:
        return {}
    problem, data = case["_problem"], case["_data"]
    try:
        plan: Blueprint = plan_of(problem.network, data.dimension, data.outputs, data.points)
    except InputError:
        return {}
    names = event_counts(plan, centered=problem.network.centered, eigenvalue=False)
    return {name: f"the event {name} of the a-priori budget fails" for name in names} | {ANY: "at least one event fails"}


def _seeds(case: Mapping[str, Any]) -> list[int]:
    hidden = shapes.widths(case, case["width"])
    labels = hidden[:1] if len(set(hidden)) == 1 else hidden  # of equal widths as in verify.drawn.eigenvalue
    return seeds_of(case["seed"], case["draws"], case["layers"], *labels)


def _limit(found: LimitEigenvalue) -> Value:
    if found.zero is not None:
        return Value(found.lower, found.upper, note=f"exactly 0: {found.zero.reason}")
    return Value(Fraction(decimal_below(found.lower, EIGENVALUE_DIGITS)), Fraction(decimal_above(found.upper, EIGENVALUE_DIGITS)))


def _counted(case: Mapping[str, Any], count: Count, note: str) -> Value:
    interval = limits(count, case["confidence"])
    number = str(count.certain) if count.certain == count.possible else f"{count.certain} to {count.possible}"
    status = f"Monte Carlo (seed {case['seed']}, count {count.trials}, confidence {case['confidence']})"
    return Value(interval.lower, interval.upper, status, note=f"{number} of {count.trials} draws{note}")


def _probability(
    case: Mapping[str, Any], limit: Callable[[], LimitEigenvalue], sample: Callable[[], WidthSample], epsilon: Fraction
) -> Callable[[], Value]:
    def compute() -> Value:
        found = limit()
        if found.lower <= 0:
            return missing(f"the infinite-width kernel is not shown to be positive definite: lambda_min is {found}")
        return _counted(case, Curve(case["_problem"], found, ()).at_least(sample(), epsilon), "")

    return compute


def _failure(case: Mapping[str, Any], frequencies: Callable[[], dict[str, Frequency]], event: str) -> Callable[[], Value]:
    def compute() -> Value:
        found = frequencies()[event]
        return _counted(case, found.count, f"; stated: at most {found.stated}: {found.verdict(case['confidence']).name}")

    return compute
