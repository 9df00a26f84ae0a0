"""The waterfall of trained networks: totals are the claims' slacks, symmetries change nothing, and every chain is told."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from verify.measured import measured_steps
from verify.output import as_text
from verify.page.page import report_page
from verify.problem import Problem, problem_from_mapping
from verify.result import Verification, result_json
from verify.run import measure_run
from verify.setup import Setup, Theta, prepare
from verify.unseen import judge_run
from verify.verdict import Verdict
from verify.verification import check_run, start_certificate
from verify.verification import verify as run_verification
from verify.waterfall.document import reading_lines
from verify.waterfall.records import Chain, Waterfall


def problem(**sections: dict[str, Any]) -> Problem:
    given: dict[str, dict[str, Any]] = {
        "data": {"source": "digits", "classes": [3, 8], "points": 8},
        "network": {"hidden": [48], "activation": "tanh"},
        "training": {"steps": 600},
    }
    for name, section in sections.items():
        given[name] = {**given.get(name, {}), **section}
    return problem_from_mapping(given, Path())


def verified(setup: Setup, theta: Theta, judged: bool = False) -> Verification:
    start, step_size = start_certificate(setup, theta)
    run = measure_run(setup, theta, start, step_size, lambda step, steps, residual: None)
    claims = check_run(setup, run.certificate, run, step_size)
    unseen = None
    if judged:
        unseen = judge_run(setup, theta, run, measured_steps(setup, run.certificate, run, step_size))
        claims += unseen.claims if unseen is not None else ()
    return Verification(
        setup=setup,
        start=start,
        certificate=run.certificate,
        run=run,
        step_size=step_size,
        claims=tuple(claims),
        timing={},
        certified_theta=run.certified_theta,
        unseen=unseen,
    )


PROBLEMS = {
    "square": problem(),
    "deep, biases": problem(network={"hidden": [32, 24], "bias_scale": 0.5}, training={"steps": 1500}),
    "two outputs": problem(data={"classes": [1, 3, 8]}, network={"hidden": [64], "trained": [1]}),
    "logistic": problem(network={"activation": "softplus"}, loss={"name": "logistic", "ridge": 0.5}, training={"steps": 1500}),
}


@pytest.fixture(scope="module", params=PROBLEMS.values(), ids=PROBLEMS)
def verification(request: pytest.FixtureRequest) -> Verification:
    found = verified(*prepare(request.param), judged=True)
    assert found.certificate.certified
    return found


def waterfall(verification: Verification) -> Waterfall:
    found = verification.waterfall
    assert found is not None
    return found


MEANS = {"decrease per step", "descent of the objective"}  # over the steps; the claims are about each


def test_totals_are_the_slacks_of_the_claims(verification) -> None:
    slacks = {claim.id: claim.slack for claim in verification.claims}
    for chain in waterfall(verification).chains:
        if chain.title not in MEANS:
            assert chain.total == pytest.approx(slacks[chain.claim], rel=1e-5), chain.title
        assert chain.product == pytest.approx(chain.total, rel=1e-12)
        assert chain.total * min(chain.bound, chain.measured) == pytest.approx(max(chain.bound, chain.measured), rel=1e-9)


def test_every_claim_that_was_checked_has_a_chain(verification) -> None:
    """Those of the other certificates from the same step are named, with the reason."""
    found, theorem = waterfall(verification), verification.certificate.theorem
    others = {claim.id for other in verification.certificate.others for claim in other.theorem.claims} - {
        claim.id for claim in theorem.claims
    }
    chains = {chain.claim for chain in found.chains}
    assert len(chains) == len(found.chains)
    checked = {claim.id for claim in verification.claims if claim.measured is not None}
    reasons = dict(found.omitted)
    unknown = {name for name, reason in found.omitted if reason.endswith("below the error of measurement")}
    assert checked - others - chains == unknown
    assert unknown <= {"B1", "C3-sum"}  # what is known of the run between its marks enters both
    assert chains <= checked
    for claim in verification.claims:
        if claim.verdict is Verdict.NOT_APPLICABLE and claim.id not in others:
            assert reasons[claim.id] in claim.reason
    assert "no chain is drawn up for this statement" not in reasons.values()


def test_no_inequality_of_the_proof_is_contradicted(verification) -> None:
    found = waterfall(verification)
    for chain in found.chains:
        for link in chain.links:
            assert not link.contradicted, (chain.title, link)
            if link.proved and not link.error > 1e-6:
                assert link.ratio >= 1 - 1e-6
    for row in found.ball:
        assert row.measured - row.error <= row.bound, row
    if found.beta_terms:
        assert sum(term.share for term in found.beta_terms) == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("verification", [PROBLEMS["square"]], ids=["square"], indirect=True)
def test_document_page_and_report_tell_every_chain(verification) -> None:
    document = result_json(verification, {})
    as_text(document)  # no NaN, no numpy numbers
    entry, page = document["waterfall"], report_page(verification, document)
    assert [one["claim"] for one in entry["chains"]] == [chain.claim for chain in waterfall(verification).chains]
    for one in entry["chains"]:
        assert one["reading"].replace("'", "&#39;") in page
        assert one["total"] == pytest.approx(np.prod([link["ratio"] for link in one["links"]]), rel=1e-12)
    named = {one["claim"] for one in entry["chains"]} | {one["what"] for one in entry["without_chain"]}
    assert {claim.id for claim in verification.claims} <= named
    assert len(reading_lines(waterfall(verification))) == len(entry["chains"])
    assert result_json(verification, {}, waterfall=False)["waterfall"] is None


def symmetric(kind: str, setup: Setup, theta: Theta) -> tuple[Setup, Theta]:
    """The same problem in other coordinates: hidden neurons permuted, or inputs and first layer rotated together."""
    generator, architecture = np.random.default_rng(5), setup.architecture
    weights = [architecture.weight(theta, layer).copy() for layer in (1, 2)]
    data = setup.dataset
    if kind == "permuted":
        order = generator.permutation(architecture.sizes[1])
        return setup, architecture.flatten([weights[0][order], weights[1][:, order]])
    rotation = np.linalg.qr(generator.standard_normal((architecture.sizes[0],) * 2))[0]
    rotated = dataclasses.replace(data, inputs=np.ascontiguousarray(data.inputs @ rotation))
    return dataclasses.replace(setup, dataset=rotated), architecture.flatten([weights[0] @ rotation, weights[1]])


@pytest.mark.parametrize("kind", ["permuted", "rotated"])
def test_symmetries_change_nothing(kind) -> None:
    setup, theta = prepare(problem())
    here, there = waterfall(verified(setup, theta)), waterfall(verified(*symmetric(kind, setup, theta)))
    for one, other in zip(here.chains, there.chains, strict=True):
        assert [link.name for link in one.links] == [link.name for link in other.links]
        # The step is chosen by the spectrum, to 1e-12; the search for the second derivative ends where a round gains 1e-3.
        ratios = [[link.ratio for link in chain.links] for chain in (one, other)]
        assert ratios[0] == pytest.approx(ratios[1], rel=1e-3)
        assert one.total == pytest.approx(other.total, rel=1e-6)


def test_a_network_linear_in_its_parameters_has_no_curvature_to_lose_to() -> None:
    found = waterfall(verified(*prepare(problem(network={"trained": [2]}))))
    path: Chain = found.chains[0]
    for link in path.links:
        if link.name in ("Weyl", "beta", "bent path", "step inequality", "feedback"):
            assert link.ratio == pytest.approx(1, abs=1e-9)
    reasons = dict(found.omitted)
    for title in ("smallest eigenvalue", "Jacobian drift", "kernel drift"):
        assert "linear" in reasons[title]
    assert not found.beta_terms


def test_without_a_certificate_there_is_no_waterfall() -> None:
    found = run_verification(problem(network={"activation": "relu"}, training={"steps": 20}))
    assert found.waterfall is None
    document = result_json(found, {})
    assert document["waterfall"] is None
    assert "Slack waterfall" not in report_page(found, document)


def test_where_a_search_would_cost_too_much_its_link_is_left_out(monkeypatch) -> None:
    monkeypatch.setattr("verify.waterfall.network.PARAMETERS", 1000)
    drift = next(chain for chain in waterfall(verified(*prepare(problem()))).chains if chain.title == "Jacobian drift")
    assert [link.name for link in drift.links] == ["direction of the run and operator norms", "growth on the ball"]
    assert drift.product == pytest.approx(drift.total, rel=1e-12)
