"""The events of an a-priori bound, and how the probability of failure is split over them.

Each event is a finite family of statements, each of which fails with probability at most exp(-t^2/2) for the family's number t.
A family of N statements with the share p of the failure probability gets t = sqrt(2 ln(N/p)): together they fail with
probability at most p, and all events together with at most delta, the sum of the shares. By default the shares are equal;
``weights`` makes them proportional to these numbers.

A standard normal g exceeds t >= 0 in modulus with probability erfc(t/sqrt 2) <= exp(-t^2/2), so no factor 2 is lost on two sides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

import sympy

from theorems.apriori.blueprint import Blueprint
from theorems.arithmetic import Arithmetic
from theorems.errors import InputError, nearest
from theorems.exact import exactly

EVENTS = {
    "operator_norms": "|W_l| <= sqrt(m_l) + sqrt(m_{l-1}) + t for standard normal W_l, l = 2..L (sqrt(m_{L-1}) + t for W_L, k = 1)",
    "signals": "|z_l(x_i)| <= p_l(x_i) (sqrt(m_l) + t) for every hidden layer and point",
    "units": "|z_{l,j}(x_i)| <= t p_l(x_i) for every unit of the layers 1..L-2 and point",
    "columns": "|W_{l+1} e_j| <= sqrt(m_{l+1}) + t for every unit of the layers 1..L-2",
    "leave_one_out": "|delta'^T W_{l+1} e_j| <= t |delta'|, delta' = delta^(j)_{l+1}, for units of layers 1..L-2 and points",
    "output_weights": "the columns of a standard normal W_L are at most t long (sqrt(k) + t for k outputs)",
    "initial_output": "|f_0|_nu is at most its root mean square (1 + t), or (1 + 2t) for an output layer of +-1",
    "initial_bias": "an output layer of +-1 has an output bias of length at most t (sqrt(k) + t for k outputs)",
    "eigenvalue": "lambda_min(K_0) >= lambda0",
    "moments": "the empirical even moments are at most the bounds given",
}


class Tails(Protocol):
    """The number t of each event."""

    def tail(self, event: str, arithmetic: Arithmetic) -> Any:
        """The number t for which the event is meant."""
        ...


@dataclass(frozen=True)
class Budget:
    """The share of the failure probability of every event that occurs, and the number of its statements."""

    shares: Mapping[str, Any]
    counts: Mapping[str, Any]

    @property
    def total(self) -> Any:
        """delta: with probability at least 1 - delta every event holds."""
        return sum(self.shares.values())

    def tail(self, event: str, arithmetic: Arithmetic) -> Any:
        """t = sqrt(2 ln(N/p)) for an event of the weights."""
        count, share = (arithmetic.numbers(x[event]) for x in (self.counts, self.shares))
        return arithmetic.sqrt(arithmetic.multiply(2, arithmetic.log(arithmetic.divide(count, share))))


def event_counts(plan: Blueprint, *, centered: bool = True, eigenvalue: bool = True, sampled: bool = False) -> dict[str, Any]:
    """The events that bounds for this network need, each with its number of statements.

    Arguments: ``centered``, whether the initial function is subtracted; ``eigenvalue``, whether lambda0 is counted among the events
    (not when it is granted without failure); ``sampled``, whether the points are drawn from a law, so that their moments may fail.
    """
    inner = sum(plan.hidden[:-1])  # the units of the layers 1..L-2
    norms = plan.layers - 1 if plan.gaussian_output else plan.layers - 2
    signs_have_bias = not plan.gaussian_output and plan.has_bias
    counts = {
        "operator_norms": norms,
        "signals": plan.points * (plan.layers - 1),
        "units": plan.points * inner,
        "columns": inner,
        "leave_one_out": plan.points * inner,
        "output_weights": plan.hidden[-1] if plan.gaussian_output else 0,
        "initial_output": 0 if centered else 1,
        "initial_bias": 1 if not centered and signs_have_bias else 0,
        "eigenvalue": 1 if eigenvalue else 0,
        "moments": 1 if sampled else 0,
    }
    return {event: count for event, count in counts.items() if count != 0}


def budget(counts: Mapping[str, Any], failure_probability: Any, weights: Mapping[str, Any] | None = None) -> Budget:
    """Split the failure probability delta over the events: equally, or in proportion to ``weights``.

    Arguments: ``counts``, as ``event_counts`` returns them. ``failure_probability``, an exact number in (0, 1) or a symbol declared
    positive. ``weights``, positive exact numbers by event, 1 where an event is not named.

    Raises InputError for anything else.
    """
    delta = _probability(failure_probability)
    parts = {event: Fraction(1) for event in counts}
    for event, weight in (weights or {}).items():
        if event not in EVENTS:
            raise InputError(f"weights names an unknown event {event!r}{nearest(str(event), EVENTS)} (known: {', '.join(EVENTS)})")
        if event not in parts:
            continue  # an event that this network does not have
        parts[event] = exactly(weight)
        if parts[event] <= 0:
            raise InputError(f"the weight of the event {event!r} must be positive, got {weight!r}")
    total = sum(parts.values())
    scale = {event: part / total for event, part in parts.items()}
    if isinstance(delta, Fraction):
        shares = {event: delta * part for event, part in scale.items()}
    else:
        shares = {event: delta * sympy.Rational(part.numerator, part.denominator) for event, part in scale.items()}
    return Budget(shares, dict(counts))


def _probability(value: Any) -> Any:
    if isinstance(value, sympy.Symbol) and value.is_positive:
        return value
    exact = exactly(value)
    if not 0 < exact < 1:
        raise InputError(f"failure_probability must lie strictly between 0 and 1, got {value!r}")
    return exact
