"""What H1 and H2 on trained networks are made of: held-out points, losses with a range and a slope, transport."""

from __future__ import annotations

import dataclasses
import itertools
import math
from fractions import Fraction

import numpy as np
import pytest

from verify.certificate_consequences import MOST_RADII
from verify.data import load_data
from verify.errors import ProblemError
from verify.evaluated_losses import clipped_loss, ramp_loss
from verify.held_out import held_out
from verify.options import DataOptions, LossOptions
from verify.problem import problem_from_mapping
from verify.risk_bound import first_radius_of, radius_index
from verify.setup import prepare
from verify.transport import as_coupling, ground_cost, transport_cost

EPS = np.finfo(np.float64).eps


def problem(points, classes=(0, 1), loss=None):
    data = {"source": "digits", "points": points, "classes": list(classes)}
    return problem_from_mapping({"data": data, "network": {"hidden": [4]}, "loss": loss or {"name": "square"}})


# The points that are held out.


@pytest.mark.parametrize("normalize", ["sphere", "standard", "none"])
def test_held_out_points_are_the_rest_under_the_same_map(normalize) -> None:
    options = DataOptions(source="breast_cancer", classes=(0, 1), points=400, seed=3, normalize=normalize)
    taken, rest = load_data(options), held_out(options)
    everything = load_data(dataclasses.replace(options, points=569))
    assert sorted([*taken.source_rows, *rest.source_rows]) == list(range(569))
    assert np.array_equal(everything.inputs, np.vstack([taken.inputs, rest.inputs]))
    assert np.array_equal(everything.targets, np.vstack([taken.targets, rest.targets]))
    assert rest.points == 169
    assert ("569 eligible rows" in rest.assumption) == (normalize != "none")


@pytest.mark.parametrize("source", ["gaussian", "sphere", "cube", "student"])
def test_a_law_is_drawn_further(source) -> None:
    options = DataOptions(source=source, points=7, dimension=4, seed=5)
    rest, everything = held_out(options, fresh=11), load_data(dataclasses.replace(options, points=18))
    assert np.array_equal(everything.inputs, np.vstack([load_data(options).inputs, rest.inputs]))
    assert np.array_equal(everything.targets[7:], rest.targets)


def test_labels_are_scaled_and_regression_targets_standardized() -> None:
    options = DataOptions(source="diabetes", points=100, label_scale=2.0)
    targets = np.vstack([load_data(options).targets, held_out(options).targets])
    assert np.mean(targets) == pytest.approx(0, abs=1e4 * EPS)
    assert np.std(targets) == pytest.approx(2, rel=1e4 * EPS)


def test_held_out_points_may_repeat_and_contradict(tmp_path) -> None:
    """Equal points with different targets are refused among the points of a problem, not among those held out."""
    path = tmp_path / "rows.npz"
    np.savez(path, X=np.array([[1.0, 2.0], [3.0, 1.0], [0.5, 0.5], [0.5, 0.5], [0.5, 0.5]]), y=np.array([0, 1, 0, 1, 1]))
    for seed in range(30):
        options = DataOptions(source="rows.npz", classes=(0, 1), points=2, seed=seed, normalize="none", folder=tmp_path)
        rest = held_out(options)
        assert rest.points == 3
    columns = {"source": "rows.npz", "classes": (0, 1), "normalize": "none", "folder": tmp_path}
    with pytest.raises(ProblemError, match=r"data.points must leave rows to be held out, got 5"):
        held_out(DataOptions(points=5, **columns))


def test_a_column_of_weights_is_no_feature(tmp_path) -> None:
    (tmp_path / "rows.csv").write_text("a,w,y\n1,1,0.5\n2,2,1\n3,1,2\n5,1,1\n")
    options = DataOptions(source="rows.csv", points=2, normalize="none", folder=tmp_path)
    loss = LossOptions(name="weighted_square", weights="w")
    assert held_out(options, loss).inputs.shape == (2, 1)
    assert load_data(options, loss).inputs.shape == (2, 1)


# The losses.


@pytest.mark.parametrize("largest", [0.5, 2.0])
@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("name", ["square", "log_cosh", "pseudo_huber"])
def test_a_clipped_loss_has_its_range_and_slope(name, outputs, largest) -> None:
    classes = (0, 1) if outputs == 1 else (0, 1, 2)
    loss = {"square": {"name": "square"}}.get(name, {"name": name, "ridge": 0.1})
    setup, _ = prepare(problem(9, classes, loss))
    judged = clipped_loss(setup, largest)
    rng = np.random.default_rng(1)
    targets = setup.dataset.targets[rng.integers(0, 9, 4000)]
    one = targets + 3 * rng.standard_normal(targets.shape)
    two = one + 10.0 ** rng.uniform(-3, 0, (4000, 1)) * rng.standard_normal(targets.shape)
    here, there = judged.values(one, targets), judged.values(two, targets)
    assert here.min() >= 0
    assert here.max() <= judged.largest == largest
    quotients = np.abs(here - there) / np.linalg.norm(one - two, axis=1)
    assert quotients.max() <= judged.slope * (1 + 1e-9)  # gaps are accurate to 200 u, distances are at least 1e-4
    if name == "square" and outputs == 1:
        assert quotients.max() > 0.99 * judged.slope
        assert here == pytest.approx(np.minimum((one - targets)[:, 0] ** 2 / 2, largest), rel=8 * EPS)


def test_the_ramp_is_at_least_the_share_of_mistakes() -> None:
    rng = np.random.default_rng(0)
    outputs, targets = rng.standard_normal((500, 1)), 3.0 * rng.choice([-1.0, 1.0], (500, 1))
    judged = ramp_loss(0.7)
    values = judged.values(outputs, targets)
    assert np.all(values >= (outputs * targets <= 0)[:, 0])
    assert judged.values(np.array([[0.35], [-5.0], [9.0]]), np.ones((3, 1))) == pytest.approx([0.5, 1.0, 0.0])


@pytest.mark.parametrize("margin", [0.0, -1.0, math.nan, True, "wide"])
def test_a_margin_that_is_none_is_refused(margin) -> None:
    with pytest.raises(ProblemError, match="margin must be a positive finite number"):
        ramp_loss(margin)


def test_the_ramp_wants_two_signs() -> None:
    with pytest.raises(ProblemError, match="one output and targets of two signs, got 3 outputs"):
        ramp_loss().values(np.ones((2, 3)), np.ones((2, 3)))
    with pytest.raises(ProblemError, match="and a target 0"):
        ramp_loss().values(np.ones((2, 1)), np.array([[1.0], [0.0]]))


def test_a_loss_without_constants_cannot_be_clipped() -> None:
    setup, _ = prepare(problem(4, loss={"name": "(y - t)**4"}))
    with pytest.raises(ProblemError, match="must have a smoothness constant"):
        clipped_loss(setup)


# Transport.


@pytest.mark.parametrize("sizes", [(4, 4), (2, 4), (3, 2), (5, 3), (1, 4)])
def test_transport_against_every_assignment(sizes) -> None:
    """Repeating points to a common number makes assignments of couplings (Birkhoff), which are listed."""
    n, m = sizes
    cost = np.random.default_rng(n + 10 * m).random(sizes)
    common = math.lcm(n, m)
    if common <= 8:
        repeated = np.repeat(np.repeat(cost, common // n, axis=0), common // m, axis=1)
        best = min(float(np.mean([repeated[i, j] for i, j in enumerate(order)])) for order in itertools.permutations(range(common)))
        assert best <= transport_cost(cost) <= best * (1 + 1e-6)  # the linear program's own tolerance
    assert transport_cost(cost) >= cost.min()


def test_any_plan_is_made_a_coupling() -> None:
    rng = np.random.default_rng(2)
    for plan in (rng.random((4, 7)) - 0.3, np.zeros((4, 7)), np.full((4, 7), 1 / 28), np.eye(4, 7)):
        found = as_coupling(plan)
        assert found.min() >= 0
        assert found.sum(axis=1) == pytest.approx(np.full(4, 1 / 4), rel=32 * EPS)
        assert found.sum(axis=0) == pytest.approx(np.full(7, 1 / 7), rel=32 * EPS)


def test_costs() -> None:
    inputs, targets = (np.array([[0.0], [1.0]]), np.array([[0.0]])), (np.array([[1.0], [1.0]]), np.array([[1.0]]))
    assert ground_cost(inputs, targets, 0.25, math.inf, 2.0) == pytest.approx(np.array([[0.0], [0.25]]))
    other = (targets[0], np.array([[-1.0]]))
    assert ground_cost(inputs, other, 0.25, math.inf, 2.0) == pytest.approx(np.array([[2.0], [2.0]]))
    assert ground_cost(inputs, other, 0.25, 0.5, 2.0) == pytest.approx(np.array([[1.0], [1.25]]))
    for bad in (np.array([[-1.0]]), np.array([[math.nan]]), np.zeros((0, 2))):
        with pytest.raises(ProblemError, match="cost must be a matrix"):
            transport_cost(bad)


# The radii of H1.


def test_the_radius_is_the_first_that_is_not_below_the_distance() -> None:
    third = Fraction(1, 3)
    for distance, index in ((third, 1), (Fraction(0), 1), (third + Fraction(1, 10**40), 2), (2 * third, 2), (Fraction(3), 5)):
        assert radius_index(third, distance) == index
    farthest = Fraction(2) ** (MOST_RADII - 1)
    assert radius_index(Fraction(1), farthest) == MOST_RADII
    with pytest.raises(ProblemError, match=r"the distance from theta0 must be at most 2\^999 first_radius"):
        radius_index(Fraction(1), farthest + 1)


def test_the_first_radius_moves_the_output_by_the_order_of_its_derivative() -> None:
    setup, _ = prepare(problem(4))
    setup = dataclasses.replace(setup, architecture=dataclasses.replace(setup.architecture, output_scale=0.25))
    assert first_radius_of(setup, None) == first_radius_of(setup, "1/output_scale") == 4.0
    assert first_radius_of(setup, 0.5) == 0.5
    with pytest.raises(ProblemError, match="first_radius must be a positive finite number"):
        first_radius_of(setup, 0.0)
