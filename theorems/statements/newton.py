"""Theorem N: existence of a global optimum near theta, by Newton-Kantorovich. It says nothing about gradient descent."""

from __future__ import annotations

from sympy import Integer, sqrt

from theorems.ledger import Identity, ProofStep
from theorems.lemmas import newton as lemmas
from theorems.records import Constant, Hypothesis, Quantity, Role, Source, Strength, Theorem
from theorems.statements.notation import R, beta, lambda0, positive, q, rbar

newton_step = positive("newton_step")

_QUOTIENT = 2 * beta * newton_step / sqrt(lambda0)

THEOREM_N = Theorem(
    id="N",
    title="Existence of a global optimum (Newton-Kantorovich)",
    statement=(
        "Let DF be beta-Lipschitz on B(R) about theta, sigma = sigma_min(DF) > 0 and e = F(theta) - y. If N = 2 beta "
        "|DF^+ e|/sigma <= 1 "
        "and R >= (sigma/beta)(1 - sqrt(1 - N)), some theta* with F(theta*) = y lies within that distance of theta."
    ),
    quantities=(
        Quantity(lambda0, "smallest eigenvalue of K = DF DF^* at theta, sigma^2"),
        Quantity(beta, "Lipschitz constant of DF on B(R)"),
        Quantity(newton_step, "|DF^+ e| = sqrt(<e, K^{-1} e>), the length of the Newton step"),
        Quantity(R, "radius of the ball on which beta is valid"),
    ),
    hypotheses=(
        Hypothesis("H3", "the tangent kernel is positive definite: lambda0 > 0", lambda0),
        Hypothesis("q", "N <= 1", 1 - q, strict=False),
        Hypothesis("radius", "the ball holds the solution", R - rbar, strict=False),
    ),
    constants=(
        Constant(q, _QUOTIENT, "N = 2 beta |DF^+ e|/sigma"),
        Constant(
            rbar,
            2 * newton_step / (Integer(1) + sqrt(1 - q)),
            "bound of the distance to a solution, (sigma/beta)(1 - sqrt(1 - N)) without its cancellation",
        ),
    ),
    claims=(),
    proof=(
        *lemmas.PROOF,
        ProofStep(
            "the record's radius is that root: (sigma/beta)(1 - sqrt(1 - N)) = 2 |DF^+ e|/(1 + sqrt(1 - N))",
            Identity(sqrt(lambda0) / beta * (1 - sqrt(1 - _QUOTIENT)), 2 * newton_step / (1 + sqrt(1 - _QUOTIENT))),
        ),
    ),
    source=Source(
        authors="L. V. Kantorovich and G. P. Akilov",
        year=1982,
        title="Functional Analysis",
        identifier="ISBN 978-0-08-023036-8",
        place="the Newton-Kantorovich theorem, applied on theta + range DF^*",
    ),
    strength=Strength.SHARP,
    role=Role.EXISTENCE,
)
