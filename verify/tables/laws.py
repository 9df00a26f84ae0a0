"""Even moments of laws of the data, and bounds of the empirical moments of a sample."""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import sympy

from theorems.arithmetic import BALL, working_precision
from theorems.errors import InputError, nearest
from theorems.laws import LAWS, Law, law_maker
from theorems.laws.record import MAX_INDEX
from theorems.laws.sampling_bounds import INDEPENDENT, METHODS
from theorems.records import evaluate_expression
from verify import fields
from verify.errors import ProblemError
from verify.fields import unwanted
from verify.tables.keys import Key, Symbol, canonical, decoded, exact_decimal, integer, positive, probability
from verify.tables.kind import Kind, fixed
from verify.tables.points import exact_rows, load_points, read_data
from verify.tables.records import Entry, Rounding, Value, missing, of_ball

LARGEST_ORDER = MAX_INDEX  # so that moments of twice the order are computed too
NORMALIZATION = "|x| is the Euclidean norm in R^d, not divided by d or by its root"
_WANTED = 'the name of a law, or a table such as {name = "student", degrees_of_freedom = 9}'


def read_law(key: str, value: Any) -> str:
    """The text of a law: its name, or the JSON of a table of its name and parameters."""
    if isinstance(value, str) and not value.lstrip().startswith("{"):
        return _known(key, value)
    table = decoded(key, value, _WANTED)
    if not isinstance(table, Mapping) or not isinstance(table.get("name"), str):
        raise unwanted(key, _WANTED, value)
    _known(f"{key}.name", table["name"])
    return canonical({name: _parameter(f"{key}.{name}", name, item) for name, item in table.items()})


def _known(key: str, name: str) -> str:
    if name not in LAWS:
        raise ProblemError(f"{key} must be one of {', '.join(LAWS)}, got {name[:60]!r}{nearest(name, LAWS)}")
    return name


def _parameter(key: str, name: str, value: Any) -> Any:
    if name == "name":
        return value
    if name == "law":
        return json.loads(canonical_law(key, value))
    if name == "laws":
        return fields.entries(key, value, "a list of laws", lambda place, item: json.loads(canonical_law(place, item)))
    if name == "data":
        return json.loads(read_data(key, value))
    if isinstance(value, list | tuple):
        return [_parameter(f"{key}[{i}]", "", item) for i, item in enumerate(value)]
    exact = exact_decimal(value) if isinstance(value, str) else value
    if exact is None or isinstance(exact, bool) or not isinstance(exact, int | Fraction):
        raise unwanted(key, "an exact number", value)
    return str(Fraction(exact))


def canonical_law(key: str, value: Any) -> str:
    """A nested law as JSON: a table, whatever way it was given."""
    found = read_law(key, value)
    return found if found.startswith("{") else canonical({"name": found})


def law_of(key: str, text: str, extra: Mapping[str, Any], folder: Path) -> Law:
    """The law of the text of ``read_law``; ``extra``, parameters given beside it.

    Raises ProblemError for parameters that the law does not have, or a value out of range.
    """
    table = json.loads(text) if text.startswith("{") else {"name": text}
    return _build(key, {**table, **extra}, folder)


def _build(key: str, table: Mapping[str, Any], folder: Path) -> Law:
    maker = law_maker(table["name"])
    known = tuple(inspect.signature(maker).parameters)
    arguments: dict[str, Any] = {}
    for name, value in table.items():
        if name == "name":
            continue
        if name == "data" and set(table) == {"name", "data"} and table["name"] == "empirical":
            inputs = load_points(f"{key}.data", json.dumps(value), folder).inputs
            return _of_points(inputs.tobytes(), inputs.shape)
        if name == "data" and "points" in known:
            arguments["points"] = exact_rows(load_points(f"{key}.data", json.dumps(value), folder).inputs)
        elif name not in known:
            hint = nearest(name, known) or f"; they are {', '.join(known)}"
            raise ProblemError(f"{key}: the law {table['name']!r} has no parameter {name!r}{hint}")
        elif name == "law":
            arguments[name] = _build(f"{key}.law", value, folder)
        elif name == "laws":
            arguments[name] = [_build(f"{key}.laws", item, folder) for item in value]
        else:
            arguments[name] = _exact(value)
    try:
        return maker(**arguments)
    except (InputError, TypeError) as error:
        raise ProblemError(f"{key} = {table['name']!r}: {error}") from None


@functools.lru_cache(maxsize=2)  # rows that differ in the order alone stand together
def _of_points(inputs: bytes, shape: tuple[int, int]) -> Law:
    """The empirical measure of points given as the bytes of doubles."""
    return LAWS["empirical"](points=exact_rows(np.frombuffer(inputs).reshape(shape)))


def _exact(value: Any) -> Any:
    if isinstance(value, Symbol):
        return sympy.Symbol(value.name, integer=True, positive=True)
    if isinstance(value, list):
        return [_exact(item) for item in value]
    found = Fraction(value)
    return int(found) if found.denominator == 1 else found


def _even(key: str, value: Any) -> int:
    order = integer()(key, value)
    if order % 2 or order > LARGEST_ORDER:
        raise unwanted(key, f"an even order from 2 to {LARGEST_ORDER}", value)
    return order


PARAMETERS = (
    Key("dimension", integer(), shown=True, symbol=True),
    Key("degrees_of_freedom", positive, shown=True, symbol=True),
)
KEYS = (
    Key("law", read_law, required=True, shown=True),
    *PARAMETERS,
    Key("order", _even, default=2, shown=True),
    Key("points", integer(), symbol=True),
    Key("failure_probability", probability, symbol=True),
)


def _finish(where: str, case: dict[str, Any], folder: Path) -> dict[str, Any]:
    if ("points" in case) != ("failure_probability" in case):
        raise ProblemError(f"{where}: points and failure_probability belong together, the bounds of a sample need both")
    return case | {"_law": law_in(where, case, folder)}


def law_in(where: str, case: Mapping[str, Any], folder: Path) -> Law:
    """The law of a case, with the parameters that stand beside it."""
    extra = {key.name: case[key.name] for key in PARAMETERS if key.name in case}
    return law_of(f"{where}.law", case["law"], extra, folder)


def make(case: Mapping[str, Any]) -> Iterator[Entry]:
    """The moment of one order, and the bounds of the empirical one. Raises InputError for a moment that does not exist."""
    law, order = case["_law"], case["order"]
    j = order // 2
    moment = law.even_moment(j)
    source = f"theorems.laws.{law.name}: {law.note or 'exact moments'}"
    exists = _condition(law, j)
    yield Entry(
        "moment",
        rf"E|x|^{{{order}}}",
        str(moment),
        _latex(moment),
        Rounding.NEAREST,
        f"E|x|^{order} exists{exists}",
        NORMALIZATION,
        source,
        lambda: _evaluated(moment),
    )
    if "points" not in case:
        return
    n, p = (_symbol_or_number(case[name]) for name in ("points", "failure_probability"))
    for method in ("markov", "chebyshev", "cantelli"):
        try:
            bound: sympy.Expr | None = METHODS[method](law, j, n, p)
            reason = ""
        except InputError as error:
            bound, reason = None, str(error)
        yield Entry(
            method,
            r"\frac{1}{n}\sum_i|x_i|^{" + str(order) + "}",
            "" if bound is None else str(bound),
            "" if bound is None else _latex(bound),
            Rounding.UP,
            f"{INDEPENDENT}; E|x|^{order if method == 'markov' else 2 * order} exists; with probability 1 - failure_probability",
            NORMALIZATION,
            "Theorem F-moments",
            _maybe(bound, reason),
        )


KIND = Kind("law", "Laws of the data", fixed(KEYS), make, _finish)


def _maybe(bound: sympy.Expr | None, reason: str) -> Any:
    return (lambda: missing(reason)) if bound is None else (lambda: _evaluated(bound))


def _condition(law: Law, j: int) -> str:
    condition = law.condition(j)
    return "" if condition is sympy.true else f": {condition}"


def _symbol_or_number(value: Any) -> sympy.Expr:
    if isinstance(value, Symbol):
        return sympy.Symbol(value.name, positive=True)
    exact = Fraction(value)
    return sympy.Rational(exact.numerator, exact.denominator)


def _evaluated(expression: sympy.Expr) -> Value:
    if expression.is_Rational:
        exact = Fraction(int(expression.p), int(expression.q))
        return Value(exact, exact)
    if expression.free_symbols:
        raise InputError(f"a number is needed, the symbol {sorted(map(str, expression.free_symbols))[0]!r} is left free")
    with working_precision():
        return of_ball(BALL.numbers(0) + evaluate_expression(expression, {}, BALL))


def _latex(expression: sympy.Basic) -> str:
    return str(sympy.latex(expression))
