"""Constants of one drawn network: lambda0, beta, q of a problem file at initialization, measured in doubles and enclosed.

The numbers are measured in doubles, each with a bound of its rounding error (``verify.point``), and what follows from them is
evaluated in balls that contain them. On B(R*), R* the path of Theorem F at q = target, they stand beside those of kind apriori. The
certificate is that of ``overparam certify`` at these weights, by floating point whatever ``certificate.rigor`` says.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from numerics.snapshots import Snapshot
from theorems.arithmetic import BALL, ball_from_float_with_error, lower, upper, working_precision
from theorems.ball import ball_bounds
from theorems.catalogue import theorem
from verify import fields
from verify.errors import ProblemError
from verify.point import Point
from verify.problem import Problem, load_problem, problem_from_mapping
from verify.rigor import Rigor, decimal_above, decimal_below
from verify.setup import Setup, prepare
from verify.statements import latex
from verify.tables import certificates
from verify.tables.keys import Key, decoded, integer, share
from verify.tables.kind import Kind, fixed
from verify.tables.records import FLOATING_POINT, Entry, Rounding, Value, missing
from verify.tables.shapes import MOST_LAYERS
from verify.tables.statements import applies

DIGITS = 9  # of the ends: the last digits of measured numbers differ between machines
_WANTED = 'the name of a problem file that ends in .toml, or a table with its sections, "{}" for the built-in problem'
_HIDDEN = "a list of the widths of the hidden layers, such as [64, 64]"


def _read(key: str, value: Any) -> str:
    """The name of a problem file, or the JSON of its sections."""
    if isinstance(value, str) and value.strip().endswith(".toml"):
        return value.strip()
    table = decoded(key, value, _WANTED)
    if not isinstance(table, Mapping):
        raise fields.unwanted(key, _WANTED, value)
    return json.dumps(_doubles(table), ensure_ascii=True, allow_nan=False)


def _doubles(value: Any) -> Any:
    """The decimals of a grid as the doubles that a problem file would make of them."""
    if isinstance(value, Mapping):
        return {str(name): _doubles(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_doubles(item) for item in value]
    return float(value) if isinstance(value, Fraction) else value


def _hidden(key: str, value: Any) -> tuple[int, ...]:
    found = fields.entries(key, decoded(key, value, _HIDDEN), _HIDDEN, integer())
    if len(found) >= MOST_LAYERS:
        raise ProblemError(f"{key} must name at most {MOST_LAYERS - 1} layers, got {len(found)}")
    return found


KEYS = (
    Key("problem", _read, required=True),
    Key("hidden", _hidden, lambda value: json.dumps(list(value)), depth=1, shown=True),
    Key("seed", integer(0), shown=True),
    Key("target", share, default=1),
)
NORMALIZATION = (
    "norms of L2(nu): K_0 = DF DF^* with entries times sqrt(nu_i nu_j), residuals weighted by nu; drawn weights, before training"
)
SOURCE = "verify.point: measured in doubles with a bound of the rounding error"


def _finish(where: str, case: dict[str, Any], folder: Path) -> dict[str, Any]:
    problem = _problem(f"{where}.problem", case["problem"], folder)
    network = problem.network
    hidden, seed = case.get("hidden", network.hidden), case.get("seed", network.seed)
    certificate = replace(problem.certificate, rigor=Rigor.FLOATING_POINT.value)
    problem = replace(problem, network=replace(network, hidden=hidden, seed=seed), certificate=certificate)
    return case | {"problem": _echo(problem), "hidden": hidden, "seed": seed, "_problem": problem}


def _echo(problem: Problem) -> str:
    """The JSON of what the numbers depend on, without the keys that have columns of their own."""
    known = problem.to_mapping()
    network = {name: value for name, value in known["network"].items() if name not in ("hidden", "seed")}
    sections = {"data": known["data"], "network": network, "loss": known["loss"]}
    sections["training"] = {"step_size": known["training"]["step_size"]}
    return json.dumps(sections, ensure_ascii=True, allow_nan=False)


def _problem(key: str, text: str, folder: Path) -> Problem:
    """The problem, with data paths relative to the grid's folder."""
    if not text.endswith(".toml"):
        return problem_from_mapping(json.loads(text), folder)
    try:
        found = load_problem(folder / text)
    except ProblemError as error:
        raise ProblemError(f"{key}: {error}") from None
    source = found.data.source
    if found.data.kind in (".csv", ".npz"):
        source = str(Path(text).parent / source)
    return replace(found, data=replace(found.data, source=source, folder=folder))


@dataclass(frozen=True)
class _Drawn:
    """A network made ready. point: None where ``refusal`` says why no certificate can exist."""

    setup: Setup
    snapshot: Snapshot
    theta: Any
    point: Point | None
    refusal: str


def _drawn(problem: Problem) -> _Drawn:
    setup, theta = prepare(problem)
    found = setup.finite_snapshot(theta)
    if found is None:
        raise ProblemError("the network's outputs or kernel at these weights exceed double precision")
    if setup.refusal is not None:
        return _Drawn(setup, found, theta, None, setup.refusal[1])
    return _Drawn(setup, found, theta, setup.point(theta, 0, found), "")


def make(case: Mapping[str, Any]) -> Iterator[Entry]:
    """The entries of one network; without bounds of the activation, or L and mu of the loss, only the kernel's eigenvalues."""

    @functools.cache
    def drawn() -> _Drawn:
        return _drawn(case["_problem"])

    @functools.cache
    def known() -> tuple[dict[str, Any], str]:
        return _known(drawn(), case["target"])

    @functools.cache
    def certificate() -> certificates.Found:
        found = drawn()
        if found.point is None:
            return certificates.Found("", {}, found.refusal, FLOATING_POINT, DIGITS)
        asked = case["_problem"].training.step_size
        judged = found.setup.certify_at(found.theta, found.point, None if asked == "certified" else float(asked))
        return certificates.Found.of_network(judged, FLOATING_POINT, DIGITS)

    def entry(
        name: str, symbol: str, formula: tuple[str, str], rounding: Rounding, source: str, compute: Callable[[], Value]
    ) -> Entry:
        return Entry(name, symbol, *formula, rounding, "at the drawn weights", NORMALIZATION, source, compute)

    def of(name: str) -> Callable[[], Value]:
        def compute() -> Value:
            if drawn().point is None:
                return missing(drawn().refusal)
            values, whether = known()
            if name not in values:
                return missing("the smallest eigenvalue cannot be told from 0")
            return _measured(values[name], whether if name in ("R", "q") else "")

        return compute

    near, up = Rounding.NEAREST, Rounding.UP
    for name, symbol, index in (("lambda0", r"\lambda_0", 0), ("lambda_max", r"\lambda_{\max}", -1)):
        formula = (f"lambda_{'min' if index == 0 else 'max'}(K_0)", rf"\lambda_{{\{'min' if index == 0 else 'max'}}}(K_0)")
        yield entry(name, symbol, formula, near, SOURCE, _eigenvalue(drawn, index))
    yield entry("s0", "s_0", ("sqrt(2*(h(f_0) - h*)/mu)", r"\sqrt{2(h(f_0)-h^*)/\mu}"), near, SOURCE, of("s0"))
    yield entry("R", "R^*", _formula("R"), up, "Theorem F's radius at the measured numbers", of("R"))
    yield entry("beta", r"\beta(R^*)", ("E4 on B(R*)", r"\beta(R^*)"), up, "Theorem E: theorems.ball", of("beta"))
    yield entry("q", "q(R^*)", _formula("q"), up, "Theorem F's quotient at the measured numbers", of("q"))
    yield entry("Lambda", r"\Lambda(R^*)", _formula("Lambda"), up, "Theorem E: |DF|^2 on B(R*)", of("Lambda"))
    yield from certificates.entries(entry, certificate, "verify.certificate")


KIND = Kind("measured", "Constants of drawn networks", fixed(KEYS), make, _finish)


def _formula(name: str) -> tuple[str, str]:
    item = next(constant for constant in theorem("F").constants if constant.name == name)
    return str(item.expression), latex(item.expression)


def _measured(ball: Any, whether: str = "") -> Value:
    if not ball.is_finite():
        return missing("not enclosed at these numbers")
    with working_precision():
        low, high = lower(ball), upper(ball)
    return Value(Fraction(decimal_below(low, DIGITS)), Fraction(decimal_above(high, DIGITS)), FLOATING_POINT, whether)


def _eigenvalue(drawn: Callable[[], _Drawn], index: int) -> Callable[[], Value]:
    def compute() -> Value:
        found = drawn().snapshot
        if not math.isfinite(found.errors.eigenvalue):
            return missing("the rounding error has no bound without a bound of the activation's second derivative")
        with working_precision():
            return _measured(ball_from_float_with_error(float(found.eigenvalues[index]), found.errors.eigenvalue))

    return compute


def _known(drawn: _Drawn, target: Fraction) -> tuple[dict[str, Any], str]:
    """Theorem F's numbers at the measured ones, and whether some step certifies on B(R*) (``theorems.apriori.constants``)."""
    point = drawn.point
    assert point is not None
    record = theorem("F")
    with working_precision():
        lambda0 = ball_from_float_with_error(point.lambda_min, point.eigenvalue_error)
        s0 = ball_from_float_with_error(point.residual, point.residual_error)
        if not lambda0 > 0:
            return {"s0": s0}, "no: H3"
        goal = BALL.numbers(target)
        radius = 2 * s0 / (BALL.sqrt(lambda0) * (1 + BALL.sqrt(1 - goal)))
        constants = drawn.setup.loss_constants
        assert constants is not None
        values = {
            "L": BALL.numbers(constants.smoothness.upper),
            "mu": BALL.numbers(constants.mu.lower),
            "lambda0": lambda0,
            "lambda_max": ball_from_float_with_error(point.lambda_max, point.eigenvalue_error),
            "s0": s0,
            "beta": ball_bounds(point.signals_in_balls(), radius, BALL).beta,
            "q_target": goal,
        }
        found = record.evaluate_constants({str(item.symbol): values[str(item.symbol)] for item in record.quantities}, BALL)
        # lambda0 <= lambda_max are eigenvalues of one matrix; of a single point they are one number, which balls cannot order.
        return found, applies(record, found, given=("spectrum",))
