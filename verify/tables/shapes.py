"""The network of a case: layers, widths as multiples of one number, scales; the same keys for every kind that has one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from verify import fields
from verify.errors import ProblemError
from verify.tables.keys import Key, decoded, integer, listed_text, nonnegative, positive, text, trained, word

MOST_LAYERS = 8
_RATIOS = "a list of the ratios of the hidden layers' widths, such as [2, 1]"


def layer_count(key: str, value: Any) -> int:
    """The number of layers with weights: at least one hidden layer and the output."""
    found = integer(1, MOST_LAYERS)(key, value)
    if found < 2:
        raise ProblemError(f"{key} must be at least 2, one hidden layer and the output, got {found}")
    return found


def ratios(key: str, value: Any) -> tuple[int, ...]:
    """The widths of the hidden layers as multiples of one number."""
    return fields.entries(key, decoded(key, value, _RATIOS), _RATIOS, integer())


KEYS = (
    Key("activation", text, required=True, shown=True),
    Key("layers", layer_count, shown=True),
    Key("hidden", ratios, lambda value: json.dumps(list(value)), depth=1),
    Key("width", integer(), required=True, shown=True, symbol=True),
    Key("weight_scale", positive, default=1),
    Key("bias_scale", nonnegative, default=0),
    Key("output_scale", positive, default=1),
    Key("output_layer", word("signs", "gaussian"), default="signs"),
    Key("trained", trained, listed_text, default="all", depth=1),
)
HEAD, SCALES = KEYS[:4], KEYS[4:]


def shaped(where: str, case: dict[str, Any]) -> dict[str, Any]:
    """The case with ``layers`` and ``hidden`` filled in, each from the other: two layers, and equal widths, where neither is given.

    Raises ProblemError where they contradict each other or there are too many layers.
    """
    hidden = case.get("hidden")
    if hidden is None:
        layers = case.get("layers", 2)
        return case | {"layers": layers, "hidden": (1,) * (layers - 1)}
    if len(hidden) >= MOST_LAYERS:
        raise ProblemError(f"{where}.hidden must name at most {MOST_LAYERS - 1} layers, got {len(hidden)}")
    if case.get("layers", len(hidden) + 1) != len(hidden) + 1:
        raise ProblemError(f"{where}.layers must be {len(hidden) + 1}, one more than hidden has, got {case['layers']}")
    return case | {"layers": len(hidden) + 1}


def widths(case: Mapping[str, Any], multiple: int) -> tuple[int, ...]:
    """The widths of the hidden layers."""
    return tuple(part * multiple for part in case["hidden"])
