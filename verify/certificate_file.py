"""The file format overparam-certificate-2: certificate.json, read as if an enemy had written it.

This module and its neighbors (``verify.certificate_arrays`` for the .npz beside it, ``verify.certificate_expression`` for the text
of an activation) know what a certificate says, not whether it is true: names, decimal strings as the rationals they denote, arrays
as the doubles they are. They compute nothing, so that the program that makes certificates and the one that checks them may share
them. Whatever is malformed, truncated or too large ends in a ProblemError of one sentence.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, NoReturn

from verify.certificate_consequences import CONSEQUENCE_KEYS, Consequences, NormBounds, parse_consequences, parse_norms
from verify.certificate_expression import EXPRESSION_LENGTH, Tree, parse_activation
from verify.certificate_fields import closed, decimals, parse_decimal
from verify.errors import ProblemError
from verify.fields import boolean, choice, entries, integer, nonnegative, number, one_line, positive, show, text, unwanted
from verify.files import regular_file

SCHEMA = "overparam-certificate-2"
TOP_KEYS = (
    *("schema", "theorem", "rigor", "step", "arrays", "network", "loss"),
    *("bounds", "given", "constants", "hypotheses", "conclusions", "inexact", "consequences"),
)
NETWORK_KEYS = ("activation", "sizes", "weight_scale", "bias_scale", "output_scale", "trained")
BOUND_KEYS = (
    *("slope", "curvature", "operator_norms", "forward_norms", "gram_norms"),
    *("schur", "backward_sup", "backward_norms"),
)
GIVEN_KEYS = ("mu", "smoothness", "lambda0", "lambda_max", "residual", "beta", "ball_radius", "step_size")
#: Which constant of the theorem each conclusion bounds, on the side that its name tells.
CONCLUSIONS = {
    "path_length_at_most": "rbar",
    "residual_factor_at_most": "rate",
    "smallest_eigenvalue_at_least": "lambda_floor",
    "summed_residuals_at_most": "Tbar",
}
INEXACT_KEYS = ("gradient_error", "steps", "floor")
#: The names of each theorem's constants, in the order in which they are checked.
CONSTANTS = {
    "A-square": ("Lambda", "kappa", "beta_prime", "q", "rbar", "rate", "lambda_floor", "Tbar"),
    "A": ("Lambda", "kappa", "beta_prime", "q", "rbar", "rate", "lambda_floor", "Tbar"),
    "A+": ("Lambda", "kappa", "d_max", "sigma_tilde", "q", "rbar", "rate", "lambda_floor", "Tbar"),
    "A0": ("Lambda", "L_J", "k0", "kappa", "q", "rbar", "gap_rate", "rate", "lambda_floor", "Tbar"),
}
#: The hypotheses of each theorem, in order, and whether the margin must be positive (True) or nonnegative (False).
HYPOTHESES = {
    "A-square": (("H3", True), ("step", False), ("q", True), ("radius", True)),
    "A": (("H3", True), ("step", False), ("kappa", True), ("q", True), ("radius", True)),
    "A+": (("H3", True), ("step", False), ("kappa", True), ("sigma", True), ("q", True), ("radius", True)),
    "A0": (("H3", True), ("step", True), ("q", True), ("radius", True)),
}
JSON_BYTES = 1 << 21
LAYERS = 64
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,120}\.npz")


@dataclass(frozen=True)
class Network:
    """sizes: m_0 = d, m_1, ..., m_L = k. expression: the activation as a tree. Scales: the doubles sigma_w, sigma_b, alpha."""

    activation: str
    expression: Tree
    sizes: tuple[int, ...]
    weight_scale: float
    bias_scale: float
    output_scale: float
    trained: tuple[bool, ...]


@dataclass(frozen=True)
class Bounds:
    """Upper bounds of norms at theta, under the names and with the shapes of the file."""

    slope: Fraction
    curvature: Fraction
    norms: NormBounds[Fraction]
    gram_norms: tuple[Fraction, ...]
    schur: Fraction


@dataclass(frozen=True)
class Given:
    """The rationals at which the theorem is evaluated."""

    mu: Fraction
    smoothness: Fraction
    lambda0: Fraction
    lambda_max: Fraction
    residual: Fraction
    beta: Fraction
    ball_radius: Fraction
    step_size: Fraction


@dataclass(frozen=True)
class Enclosure:
    """lower <= exact value <= upper, as the file claims."""

    lower: Fraction
    upper: Fraction


@dataclass(frozen=True)
class Inexact:
    """A run whose gradients err by at most gradient_error follows the envelope for ``steps`` steps, down to ``floor``."""

    gradient_error: Fraction
    steps: int
    floor: Fraction


@dataclass(frozen=True)
class Certificate:
    """The content of certificate.json. margins: of HYPOTHESES[theorem], in that order. ridge: the double, or None."""

    theorem: str
    step: int
    file: str
    sha256: str
    network: Network
    loss: str
    ridge: float | None
    bounds: Bounds
    given: Given
    constants: dict[str, Enclosure]
    margins: tuple[Enclosure, ...]
    conclusions: dict[str, Fraction]
    inexact: Inexact | None
    consequences: Consequences[Fraction]


def read_certificate(path: Path) -> Certificate:
    """Return what certificate.json says; raises ProblemError with one sentence when it is not such a file."""
    top = _json_object(path)
    if str(top.get("schema", "")).startswith("overparam-result"):
        raise ProblemError(f"{str(path)!r} is a result, not a certificate: check the certificate.json beside it")
    choice("schema", top.get("schema"), [SCHEMA])
    top = closed("the certificate", top, TOP_KEYS)
    theorem = choice("theorem", top["theorem"], list(CONSTANTS))
    choice("rigor", top["rigor"], ["rigorous"])
    arrays = closed("arrays", top["arrays"], ("file", "sha256"))
    loss = closed("loss", top["loss"], ("name", "ridge"))
    given = closed("given", top["given"], GIVEN_KEYS)
    step_size = Fraction(positive("given.step_size", given.pop("step_size")))
    conclusions = closed("conclusions", top["conclusions"], tuple(CONCLUSIONS))
    constants = closed("constants", top["constants"], CONSTANTS[theorem])
    return Certificate(
        theorem=theorem,
        step=integer("step", top["step"], 0),
        file=_matching("arrays.file", arrays["file"], _FILE_NAME, "a bare file name ending in .npz"),
        sha256=_matching("arrays.sha256", arrays["sha256"], re.compile("[0-9a-f]{64}"), "64 hexadecimal digits"),
        network=_network(closed("network", top["network"], NETWORK_KEYS)),
        loss=text("loss.name", loss["name"]),
        ridge=None if loss["ridge"] is None else nonnegative("loss.ridge", loss["ridge"]),
        bounds=_bounds(closed("bounds", top["bounds"], BOUND_KEYS)),
        given=Given(**{name: parse_decimal(value, f"given.{name}") for name, value in given.items()}, step_size=step_size),
        constants={name: _enclosure(f"constants.{name}", value) for name, value in constants.items()},
        margins=_margins(top["hypotheses"], HYPOTHESES[theorem]),
        conclusions={name: parse_decimal(value, f"conclusions.{name}") for name, value in conclusions.items()},
        inexact=_inexact(top["inexact"], theorem),
        consequences=parse_consequences(closed("consequences", top["consequences"], CONSEQUENCE_KEYS)),
    )


def _json_object(path: Path) -> dict[str, Any]:
    what = f"the certificate {str(path)!r}"
    content = bounded_content(path, what, JSON_BYTES)
    try:
        value = json.loads(
            content.decode("utf-8"),
            object_pairs_hook=_without_duplicates,
            parse_constant=_refused_constant,
            parse_int=_short_integer,
        )
    except ProblemError:
        raise
    except (ValueError, RecursionError) as error:
        raise ProblemError(f"{what} is not JSON: {(one_line(error) or type(error).__name__)[:200]}") from None
    if not isinstance(value, dict):
        raise unwanted(what, "a JSON object", value)
    return value


def bounded_content(path: Path, what: str, limit: int) -> bytes:
    """Return the bytes of a regular file of at most ``limit`` bytes; ``what`` begins the message of a ProblemError."""
    try:
        with open(regular_file(path, what), "rb") as file:
            content = file.read(min(os.fstat(file.fileno()).st_size, limit) + 1)  # a read makes room for all it is asked for
    except OSError as error:
        raise ProblemError(f"{what} cannot be read: {one_line(error)}") from None
    if len(content) > limit:
        raise ProblemError(f"{what} must have at most {limit} bytes, and has more")
    return content


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    known = dict(pairs)
    if len(known) != len(pairs):
        raise ProblemError(f"a key must not be given twice, got {show([name for name, _ in pairs])}")
    return known


def _refused_constant(name: str) -> NoReturn:
    raise ProblemError(f"numbers must be finite, got {name}")


def _short_integer(digits: str) -> int:
    if len(digits) > 20:
        raise ProblemError(f"integers must have at most 20 digits, got one of {len(digits)}")
    return int(digits)


def _matching(key: str, value: object, pattern: re.Pattern[str], wanted: str) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise unwanted(key, wanted, value)
    return value


def _enclosure(key: str, value: object) -> Enclosure:
    ends = closed(key, value, ("lower", "upper"))
    return Enclosure(parse_decimal(ends["lower"], f"{key}.lower"), parse_decimal(ends["upper"], f"{key}.upper"))


def _network(value: dict[str, Any]) -> Network:
    sizes = entries("network.sizes", value["sizes"], "a list of sizes", lambda key, item: integer(key, item, 1))
    if not 2 <= len(sizes) <= LAYERS + 1:
        raise unwanted("network.sizes", f"a list of 2 to {LAYERS + 1} sizes", list(sizes))
    trained = entries("network.trained", value["trained"], "a list of true and false", boolean)
    if len(trained) != len(sizes) - 1 or not any(trained):
        raise unwanted("network.trained", f"a list of {len(sizes) - 1} booleans, one of them true", list(trained))
    activation = text("network.activation", value["activation"], longest=EXPRESSION_LENGTH)
    return Network(
        activation=activation,
        expression=parse_activation(activation),
        sizes=sizes,
        weight_scale=positive("network.weight_scale", value["weight_scale"]),
        bias_scale=nonnegative("network.bias_scale", value["bias_scale"]),
        output_scale=number("network.output_scale", value["output_scale"], wanted="a finite number", accept=lambda x: True),
        trained=trained,
    )


def _bounds(value: dict[str, Any]) -> Bounds:
    return Bounds(
        slope=parse_decimal(value["slope"], "bounds.slope"),
        curvature=parse_decimal(value["curvature"], "bounds.curvature"),
        norms=parse_norms("bounds", value),
        gram_norms=decimals("bounds.gram_norms", value["gram_norms"]),
        schur=parse_decimal(value["schur"], "bounds.schur"),
    )


def _margins(value: object, wanted: tuple[tuple[str, bool], ...]) -> tuple[Enclosure, ...]:
    names = ", ".join(name for name, _ in wanted)
    if not isinstance(value, list) or len(value) != len(wanted):
        raise unwanted("hypotheses", f"the list of the theorem's hypotheses {names}", value)
    margins = []
    for (name, strict), item in zip(wanted, value, strict=True):
        entry = closed("a hypothesis", item, ("id", "strict", "margin"))
        choice("id of a hypothesis", entry["id"], [name])
        if boolean(f"strict of the hypothesis {name!r}", entry["strict"]) is not strict:
            raise unwanted(f"strict of the hypothesis {name!r}", str(strict).lower(), entry["strict"])
        margins.append(_enclosure(f"margin of the hypothesis {name!r}", entry["margin"]))
    return tuple(margins)


def _inexact(value: object, theorem: str) -> Inexact | None:
    if value is None:
        return None
    if theorem not in ("A", "A-square"):
        raise unwanted("inexact", f"null for the theorem {theorem}", value)
    entry = closed("inexact", value, INEXACT_KEYS)
    return Inexact(
        gradient_error=parse_decimal(entry["gradient_error"], "inexact.gradient_error"),
        steps=integer("inexact.steps", entry["steps"], 0),
        floor=parse_decimal(entry["floor"], "inexact.floor"),
    )
