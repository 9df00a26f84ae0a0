"""The proof steps of sections F and G: every one is tried, every mutant refuted, and records agree with the recursions."""

from __future__ import annotations

import dataclasses
import math
from fractions import Fraction

import numpy as np
import pytest
import sympy

from theorems.apriori.blueprint import blueprint
from theorems.apriori.constants import Prior, initial, path_radius, quantities, quotient
from theorems.apriori.data import Moments
from theorems.apriori.eigenvalue import Chernoff, Granted, chernoff_epsilon, lambda_start
from theorems.apriori.records import RECORDS, THEOREM_F, THEOREM_F_CHERNOFF, THEOREM_F_WIDTH, THEOREM_G
from theorems.apriori.threshold import closed_form_square_root, largest_step
from theorems.arithmetic import FLOAT
from theorems.catalogue import THEOREMS
from theorems.ledger import Growth, Implication, Sampled
from theorems.programs import compile_program
from verify.proving.apriori_samplers import SAMPLERS
from verify.proving.exports import scalar_lemmas
from verify.proving.implications import prove
from verify.proving.ledger import try_evidence
from verify.proving.outcome import Status
from verify.proving.sampling import Trial, sample

STEPS = list({step.evidence: step for record in RECORDS for step in record.proof}.values())
LEMMAS = [step.evidence for step in STEPS if isinstance(step.evidence, Implication)]


def test_every_sampler_is_used_and_known() -> None:
    assert {step.evidence.sampler for step in STEPS if isinstance(step.evidence, Sampled)} == set(SAMPLERS)


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.statement[:40])
def test_every_step_ends_as_it_should(step) -> None:
    if isinstance(step.evidence, Sampled):
        outcome = sample(step.evidence.sampler, SAMPLERS[step.evidence.sampler], step.evidence.count)
    else:
        outcome = try_evidence(step.evidence)
    expected = {"sampled": Status.SAMPLED, "assumed": Status.ASSUMED}
    assert outcome.status is expected.get(step.kind, Status.PROVED), outcome


@pytest.mark.parametrize("lemma", LEMMAS, ids=lambda lemma: lemma.name)
def test_every_mutant_is_refuted(lemma) -> None:
    assert prove(dataclasses.replace(lemma, conclusion=lemma.mutant)).status is Status.VIOLATED


def test_the_mutant_of_the_exponent_is_negative_somewhere() -> None:
    (growth,) = (step.evidence for step in STEPS if isinstance(step.evidence, Growth))
    assert (
        growth.mutant.subs(growth.variable, sympy.Rational(1, 4))
        < 0
        < growth.expression.subs(growth.variable, sympy.Rational(1, 4))
    )


def test_names_of_lemmas_are_unique_among_all() -> None:
    names = [item.lemma.name for item in scalar_lemmas([*THEOREMS.values(), *RECORDS])]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", sorted(SAMPLERS))
def test_a_bound_two_percent_smaller_is_violated_and_rounding_does_not_decide(name) -> None:
    def stronger(generator):
        for trial in SAMPLERS[name](generator):
            yield Trial(trial.measured, min(trial.bound, 0.98 * trial.bound), trial.rounding)

    assert sample(name, stronger, 300).status is Status.VIOLATED
    trials = [trial for seed in range(20) for trial in SAMPLERS[name](np.random.default_rng(seed)) if trial.bound != 0]
    assert np.mean([0 <= trial.rounding <= 1e-6 * abs(trial.bound) for trial in trials]) >= 0.9


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.id)
def test_a_record_is_exact_and_not_yet_in_the_catalogue(record) -> None:
    assert record.id not in THEOREMS
    expressions = [item.expression for item in record.constants] + [item.margin for item in record.hypotheses]
    for expression in expressions:
        assert not expression.atoms(sympy.Float)
        compile_program([expression], sorted(expression.free_symbols, key=str))


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
    assert 1 / known["Lambda"] == pytest.approx(float(largest_step(prior(10**8), FLOAT, Fraction(1, 2))), rel=1e-14)
    step = THEOREM_G.evaluate_constants({"L": 1.0, "Lambda_first": known["Lambda"], "Lambda": known["Lambda"]}, FLOAT)
    assert step["eta"] * known["Lambda"] == pytest.approx(1, rel=1e-14)

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
