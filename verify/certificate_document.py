"""The certificate as a document of its own, ``certificate.json``: everything that is stated, nothing that is not checked.

Its format is that of ``verify.certificate_file``; ``overparam check`` re-derives it from the arrays beside it. Numbers that a
theorem is applied to are decimals, hence exact rationals; what follows from them is enclosed; conclusions are rounded outward.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from fractions import Fraction
from typing import Any

from theorems.errors import InputError
from theorems.records import Theorem
from verify.certificate import Certificate, Enclosed, Witness
from verify.certificate_consequences import consequences_json
from verify.certificate_fields import outward
from verify.certificate_file import BOUND_KEYS, CONCLUSIONS, GIVEN_KEYS, SCHEMA
from verify.consequences import CertifiedConsequences
from verify.floating_run import FloatingRun, NotCovered
from verify.rigor import Rigor, decimal_above
from verify.setup import Setup

# The keys of "given" and the symbols that they stand for, where these differ.
SYMBOLS = {"smoothness": "L", "residual": "s0", "ball_radius": "R"}
INEXACT_THEOREMS = ("A", "A-square")
# The error is rounded up to 6 digits, by a relative 1e-5 at most, and the floor is proportional to it.
INEXACT_ROOM = Fraction(10001, 10000)


def certificate_document(
    setup: Setup,
    certificate: Certificate,
    follows: CertifiedConsequences | None,
    arrays_sha256: str,
    on_ball: FloatingRun | NotCovered | None = None,
) -> dict[str, Any] | None:
    """The document of a rigorous certificate, or None for any other.

    follows: its consequences, None where nothing is certified. arrays_sha256: of certificate.npz beside it. on_ball: Theorem A1 on
    the certificate's ball.
    """
    if not certificate.certified or certificate.rigor is not Rigor.RIGOROUS:
        return None
    witness, theorem = certificate.witness, certificate.theorem
    assert witness is not None
    assert theorem is not None
    assert follows is not None
    return {
        "schema": SCHEMA,
        "theorem": theorem.id,
        "rigor": certificate.rigor.value,
        "step": certificate.step,
        "arrays": {"file": "certificate.npz", "sha256": arrays_sha256},
        "network": {
            "activation": setup.activation.name,
            "sizes": list(setup.architecture.sizes),
            "weight_scale": setup.architecture.weight_scale,
            "bias_scale": setup.architecture.bias_scale,
            "output_scale": setup.architecture.output_scale,
            "trained": list(setup.architecture.trained),
        },
        "loss": {"name": setup.loss.name, "ridge": setup.problem.loss.ridge},
        "bounds": {name: texts(getattr(witness.bounds, name)) for name in BOUND_KEYS},
        "given": _given(witness, certificate.step_size),
        "constants": _constants(theorem, certificate),
        "hypotheses": _hypotheses(theorem, witness),
        "conclusions": {key: _conclusion(key, certificate.constants[name]) for key, name in CONCLUSIONS.items()},
        "inexact": _inexact(theorem, on_ball),
        "consequences": consequences_json(follows.stated),
    }


def _given(witness: Witness, step_size: float | None) -> dict[str, Any]:
    """The quantities of the theorem as decimals; the step size as the double that it is."""
    stated = {key: _text(witness.given[SYMBOLS.get(key, key)]) for key in GIVEN_KEYS if key != "step_size"}
    return stated | {"step_size": step_size}


def texts(decimals: Any) -> Any:
    """Nested tuples of decimals as lists of strings."""
    return [texts(entry) for entry in decimals] if isinstance(decimals, tuple) else str(decimals)


def _text(value: Fraction) -> str:
    """A rational that is a short decimal, as that decimal."""
    found = Decimal(value.numerator) / Decimal(value.denominator)
    if Fraction(found) != value:
        raise InputError(f"a stated number must be a short decimal, got {value}")
    return str(found)


def _ends(enclosed: Enclosed) -> dict[str, str]:
    return {"lower": outward(enclosed.lower, ROUND_FLOOR), "upper": outward(enclosed.upper, ROUND_CEILING)}


def _constants(theorem: Theorem, certificate: Certificate) -> dict[str, dict[str, str]]:
    return {constant.name: _ends(certificate.constants[constant.name]) for constant in theorem.constants}


def _hypotheses(theorem: Theorem, witness: Witness) -> list[dict[str, Any]]:
    return [{"id": h.id, "strict": h.strict, "margin": _ends(witness.margins[h.id])} for h in theorem.hypotheses]


def _inexact(theorem: Theorem, on_ball: FloatingRun | NotCovered | None) -> dict[str, Any] | None:
    """Theorem A1 over half the steps that it covers; over all of them its floor would be infinite."""
    if theorem.id not in INEXACT_THEOREMS or not isinstance(on_ball, FloatingRun) or on_ball.lasting.steps < 1:
        return None
    if on_ball.rigor is not Rigor.RIGOROUS:  # the error is not enclosed, and a rigorous document has no place to say so
        return None
    return {
        "gradient_error": str(decimal_above(Fraction(on_ball.gradient_error), 6)),
        "steps": on_ball.lasting.steps,
        "floor": str(decimal_above(Fraction(on_ball.lasting.floor) * INEXACT_ROOM, 6)),
    }


def _conclusion(key: str, enclosed: Enclosed) -> str:
    return _ends(enclosed)["lower" if key.endswith("_at_least") else "upper"]
