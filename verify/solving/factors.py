"""Why the two answers differ: the factors of q at one drawn network and a priori, and the terms of its beta.

q = 2 beta s_0/lambda0 (times what L > mu costs, by the theorem used). Both columns are taken at the same problem and on the same
ball B(R), that of the drawn network's certificate, so their quotients multiply to that of the two q.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from theorems.apriori.constants import Prior, flow_quotient, quantities
from theorems.apriori.eigenvalue import source_of
from theorems.arithmetic import BALL, exactly, lower, upper, working_precision
from theorems.ball import CurvatureTerm, curvature_terms_of, shares_of_beta
from verify.certificate import Certificate


@dataclass(frozen=True)
class FactorRow:
    """One factor of q. measured, prior: bounds on the side on which q stays an upper bound; prior None where there is none. ratio:
    by how much q grows when the a-priori number takes the measured one's place."""

    name: str
    measured: Fraction
    prior: Fraction | None
    above: bool

    @property
    def ratio(self) -> float | None:
        """prior/measured for an upper bound, measured/prior for a lower one, infinite where that is not known to be positive."""
        if self.prior is None:
            return None
        if not self.above and self.prior <= 0:
            return math.inf
        return float(self.prior / self.measured if self.above else self.measured / self.prior)


@dataclass(frozen=True)
class FactorTable:
    """radius: of the ball that both columns are taken on. source: where the a-priori lambda0 comes from, "" without an a-priori
    column. rows: beta, s_0, lambda0 and q, and what L > mu costs where it does. terms: those of beta at the drawn network, each
    with its share (``theorems.ball.shares_of_beta``).
    """

    radius: Fraction
    source: str
    rows: tuple[FactorRow, ...]
    terms: tuple[tuple[CurvatureTerm, float], ...]

    @property
    def dominant(self) -> FactorRow | None:
        """The factor with the largest ratio, of beta, s_0 and lambda0; None without an a-priori side."""
        known = [row for row in self.rows if row.name != "q" and row.ratio is not None]
        return max(known, key=lambda row: row.ratio or 0.0) if known else None

    @property
    def dominant_term(self) -> tuple[CurvatureTerm, float] | None:
        """The term with the largest share in beta."""
        return max(self.terms, key=lambda pair: pair[1]) if self.terms else None


def factor_table(certificate: Certificate, prior: Prior | None) -> FactorTable | None:
    """The factors at a point that was certified, or nearly; None where nothing was measured there.

    Arguments: ``prior``, what is known of the same problem beforehand; None, only the measured column is made.
    """
    point, bounds = certificate.point, certificate.bounds
    if point is None or bounds is None or not math.isfinite(certificate.radius):
        return None
    measured = _measured(certificate)
    if not all(math.isfinite(value) and value > 0 for value in measured.values()):
        return None
    radius = exactly(certificate.radius)
    known = {} if prior is None else _prior(prior, radius)
    rows = [
        FactorRow(name, exactly(measured[name]), known.get(name), above)
        for name, above in (("beta", True), ("s_0", True), ("lambda0", False))
    ]
    plain = flow_quotient(*(row.measured for row in rows))
    q = exactly(measured["q"])
    if certificate.theorem is not None and certificate.theorem.id != "A-square":
        rows.append(FactorRow("L > mu", q / plain, None, True))
    prior_q = flow_quotient(known["beta"], known["s_0"], known["lambda0"]) if known and known["lambda0"] > 0 else None
    rows.append(FactorRow("q", q, prior_q if len(rows) == 3 else None, True))
    shares = shares_of_beta(bounds)
    terms = tuple(zip(curvature_terms_of(point.signals.trained), shares, strict=True))
    return FactorTable(radius, "" if prior is None else source_of(prior.eigenvalue), tuple(rows), terms)


def _measured(certificate: Certificate) -> dict[str, float]:
    """beta, s_0, lambda0 and q: the certificate's constants, or of one that failed the numbers it was refused with."""
    known, point = certificate.constants, certificate.point
    assert point is not None
    assert certificate.bounds is not None
    if certificate.certified:
        ends = {"beta": known["beta"].upper, "s_0": known["s0"].upper, "lambda0": known["lambda0"].lower, "q": known["q"].upper}
        return {name: float(value) for name, value in ends.items()}
    lambda0, residual = point.lambda_min - point.eigenvalue_error, point.residual + point.residual_error
    beta = float(certificate.bounds.beta)
    tried = next((attempt for attempt in certificate.attempts if attempt.theorem is certificate.theorem), None)
    q = math.nan if tried is None or not lambda0 > 0 else float(tried.constants.get("q", math.nan))
    return {"beta": beta, "s_0": residual, "lambda0": lambda0, "q": q}


def _prior(prior: Prior, radius: Fraction) -> dict[str, Fraction]:
    """Bounds of the same numbers before the weights are drawn, from balls."""
    with working_precision():
        values = quantities(prior, BALL.numbers(radius), BALL)
        if not all(values[name].is_finite() for name in ("beta", "s0", "lambda0")):
            return {}
        return {"beta": upper(values["beta"]), "s_0": upper(values["s0"]), "lambda0": lower(values["lambda0"])}


def sentences(table: FactorTable) -> list[str]:
    """Which factor makes the a-priori answer worse, and which term makes beta."""
    found = []
    row, term = table.dominant, table.dominant_term
    if row is not None and row.ratio is not None:
        others = ", ".join(
            f"{other.name} by {other.ratio:.3g}"
            for other in table.rows
            if other.name not in ("q", row.name) and other.ratio is not None
        )
        loss = f"it makes q larger by the factor {row.ratio:.3g}" if math.isfinite(row.ratio) else "it is not known to be positive"
        found.append(f"{row.name} loses most before the weights are drawn: {loss} ({others})")
    if term is not None and term[1] > 0:
        found.append(f"the largest term of beta at this initialization, {term[1]:.1%} of it: {term[0].name}")
    return found
