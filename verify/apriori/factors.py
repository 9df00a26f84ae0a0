"""What makes the q of an a-priori certificate: its factors, and the terms of its beta."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from theorems.apriori.constants import Prior, flow_quotient, initial
from theorems.apriori.data import beta_shares
from theorems.arithmetic import FLOAT, exactly
from verify.apriori.certificate import AprioriCertificate

BOUNDS = {"E4": "E4 with bounds at theta0", "mean": "root mean square of beta(x_i)"}


@dataclass(frozen=True)
class Factor:
    """A factor of q, or a term of beta.

    value: bounds (lower, upper), proved for beta, s_0, lambda0 and q; for a term, its share of beta's, in doubles. share: of a term
    in beta (``theorems.apriori.data.beta_shares``), else None. meaning: in words.
    """

    name: str
    value: tuple[Fraction, Fraction]
    share: float | None
    meaning: str


def factors_of(prior: Prior, certificate: AprioriCertificate) -> tuple[Factor, ...]:
    """beta, s_0, lambda0, what L > mu costs, and q of a certificate, then the terms of its beta with their shares."""
    known = certificate.constants
    if not all(name in known for name in ("beta", "s0", "lambda0", "R")) or known["lambda0"][0] <= 0:
        return ()
    beta, s0, lambda0 = known["beta"], known["s0"], known["lambda0"]
    found = [
        Factor("beta", beta, None, f"Lipschitz constant of DF on B(R), R = {float(known['R'][1]):.4g}"),
        Factor("s_0", s0, None, "residual at the start"),
        Factor("lambda0", lambda0, None, f"lower bound of lambda_min(K_0): {certificate.eigenvalue_source}"),
    ]
    if "q" in known:
        plain = (flow_quotient(beta[0], s0[0], lambda0[1]), flow_quotient(beta[1], s0[1], lambda0[0]))
        if certificate.theorem != "A-square" and plain[0] > 0:
            cost = (known["q"][0] / plain[1], known["q"][1] / plain[0])
            meaning = f"q over 2 beta s_0/lambda0: what the step costs in Theorem {certificate.theorem}"
            found.append(Factor("L > mu", cost, None, meaning))
        found.append(Factor("q", known["q"], None, f"the quotient of Theorem {certificate.theorem}"))
    at = initial(prior, FLOAT)
    made = beta_shares(at.known, prior.data, float(known["R"][1]))
    for term, share in zip(made.terms, made.shares, strict=True):
        part = exactly(share)
        found.append(Factor(term.name, (beta[0] * part, beta[1] * part), share, f"term of beta, {BOUNDS[made.bound]}"))
    return tuple(found)
