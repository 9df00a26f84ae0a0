"""The part "consequences" of certificate.json: what B, C and H say of the certified run, read and not judged.

Each number is a bound that follows from the rest of the file; null claims nothing. See docs/rigor.md for what each one bounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from verify.certificate_fields import closed, decimal_or_null, decimal_rows, decimals, parse_decimal
from verify.fields import boolean, choice, entries, integer, number, positive, unwanted

CONSEQUENCE_KEYS = ("implicit", "lazy", "generalization")
IMPLICIT_KEYS = (
    *("outside_range_at_most", "excess_at_most", "distance_to_nearest_at_most"),
    *("distance_quotient_at_most", "nearest_is_unique"),
)
LAZY_KEYS = (
    *("kernel_change_at_most", "relative_change_at_most", "relative_layer_changes_at_most"),
    *("neuron_changes_at_most", "linearized_distance_at_most"),
)
CHOICE_KEYS = ("loss", "parameter", "failure_probability", "first_radius", "index", "centered")  # not bounds, but chosen
TERM_KEYS = (
    *("loss_slope_at_most", "distance_at_most", "kernel_mean_at_most", "linear_term_at_most", "curvature_term_at_most"),
    *("deviation_term_at_most", "gap_at_most", "empirical_loss_at_most", "expected_loss_at_most"),
    *("input_radius", "activation_slope_at_most", "input_slope_at_most"),
)
GENERALIZATION_KEYS = (*CHOICE_KEYS, "start", "curvatures_at_most", *TERM_KEYS)
NORM_KEYS = ("operator_norms", "forward_norms", "backward_sup", "backward_norms")
LOSSES = ("clipped", "ramp")
MOST_RADII = 1000


@dataclass(frozen=True)
class NormBounds:
    """Upper bounds of |W_l|, |h_{l-1}(x_i)|, |eta_l(i)|_inf and |delta_l(i)|; rows are layers, columns points."""

    operator_norms: tuple[Fraction, ...]
    forward_norms: tuple[tuple[Fraction, ...], ...]
    backward_sup: tuple[tuple[Fraction, ...], ...]
    backward_norms: tuple[tuple[Fraction, ...], ...]


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


@dataclass(frozen=True)
class Generalization:
    """H1 on B(r_j) about theta0 for the limit of the run, and the slope of H2.

    start: norms at theta0, whose weights are the arrays start_W1, ...; None where theta0 is theta. curvatures: beta_i for each
    point. terms: under TERM_KEYS.
    """

    choices: RiskChoices
    start: NormBounds | None
    curvatures: tuple[Fraction, ...]
    terms: dict[str, Fraction]


@dataclass(frozen=True)
class Consequences:
    """What follows from the certificate."""

    implicit: Implicit
    lazy: Lazy
    generalization: Generalization | None


def parse_consequences(value: dict[str, Any]) -> Consequences:
    """The records of the three parts; ProblemError with one sentence for what is not of the format."""
    judged = value["generalization"]
    return Consequences(
        _implicit(closed("consequences.implicit", value["implicit"], IMPLICIT_KEYS)),
        _lazy(closed("consequences.lazy", value["lazy"], LAZY_KEYS)),
        None if judged is None else _generalization(closed("consequences.generalization", judged, GENERALIZATION_KEYS)),
    )


def parse_norms(key: str, value: dict[str, Any]) -> NormBounds:
    """The four lists of norms; a network without hidden layers has no backward_sup."""
    no_rows = value["backward_sup"] == []
    return NormBounds(
        operator_norms=decimals(f"{key}.operator_norms", value["operator_norms"]),
        forward_norms=decimal_rows(f"{key}.forward_norms", value["forward_norms"]),
        backward_sup=() if no_rows else decimal_rows(f"{key}.backward_sup", value["backward_sup"]),
        backward_norms=decimal_rows(f"{key}.backward_norms", value["backward_norms"]),
    )


def _implicit(value: dict[str, Any]) -> Implicit:
    key = "consequences.implicit"
    return Implicit(
        outside_range=parse_decimal(value["outside_range_at_most"], f"{key}.outside_range_at_most"),
        excess=parse_decimal(value["excess_at_most"], f"{key}.excess_at_most"),
        distance_to_nearest=parse_decimal(value["distance_to_nearest_at_most"], f"{key}.distance_to_nearest_at_most"),
        distance_quotient=decimal_or_null(value["distance_quotient_at_most"], f"{key}.distance_quotient_at_most"),
        nearest_is_unique=_true_or_null(f"{key}.nearest_is_unique", value["nearest_is_unique"]),
    )


def _true_or_null(key: str, value: object) -> bool:
    """Whether something is claimed; false is refused, because it would read as a claim of the opposite."""
    if value is not None and value is not True:
        raise unwanted(key, "true or null", value)
    return value is True


def _lazy(value: dict[str, Any]) -> Lazy:
    key, layers = "consequences.lazy", "relative_layer_changes_at_most"
    return Lazy(
        kernel_change=parse_decimal(value["kernel_change_at_most"], f"{key}.kernel_change_at_most"),
        relative_change=decimal_or_null(value["relative_change_at_most"], f"{key}.relative_change_at_most"),
        relative_layer_changes=entries(
            f"{key}.{layers}", value[layers], "a list of decimal strings or null", lambda name, item: decimal_or_null(item, name)
        ),
        neuron_changes=decimals(f"{key}.neuron_changes_at_most", value["neuron_changes_at_most"]),
        linearized_distance=decimal_or_null(value["linearized_distance_at_most"], f"{key}.linearized_distance_at_most"),
    )


def _generalization(value: dict[str, Any]) -> Generalization:
    key, wanted = "consequences.generalization", "a number strictly between 0 and 1"
    start = value["start"]
    index = integer(f"{key}.index", value["index"], 1)
    if index > MOST_RADII:
        raise unwanted(f"{key}.index", f"an integer of at most {MOST_RADII}", index)
    choices = RiskChoices(
        loss=choice(f"{key}.loss", value["loss"], list(LOSSES)),
        parameter=positive(f"{key}.parameter", value["parameter"]),
        failure_probability=number(
            f"{key}.failure_probability", value["failure_probability"], wanted=wanted, accept=lambda x: 0 < x < 1
        ),
        first_radius=positive(f"{key}.first_radius", value["first_radius"]),
        index=index,
        centered=boolean(f"{key}.centered", value["centered"]),
    )
    return Generalization(
        choices=choices,
        start=None if start is None else parse_norms(f"{key}.start", closed(f"{key}.start", start, NORM_KEYS)),
        curvatures=decimals(f"{key}.curvatures_at_most", value["curvatures_at_most"]),
        terms={name: parse_decimal(value[name], f"{key}.{name}") for name in TERM_KEYS},
    )
