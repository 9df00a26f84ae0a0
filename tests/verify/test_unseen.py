"""H1 and H2 as part of the main job: what the section [generalization] asks for, and what is told where they do not apply."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest

from verify.certified_constants import intervals
from verify.errors import ProblemError
from verify.evaluated_losses import clipped_loss
from verify.generalization import Judge, certified_distance
from verify.held_out import FRESH_POINTS, held_out
from verify.limits import remaining_path
from verify.measured import measured_steps
from verify.problem import problem_from_mapping
from verify.run import measure_run
from verify.setup import prepare
from verify.unseen import judge_run, remaining_way, unseen_json
from verify.unseen_report import COLUMNS, unseen_lines, unseen_rows
from verify.verdict import Verdict
from verify.verification import silent, start_certificate, verify

IDS = ["H1-risk", "H2-lipschitz", "H2-risk"]


def problem(**sections):
    base = {
        "data": {"source": "digits", "classes": [3, 8], "points": 8},
        "network": {"hidden": [32]},
        "training": {"steps": 20},
    }
    return problem_from_mapping({name: base.get(name, {}) | sections.get(name, {}) for name in {**base, **sections}})


def judged(found):
    return {claim.id: claim for claim in found.claims if claim.theorem in ("H1", "H2")}


def unseen_of(**sections):
    """The part of the main job that is looked at here; what would satisfy a failed hypothesis takes longer than all of it."""
    setup, theta0 = prepare(problem(**sections))
    start, step_size = start_certificate(setup, theta0)
    run = measure_run(setup, theta0, start, step_size, silent)
    steps = measured_steps(setup, run.certificate, run, step_size) if run.certificate.certified else None
    return judge_run(setup, theta0, run, steps)


@pytest.fixture(scope="module")
def certified():
    return verify(problem(training={"steps": 3000}))


def test_every_run_is_judged(certified) -> None:
    claims, found = judged(certified), certified.unseen.found
    assert list(claims) == IDS == [claim.id for claim in certified.claims[-3:]]
    assert all(claim.verdict is Verdict.HOLDS for claim in claims.values())
    assert found.held_out_points == 357 - 8
    assert found.failure_probability == 0.01
    assert found.loss.name == "the square loss clipped at 0.5"
    assert certified.status == 0


def test_three_distances(certified) -> None:
    """The end of the run; its limit, which A-d bounds; and all along from theta_N on."""
    run, found = certified.run, certified.unseen.found
    _, theta0 = prepare(certified.setup.problem)
    steps = measured_steps(certified.setup, certified.certificate, run, certified.step_size)
    end, way = float(np.linalg.norm(run.final_theta - theta0)), remaining_way(certified.setup, run, steps)
    room = 8 * len(theta0) * np.finfo(np.float64).eps
    assert found.measured.distance == pytest.approx(end, rel=room)
    assert found.limit.distance == pytest.approx(end + way, rel=room)
    assert found.certified.distance == certified_distance(certified.certificate, certified.certified_theta, theta0)
    assert found.measured.distance < found.limit.distance < found.certified.distance
    # The rest of the run from half way is no longer than what the run's certificate says to remain there.
    half_way = len(steps.residual) // 2
    given = intervals(certified.certificate)
    s = float(steps.residual[half_way - 1] + steps.residual_error[half_way - 1])
    gone = steps.length[half_way - 1 : -1].sum() - steps.length_error[half_way - 1 : -1].sum()
    assert remaining_path(certified.certificate.theorem, given, s) >= gone
    # At the targets the loss is 0; what is stored of f_theta0 errs by some 1e-13.
    assert found.limit.train_loss < 1e-12
    assert found.limit.train_loss < found.measured.train_loss
    assert float(run.trajectory.displacement[-1, 0]) == pytest.approx(found.measured.distance, rel=room)


def test_a_vacuous_bound_holds_and_says_so(certified) -> None:
    claims, found = judged(certified), certified.unseen.found
    assert found.measured.vacuous
    assert found.transport_vacuous
    assert claims["H1-risk"].outcome == claims["H2-risk"].outcome == "HOLDS, vacuous"
    assert claims["H2-lipschitz"].outcome == "HOLDS"
    assert "vacuous: the bound" in claims["H1-risk"].reason
    assert "with confidence 0.99" in claims["H1-risk"].reason
    assert claims["H1-risk"].counts[Verdict.HOLDS] == 2  # at either radius
    assert any("vacuous" in line for line in unseen_lines(certified.unseen))


def test_what_the_reports_show_is_what_was_found(certified) -> None:
    document = json.loads(json.dumps(unseen_json(certified.unseen), allow_nan=False))
    found, rows = certified.unseen.found, unseen_rows(certified.unseen)
    assert [len(row) for row in rows] == [1 + len(COLUMNS)] * 3
    for row, name in zip(rows, ("measured", "limit", "certified"), strict=True):
        bound = document["bounds"][name]
        assert bound == json.loads(json.dumps(vars(getattr(found, name))))
        shown = dict(zip(COLUMNS, map(float, row[1:]), strict=True))
        for column, key in {"distance": "distance", "bound": "bound", "curvature": "curvature", "deviation": "deviation"}.items():
            assert bound[key] <= shown[column] <= bound[key] * 1.001  # rounded up to 4 digits
        parts = sum(shown[column] for column in ("mean loss", "linearization", "curvature", "deviation"))
        assert shown["bound"] <= parts * (1 + 1e-12)
    assert document["gap"] == document["held_out_loss"] - document["train_loss"]
    assert document["applies"]
    assert any("independent draws" in text for text in document["assumptions"])


def test_no_judgment_where_none_is_asked_for() -> None:
    found = verify(problem(network={"hidden": [4]}, training={"steps": 1}, generalization={"held_out": False}))
    assert found.unseen is None
    assert not judged(found)
    assert unseen_json(found.unseen) is None
    assert unseen_lines(found.unseen) == unseen_rows(found.unseen) == []


NOT_JUDGED = [
    (
        {"data": {"source": "wine", "classes": [0, 1], "points": 130}, "training": {"steps": 1}},
        "data.points must leave rows to be held out",
    ),
    ({"network": {"activation": "relu"}}, "network.activation must have bounds"),
    ({"loss": {"name": "weighted_square", "weights": [1.0] * 7 + [2.0]}}, "loss.weights must be uniform"),
    ({"loss": {"name": "logistic", "ridge": 0}, "data": {"label_scale": 1.0}}, "must have a smoothness constant"),
    ({"training": {"step_size": 1e6}, "network": {"activation": "identity"}}, "it diverged"),
    ({"data": {"source": "diabetes", "classes": None}, "generalization": {"loss": "ramp"}}, None),
]


@pytest.mark.parametrize(("sections", "why"), NOT_JUDGED, ids=lambda value: str(value)[:40])
def test_where_the_statements_do_not_apply_the_reason_is_told(sections, why) -> None:
    unseen = unseen_of(**sections)
    if why is None:  # regression targets have two signs: the ramp judges them by these
        assert unseen.found.loss.largest == 1.0
        return
    claims = judged(unseen)
    assert list(claims) == IDS
    assert all(claim.verdict is Verdict.NOT_APPLICABLE and why in claim.reason for claim in claims.values())
    assert unseen.found is None
    assert unseen_json(unseen) == {"applies": False, "reason": unseen.reason}
    assert unseen_rows(unseen) == []
    (line,) = unseen_lines(unseen)
    assert why in line


def test_an_uncertified_run_is_judged_by_its_measured_radius() -> None:
    unseen = unseen_of(training={"steps": 1})
    assert unseen.found.certified is None
    assert unseen.found.limit is None
    assert len(unseen_rows(unseen)) == 1
    assert judged(unseen)["H1-risk"].counts[Verdict.HOLDS] == 1


def test_the_section_is_obeyed() -> None:
    options = {"loss": "ramp", "margin": 0.5, "first_radius": 0.25}
    found = unseen_of(generalization=options, certificate={"failure_probability": 0.2}).found
    assert found.loss.name == "the ramp loss with margin 0.5"
    assert found.failure_probability == 0.2
    assert found.measured.radius == 0.25 * 2 ** (found.measured.index - 1)
    clipped = unseen_of(generalization={"clip": 2.0}).found
    assert clipped.loss.largest == 2.0
    alpha = unseen_of(network={"hidden": [32], "output_scale": 4.0}).found
    assert alpha.measured.radius == 0.25 * 2 ** (alpha.measured.index - 1)


def test_a_law_is_drawn_further() -> None:
    found = unseen_of(data={"source": "sphere", "classes": None, "points": 8, "dimension": 5}).found
    assert found.held_out_points == FRESH_POINTS
    assert found.assumptions[0].startswith("the points are independent draws from")


def test_few_held_out_points_leave_a_bound_undecided() -> None:
    """The expected loss is then known so badly that a bound that is not vacuous cannot be checked; a vacuous one always holds."""
    mapping = {"source": "breast_cancer", "classes": [0, 1], "points": 500}
    setup, theta0 = prepare(problem(data=mapping, network={"hidden": [1024], "trained": [1], "output_scale": 16.0}))
    held = held_out(setup.problem.data)
    held = dataclasses.replace(held, inputs=held.inputs[:2], targets=held.targets[:2])
    judge = Judge(setup, theta0, held, clipped_loss(setup, 0.5), failure_probability=0.04)
    theta = theta0.copy()
    setup.descent(0.9 / float(setup.snapshot(theta0).eigenvalues[-1])).advance(theta, 20, 0.0, theta0)
    early = judge.judge(theta)
    assert not early.measured.vacuous
    assert early.test_loss + early.sampling_error > early.measured.bound
    assert next(claim for claim in early.claims if claim.id == "H1-risk").verdict is Verdict.UNDECIDED
    start = judge.judge(theta0)
    assert start.measured.vacuous
    assert next(claim for claim in start.claims if claim.id == "H1-risk").verdict is Verdict.HOLDS


def test_runs_without_their_last_weights_are_not_judged(certified) -> None:
    _, theta0 = prepare(certified.setup.problem)
    unseen = judge_run(certified.setup, theta0, dataclasses.replace(certified.run, final_theta=None), None)
    assert unseen is not None
    assert "finite weights" in unseen.reason


def test_a_lipschitz_constant_beyond_double_precision_is_refused() -> None:
    setup, theta0 = prepare(problem(network={"hidden": [4, 4, 4], "activation": "sin", "centered": False}))
    judge = Judge(setup, theta0, held_out(setup.problem.data), clipped_loss(setup, 0.5))
    with pytest.raises(ProblemError, match="double precision"):
        judge.judge(theta0 * 1e120)
    assert math.isfinite(judge.judge(theta0).lipschitz)
