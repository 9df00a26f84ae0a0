"""The part "consequences" of certificate.json: what B, C and H say of the certified run, written and read, not judged.

Each number is a bound that follows from the rest of the file; null claims nothing. See docs/rigor.md for what each one bounds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from fractions import Fraction
from typing import Any, Generic, TypeVar

from verify.certificate_fields import closed, decimal, decimal_or_null, decimal_rows, decimals, decimals_or_null, outward
from verify.fields import boolean, choice, integer, number, positive, unwanted

CONSEQUENCE_KEYS = ("implicit", "lazy", "generalization")
TERM_KEYS = (
    *("loss_slope_at_most", "distance_at_most", "kernel_mean_at_most", "linear_term_at_most", "curvature_term_at_most"),
    *("deviation_term_at_most", "gap_at_most", "empirical_loss_at_most", "expected_loss_at_most"),
    *("input_radius", "activation_slope_at_most", "input_slope_at_most"),
)
LOSSES = ("clipped", "ramp")
MOST_RADII = 1000  # r_j beyond 2^999 r_1 is no radius of a run

Parser = Callable[[str, object], Any]
Number = TypeVar("Number", Fraction, Decimal)  # as it was read, or as it will be written


@dataclass(frozen=True)
class NormBounds(Generic[Number]):
    """Upper bounds of |W_l|, |h_{l-1}(x_i)|, |eta_l(i)|_inf and |delta_l(i)|; rows are layers, columns points."""

    operator_norms: tuple[Number, ...]
    forward_norms: tuple[tuple[Number, ...], ...]
    backward_sup: tuple[tuple[Number, ...], ...]
    backward_norms: tuple[tuple[Number, ...], ...]


@dataclass(frozen=True)
class Implicit:
    """B1 to B4: bounds of |(I - P) v|, |v| - |u|, |v - u| and |v|/|u|. nearest_is_unique: B5 applies at every nearest solution."""

    outside_range: Fraction
    excess: Fraction
    distance_to_nearest: Fraction
    distance_quotient: Fraction | None
    nearest_is_unique: bool


@dataclass(frozen=True)
class Lazy:
    """C1 to C3: bounds of |K_k - K_0|, of the relative change of the trained weights and of each layer, of the movement of any
    neuron's incoming weights in each layer, and of the distance to the linearized run."""

    kernel_change: Fraction
    relative_change: Fraction | None
    relative_layer_changes: tuple[Fraction | None, ...]
    neuron_changes: tuple[Fraction, ...]
    linearized_distance: Fraction | None


@dataclass(frozen=True)
class RiskChoices:
    """What H1 is stated about, chosen and not bounded: the "clipped" loss at b = parameter, or the "ramp" with that margin; the
    probability of failure; r_j = first_radius 2^(index - 1); whether f_theta0 is subtracted.
    """

    loss: str
    parameter: float
    failure_probability: float
    first_radius: float
    index: int
    centered: bool

    @property
    def largest(self) -> float:
        """b, the largest value of the loss."""
        return 1.0 if self.loss == "ramp" else self.parameter


@dataclass(frozen=True)
class StatedRisk(Generic[Number]):
    """H1 on B(r_j) about theta0 for the limit of the run, and the slope of H2.

    start: norms at theta0, whose weights are the arrays start_W1, ...; None where theta0 is theta. curvatures: beta_i for each
    point. terms: under TERM_KEYS.
    """

    choices: RiskChoices
    start: NormBounds[Number] | None
    curvatures: tuple[Number, ...]
    terms: Mapping[str, Number]

    @property
    def vacuous(self) -> bool:
        """Whether the bound says no more than that the loss is at most b."""
        return not Fraction(self.terms["expected_loss_at_most"]) < Fraction(self.choices.largest)


@dataclass(frozen=True)
class Consequences(Generic[Number]):
    """What follows from the certificate."""

    implicit: Implicit
    lazy: Lazy
    generalization: StatedRisk[Number] | None


def parse_consequences(value: dict[str, Any]) -> Consequences[Fraction]:
    """The records of the three parts; ProblemError with one sentence for what is not of the format."""
    judged = value["generalization"]
    return Consequences(
        Implicit(**_parsed("consequences.implicit", value["implicit"], IMPLICIT)),
        Lazy(**_parsed("consequences.lazy", value["lazy"], LAZY)),
        None if judged is None else _risk("consequences.generalization", judged),
    )


def consequences_json(record: Consequences[Decimal]) -> dict[str, Any]:
    """What ``parse_consequences`` reads: numbers rounded up, null where nothing is claimed."""
    judged = record.generalization
    return {
        "implicit": _written(record.implicit, IMPLICIT),
        "lazy": _written(record.lazy, LAZY),
        "generalization": None if judged is None else _risk_json(judged),
    }


def parse_norms(key: str, value: dict[str, Any]) -> NormBounds[Fraction]:
    """The four lists of norms, among others perhaps; a network without hidden layers has no backward_sup."""
    return NormBounds(**{name: parse(f"{key}.{name}", value[name]) for name, parse in NORMS.items()})


def _field(key: str) -> str:
    """The name of a record's field: what is bounded."""
    return key.removesuffix("_at_most")


def _parsed(where: str, value: object, table: Mapping[str, Parser]) -> dict[str, Any]:
    found = closed(where, value, tuple(table))
    return {_field(key): parse(f"{where}.{key}", found[key]) for key, parse in table.items()}


def _written(record: object, table: Mapping[str, Parser]) -> dict[str, Any]:
    return {key: _claimed(getattr(record, _field(key))) for key in table}


def _claimed(value: Any) -> Any:
    """A number as a decimal string, rounded up; null for what is not claimed."""
    if isinstance(value, tuple):
        return [_claimed(item) for item in value]
    if isinstance(value, Fraction):
        return outward(value, ROUND_CEILING)
    return str(value) if isinstance(value, Decimal) else value or None


def _risk(where: str, value: object) -> StatedRisk[Fraction]:
    found = closed(where, value, GENERALIZATION_KEYS)
    start = found["start"]
    return StatedRisk(
        choices=RiskChoices(**_parsed(where, {key: found[key] for key in CHOICES}, CHOICES)),
        start=None if start is None else parse_norms(f"{where}.start", closed(f"{where}.start", start, tuple(NORMS))),
        **_parsed(where, {key: found[key] for key in PER_POINT}, PER_POINT),
        terms={key: decimal(f"{where}.{key}", found[key]) for key in TERM_KEYS},
    )


def _risk_json(judged: StatedRisk[Decimal]) -> dict[str, Any]:
    return {
        **{key: getattr(judged.choices, key) for key in CHOICES},
        "start": None if judged.start is None else _written(judged.start, NORMS),
        **_written(judged, PER_POINT),
        **{key: _claimed(judged.terms[key]) for key in TERM_KEYS},
    }


def _true_or_null(key: str, value: object) -> bool:
    """Whether something is claimed; false is refused, because it would read as a claim of the opposite."""
    if value is not None and value is not True:
        raise unwanted(key, "true or null", value)
    return value is True


def _no_rows_or_rows(key: str, value: object) -> tuple[tuple[Fraction, ...], ...]:
    return () if value == [] else decimal_rows(key, value)


def _index(key: str, value: object) -> int:
    index = integer(key, value, 1)
    if index > MOST_RADII:
        raise unwanted(key, f"an integer of at most {MOST_RADII}", index)
    return index


def _loss(key: str, value: object) -> str:
    return choice(key, value, LOSSES)


def _probability(key: str, value: object) -> float:
    return number(key, value, wanted="a number strictly between 0 and 1", accept=lambda x: 0 < x < 1)


# The keys of each part, in the order in which they are written, and how their values are read.
NORMS: dict[str, Parser] = {
    "operator_norms": decimals,
    "forward_norms": decimal_rows,
    "backward_sup": _no_rows_or_rows,
    "backward_norms": decimal_rows,
}
IMPLICIT: dict[str, Parser] = {
    "outside_range_at_most": decimal,
    "excess_at_most": decimal,
    "distance_to_nearest_at_most": decimal,
    "distance_quotient_at_most": decimal_or_null,
    "nearest_is_unique": _true_or_null,
}
LAZY: dict[str, Parser] = {
    "kernel_change_at_most": decimal,
    "relative_change_at_most": decimal_or_null,
    "linearized_distance_at_most": decimal_or_null,
    "relative_layer_changes_at_most": decimals_or_null,
    "neuron_changes_at_most": decimals,
}
CHOICES: dict[str, Parser] = {  # no bounds
    "loss": _loss,
    "parameter": positive,
    "failure_probability": _probability,
    "first_radius": positive,
    "index": _index,
    "centered": boolean,
}
PER_POINT: dict[str, Parser] = {"curvatures_at_most": decimals}
GENERALIZATION_KEYS = (*CHOICES, "start", *PER_POINT, *TERM_KEYS)
