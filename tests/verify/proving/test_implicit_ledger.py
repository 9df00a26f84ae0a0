"""The proof steps of B1 to B5, C2 and C3: each is tried, every mutant refuted, every sampler sees smaller bounds fail."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
import scipy.optimize

from theorems.ledger import Growth, Implication, Sampled
from theorems.statements import implicit, lazy
from verify.proving import implicit_samplers
from verify.proving.implications import prove
from verify.proving.implicit_samplers import SAMPLERS, end_of_run, nearest_solution
from verify.proving.ledger import try_evidence
from verify.proving.maps import draw_map, norm
from verify.proving.outcome import Status
from verify.proving.samplers import SAMPLERS as KNOWN
from verify.proving.sampling import Trial, sample

RECORDS = (*implicit.RECORDS, *lazy.RECORDS)
EVERY = {step.evidence: step for record in RECORDS for step in record.proof}
OWN = [step for evidence, step in EVERY.items() if not isinstance(evidence, Sampled) or evidence.sampler in SAMPLERS]
LEMMAS = [step.evidence for step in OWN if isinstance(step.evidence, Implication)]
COUNT = 25


def test_every_sampler_is_used_and_known() -> None:
    used = {evidence.sampler for evidence in EVERY if isinstance(evidence, Sampled)}
    assert used <= set(SAMPLERS) | set(KNOWN)
    assert set(SAMPLERS) <= used


@pytest.mark.parametrize("step", OWN, ids=lambda step: step.statement[:40])
def test_every_step_ends_as_it_should(step) -> None:  # type: ignore[no-untyped-def]
    if isinstance(step.evidence, Sampled):
        outcome = sample(step.evidence.sampler, SAMPLERS[step.evidence.sampler], step.evidence.count)
    else:
        outcome = try_evidence(step.evidence)
    expected = {"sampled": Status.SAMPLED, "assumed": Status.ASSUMED}
    assert outcome.status is expected.get(step.kind, Status.PROVED), outcome


@pytest.mark.parametrize("lemma", LEMMAS, ids=lambda lemma: lemma.name)
def test_every_mutant_is_refuted(lemma) -> None:  # type: ignore[no-untyped-def]
    assert prove(dataclasses.replace(lemma, conclusion=lemma.mutant)).status is Status.VIOLATED


def test_mutants_of_functions_of_one_variable_are_negative_somewhere() -> None:
    for growth in (step.evidence for step in OWN if isinstance(step.evidence, Growth)):
        values = [growth.mutant.subs(growth.variable, k * growth.end / 40).evalf() for k in range(1, 20)]
        assert min(values) < 0


@pytest.mark.parametrize("name", sorted(SAMPLERS))
def test_a_slightly_stronger_fact_is_violated(name) -> None:  # type: ignore[no-untyped-def]
    def stronger(generator):  # type: ignore[no-untyped-def]
        for trial in SAMPLERS[name](generator):
            yield Trial(trial.measured, min(trial.bound, 0.98 * trial.bound), trial.rounding)

    assert sample(name, stronger, COUNT).status is Status.VIOLATED


@pytest.mark.parametrize("name", sorted(SAMPLERS))
def test_rounding_errors_do_not_decide(name) -> None:  # type: ignore[no-untyped-def]
    trials = [trial for seed in range(12) for trial in SAMPLERS[name](np.random.default_rng(seed)) if trial.bound != 0]
    assert np.mean([0 <= trial.rounding <= 1e-6 * abs(trial.bound) for trial in trials]) >= 0.9


@pytest.mark.parametrize("wrong", ["B1", "C3-sum"])
def test_a_constant_five_percent_too_small_is_noticed_on_runs(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    """The bound in the record itself is changed; the sampler must object."""

    def shrunk(record):  # type: ignore[no-untyped-def]
        claims = tuple(
            dataclasses.replace(claim, bound=claim.bound * 95 / 100) if claim.id == wrong else claim for claim in record.claims
        )
        return dataclasses.replace(record, claims=claims)

    monkeypatch.setattr(implicit_samplers, "RECORDS", tuple(shrunk(record) for record in implicit.RECORDS))
    monkeypatch.setattr(implicit_samplers, "THEOREM_C3", shrunk(lazy.THEOREM_C3))
    name = "where runs end" if wrong == "B1" else "runs against their linearizations"
    assert sample(name, SAMPLERS[name], COUNT).status is Status.VIOLATED


def test_the_nearest_solution_is_what_another_optimizer_finds() -> None:
    """At the ends of runs: sequential quadratic programming from several starts never finds a nearer solution in B(R)."""
    seen = 0
    for seed in itertools.count():
        problem = implicit_samplers._runnable(np.random.default_rng(seed))
        values, error = end_of_run(problem)
        if "nearest" not in values:
            continue
        assert error <= 1e-9
        size, rng = problem.map.linear.shape[1], np.random.default_rng(seed)
        lengths = []
        for start in (np.zeros(size), *(0.5 * values["R"] * rng.standard_normal((4, size)) / np.sqrt(size))):
            other = scipy.optimize.minimize(
                lambda x: float(x @ x) / 2,
                start,
                jac=lambda x: x,
                constraints={
                    "type": "eq",
                    "fun": lambda x, p=problem: p.map(x) - p.target,
                    "jac": lambda x, p=problem: p.map.jacobian(x),
                },
                method="SLSQP",
                options={"ftol": 1e-13, "maxiter": 300},
            )
            if norm(problem.map(other.x) - problem.target) <= 1e-9 and norm(other.x) <= values["R"]:
                lengths.append(norm(other.x))
        assert lengths
        assert min(lengths) >= values["nearest"] * (1 - 1e-7)
        assert min(lengths) == pytest.approx(values["nearest"], rel=1e-6)
        seen += 1
        if seen == 8:
            break


def test_gauss_newton_says_when_it_finds_nothing() -> None:
    mapping = implicit_samplers.LOSING  # x - x^2/2 never reaches 1
    assert nearest_solution(mapping, np.array([1.0]), np.array([0.3])) is None


@pytest.mark.validate
@pytest.mark.parametrize("name", sorted(SAMPLERS))
def test_attacked_with_many_instances(name) -> None:  # type: ignore[no-untyped-def]
    outcome = sample(f"{name}, at length", SAMPLERS[name], 300 if "run" in name else 1500)
    assert outcome.status is Status.SAMPLED, outcome


def test_maps_for_pairs_of_solutions_have_more_parameters_than_outputs_often() -> None:
    shapes = [draw_map(np.random.default_rng(seed)).linear.shape for seed in range(50)]
    assert np.mean([p > n for n, p in shapes]) > 0.5
