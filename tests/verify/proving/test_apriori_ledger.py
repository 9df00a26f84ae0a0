"""The records of sections F and G agree with the recursions; their proof steps are tried with all others of the catalogue."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
import sympy

from theorems.apriori.blueprint import blueprint
from theorems.apriori.constants import Prior, initial, jacobian_square, path_radius, quantities, quotient
from theorems.apriori.data import Moments
from theorems.apriori.eigenvalue import Chernoff, Granted, chernoff_epsilon, lambda_start
from theorems.apriori.threshold import closed_form_square_root
from theorems.arithmetic import FLOAT
from theorems.laws import gaussian
from theorems.laws.sampling_bounds import sample_moment_bounds
from theorems.ledger import Growth
from theorems.statements.apriori import THEOREM_F, THEOREM_F_CHERNOFF, THEOREM_F_MOMENTS, THEOREM_F_WIDTH, THEOREM_G


def test_the_mutant_of_the_exponent_is_negative_somewhere() -> None:
    (growth,) = (step.evidence for step in THEOREM_F_CHERNOFF.proof if isinstance(step.evidence, Growth))
    assert (
        growth.mutant.subs(growth.variable, sympy.Rational(1, 4))
        < 0
        < growth.expression.subs(growth.variable, sympy.Rational(1, 4))
    )


def prior(width, trained=(True, True), eigenvalue=None):
    plan = blueprint((3, width, 1), slope=1, curvature=Fraction(3, 4), points=4, trained=trained, weight_scale=2, output_scale=3)
    known = eigenvalue or Granted(Fraction(1, 10))
    return Prior(plan, Moments((2.0, 6.0)), 1, known, Fraction(1, 100))


def test_the_records_are_what_the_recursions_compute() -> None:
    at = initial(prior(10**8), FLOAT)
    values = quantities(prior(10**8), path_radius(at, Fraction(1, 2), FLOAT), FLOAT)
    known = THEOREM_F.evaluate_constants({**values, "q_target": 0.5}, FLOAT)
    assert known["R"] == pytest.approx(float(values["R"]), rel=1e-14)
    assert known["q"] == pytest.approx(float(quotient(prior(10**8), FLOAT, Fraction(1, 2))), rel=1e-14)
    assert known["q"] < 0.5
    assert min(THEOREM_F.margins(known, FLOAT).values()) > 0
    assert known["Lambda"] == pytest.approx(float(jacobian_square(values, FLOAT)), rel=1e-14)
    facts = {"L": 1.0, "m_mono": 1.0, "m_0": 1e8, "m": 2e8, "q": known["q"], "q_target": 0.5, "Lambda_first": known["Lambda"]}
    step = THEOREM_G.evaluate_constants(facts, FLOAT)
    assert step["eta"] == pytest.approx(1 / float(jacobian_square(values, FLOAT)), rel=1e-14)
    assert min(THEOREM_G.margins(step, FLOAT).values()) > 0

    narrow = prior(10**5, (True, False), Chernoff(Fraction(1, 50), Fraction(3, 2)))
    facts = {"n": 4.0, "m": 1e5, "p": float(narrow.shares.shares["eigenvalue"]), "alpha": 3.0, "sigma_w": 2.0, "Lp": 1.0}
    known = THEOREM_F_CHERNOFF.evaluate_constants({**facts, "gram": 1.5, "lambda_limit": 0.02}, FLOAT)
    assert known["epsilon"] == pytest.approx(
        float(chernoff_epsilon(narrow.plan, narrow.shares, narrow.eigenvalue, FLOAT)), rel=1e-13
    )
    assert known["lambda0"] == pytest.approx(float(lambda_start(narrow.plan, narrow.shares, narrow.eigenvalue, FLOAT)), rel=1e-12)

    schur = 4 / 3 * math.sqrt(6)
    facts = {"alpha": 3.0, "sigma_w": 2.0, "Lpp": 0.75, "S": schur, "s0": 1.0, "lambda0": 0.1, "q_target": 0.5}
    known = THEOREM_F_WIDTH.evaluate_constants(facts, FLOAT)
    root = closed_form_square_root(prior(1, (True, False)), FLOAT, Fraction(1, 2))
    assert known["width"] == pytest.approx(float(root) ** 2, rel=1e-13)


@pytest.mark.parametrize("j", [1, 2])
def test_the_record_of_sampling_bounds_is_what_the_functions_return(j) -> None:
    law, points, failure = gaussian(3), 7, Fraction(1, 10)
    facts = {"M_2j": law.even_moment(j), "M_4j": law.even_moment(2 * j), "n": points, "p": failure}
    known = THEOREM_F_MOMENTS.evaluate_constants({name: float(value) for name, value in facts.items()}, FLOAT)
    for method in ("markov", "chebyshev", "cantelli"):
        bound = sample_moment_bounds(law, 2, points, 2 * failure, method)[j - 1].bound
        assert known[method] == pytest.approx(float(bound), rel=1e-14)
