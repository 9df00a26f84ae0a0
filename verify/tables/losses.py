"""The loss of a case: its keys, and what an a-priori certificate needs of it, for a data set or for targets of which the values are
known."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from theorems.arithmetic import BALL, upper, working_precision
from theorems.errors import InputError
from theorems.losses import RIDGED_LOSSES, Loss, loss
from theorems.records import evaluate_expression
from verify import fields
from verify.apriori.prior import loss_numbers
from verify.data import Dataset
from verify.errors import ProblemError
from verify.fields import one_line, unwanted
from verify.options import LossOptions
from verify.tables.keys import Key, canonical, decoded, exact_decimal, nonnegative, positive, text

DEFAULT_RIDGE = Fraction(1, 10)
_WEIGHTS = '"balanced", or a list of positive numbers'
_TARGETS = "a list of the values that the targets take, such as [-1, 1]"


def _weights(key: str, value: Any) -> str | tuple[Fraction, ...]:
    if value == "balanced":
        return "balanced"
    return fields.entries(key, decoded(key, value, _WEIGHTS), _WEIGHTS, positive)


def _targets(key: str, value: Any) -> tuple[Fraction, ...]:
    return tuple(sorted(set(fields.entries(key, decoded(key, value, _TARGETS), _TARGETS, _target))))


def _target(key: str, value: Any) -> Fraction:
    exact = exact_decimal(value) if isinstance(value, str) else value
    if isinstance(exact, bool) or not isinstance(exact, int | Fraction):
        raise unwanted(key, "an exact number", value)
    return Fraction(exact)


def _listed(value: Any) -> str:
    return value if isinstance(value, str) else canonical(value)


KEYS = (
    Key("loss", text, default="square", shown=True),
    Key("ridge", nonnegative),
    Key("loss_weights", _weights, _listed, depth=1),
    Key("targets", _targets, _listed, depth=1),
    Key("label_norm", positive),
)


def chosen(where: str, case: Mapping[str, Any]) -> tuple[dict[str, Any], Loss]:
    """The case with the ridge filled in, and its loss; raises ProblemError for keys that do not belong together."""
    name, ridge = case["loss"], case.get("ridge")
    if ridge is None and name in RIDGED_LOSSES:
        ridge = DEFAULT_RIDGE
    try:
        found = loss(name, ridge)
    except InputError as error:
        raise ProblemError(f"{where}.loss: {one_line(error)}") from None
    if found.weighted and "loss_weights" not in case:
        raise ProblemError(f"{where}.loss_weights is missing: {name} needs {_WEIGHTS}")
    if not found.weighted and "loss_weights" in case:
        raise ProblemError(f"{where}.loss_weights belongs to weighted_square and not to the loss {name!r}")
    return dict(case) if ridge is None else {**case, "ridge": ridge}, found


def options(case: Mapping[str, Any]) -> LossOptions:
    """The [loss] section that weighs the points of a data set; the targets are judged by the loss itself, exactly."""
    weights = case.get("loss_weights")
    if weights is None:
        return LossOptions()
    return LossOptions(case["loss"], weights=weights if isinstance(weights, str) else tuple(float(x) for x in weights))


def numbers_on_data(found: Loss, data: Dataset) -> dict[str, Any]:
    """L, mu, the labels' size and s(0), from the targets of a data set, by the names of ``theorems.apriori.constants.Prior``."""
    return loss_numbers(found, data)


def numbers_for_targets(where: str, case: Mapping[str, Any], found: Loss) -> dict[str, Any]:
    """The same for points of a law, whose targets are any of the values given: bounds that hold however often each of them occurs.

    With k outputs h(0) - h* <= k max_t (loss(0, t) - min_y loss(y, t)), and |y*|_nu <= sqrt(k) max_t |y*(t)|. For the square loss
    ``label_norm``, 1 by default, may stand in the place of the values.
    """
    if found.weighted:
        raise ProblemError(f"{where}.loss = {case['loss']!r} weighs the points of a data set and not those of a law")
    targets = case.get("targets")
    if targets is None and not found.is_square:
        raise ProblemError(f"{where}.targets is missing: with a law the loss {case['loss']!r} needs {_TARGETS}")
    if "label_norm" in case and (targets is not None or not found.is_square):
        raise ProblemError(f"{where}.label_norm belongs to the square loss without targets, got {case['label_norm']}")
    if targets is None:
        return {"label_norm": case.get("label_norm", Fraction(1))}
    given: Any = [_checked(where, found, target) for target in targets]  # exact: a double is only one kind of exact number
    constants = found.constants(given)
    mu, smoothness = constants.mu.lower, constants.smoothness.upper
    with working_precision():
        outputs = BALL.numbers(case["outputs"])
        places = [found.minimizer(t) for t in given]
        size = max(max(abs(place.lower), abs(place.upper)) for place in places)
        known = {"label_norm": upper(BALL.sqrt(outputs) * BALL.numbers(size)), "smoothness": smoothness, "mu": mu}
        if found.is_square:
            return known
        gap = max(upper(_excess(found, t)) for t in given)
        return {**known, "zero_residual": upper(BALL.sqrt(2 * outputs * BALL.numbers(max(gap, Fraction(0))) / BALL.numbers(mu)))}


def _excess(found: Loss, target: Fraction) -> Any:
    """loss(0, t) - min loss(., t), bounded from above by the upper end."""
    values = {"y": BALL.numbers(0), "t": BALL.numbers(target)}
    return evaluate_expression(found.expression, values, BALL) - BALL.numbers(found.minimum(target).lower)  # type: ignore[arg-type]


def _checked(where: str, found: Loss, target: Fraction) -> Fraction:
    allowed = found.allowed_targets
    if allowed and target not in allowed:
        raise ProblemError(
            f"{where}.targets of the loss {found.name!r} must be {' or '.join(f'{t:+d}' for t in allowed)}, got {target}"
        )
    return target
