"""Hypothesis strategies: problems that satisfy a theorem's hypotheses, problems that break exactly one, and small networks.

What hypothesis draws is the shape of a problem and a seed; entries come from NumPy's generator, so an example is reproducible and
shrinks in shape. This is the only module that needs hypothesis (the extra ``test``). Use::

    from hypothesis import given
    from theorems.catalogue import theorem
    from verify.strategies import composite_problems

    @given(composite_problems(theorem("A")))
    def test_something(problem): ...
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from hypothesis import reject
from hypothesis import strategies as st
from numpy.typing import NDArray

from numerics.network import Architecture
from theorems.activations import ACTIVATIONS
from theorems.errors import InputError, nearest
from theorems.records import LossClass, Role, Theorem
from verify.composite_problems import (
    OBJECTIVES,
    CompositeProblem,
    QuadraticMap,
    bent,
    break_hypothesis,
    random_rotation,
    solve,
    unit_quadratic,
)

Array = NDArray[np.float64]

LARGEST_QUOTIENT = 0.999
SLACK = 1e-6  # by how much R exceeds rbar, relative to rbar

_SEEDS = st.integers(0, 2**32 - 1)


@dataclass(frozen=True)
class NetworkProblem:
    """A small network and data: parameters, inputs of shape (n, d), sample weights nu of shape (n,) with sum 1."""

    architecture: Architecture
    activation: str
    theta: Array
    inputs: Array
    sample_weights: Array


@st.composite
def quadratic_maps(
    draw: st.DrawFn, largest_outputs: int = 4, largest_parameters: int = 8, smallest_singular_value: float = 0.2
) -> QuadraticMap:
    """Draw a quadratic map with n <= p, singular values of A in [smallest_singular_value, 1] and lipschitz = 1."""
    outputs = draw(st.integers(1, largest_outputs))
    parameters = draw(st.integers(outputs, max(outputs, largest_parameters)))
    kind = draw(st.sampled_from(["blocks", "rank one", "dense"]))
    rotated = draw(st.booleans())
    generator = np.random.default_rng(draw(_SEEDS))
    singular = draw(st.sampled_from(["equal", "spread"]))
    spectrum = np.ones(outputs) if singular == "equal" else generator.uniform(smallest_singular_value, 1, outputs)
    linear = np.zeros((outputs, parameters))
    np.fill_diagonal(linear, spectrum)
    tensor = unit_quadratic(kind, outputs, parameters, generator)
    if rotated:
        left, right = random_rotation(outputs, generator), random_rotation(parameters, generator)
        linear = left @ linear @ right
        tensor = np.einsum("ai,ijk,jb,kc->abc", left, tensor, right, right)
    return QuadraticMap(linear, tensor, 1.0)


def composite_problems(
    theorem: Theorem,
    quotients: st.SearchStrategy[float] | None = None,
    shares: st.SearchStrategy[float] | None = None,
    objectives: Sequence[str] | None = None,
) -> st.SearchStrategy[CompositeProblem]:
    """Problems that satisfy every hypothesis of a convergence theorem.

    quotients: the q to aim at, in (0, 1), by default up to 0.999. shares: the step as a share, in (0, 1], of the largest that the
    theorem allows (for Theorem A of 1/(L Lambda), Lambda on B(R)), by default often exactly 1. objectives: names from OBJECTIVES,
    by default all in the theorem's loss class. R exceeds the bound of the path by a relative 1e-6.

    Raises InputError when the theorem does not certify gradient descent or an objective is unknown. Source: docs/theory.md, A.
    """
    shapes = _shapes(theorem, quotients, shares, _objectives(theorem, objectives))
    return shapes.map(lambda shape: bent(shape[0], solve(theorem, shape[0].values, shape[1], shape[2], 1 + SLACK)))


def composite_problems_breaking(theorem: Theorem, hypothesis: str) -> st.SearchStrategy[CompositeProblem]:
    """Problems that break the named hypothesis of a convergence theorem and no other.

    A margin that needs a constant which does not exist once the hypothesis is broken (rbar for q > 1, kappa and what follows for
    eta L lambda0 = 1) is NaN or infinite: such a hypothesis is not applicable, neither met nor broken. Two cannot be had alone:
    with K_0 singular (H3), q < 1 and in Theorem A+ sigma~ > 0 are out of reach too; and "kappa" fails with the step still allowed
    only where Lambda = lambda0, that is for linear F with all singular values equal.

    Raises InputError when the theorem does not certify gradient descent or has no such hypothesis.
    """
    names = _objectives(theorem, None)
    known = [item.id for item in theorem.hypotheses]
    if hypothesis not in known:
        raise InputError(f"theorem {theorem.id} has no hypothesis {hypothesis!r}{nearest(hypothesis, known)}, got {known}")

    def broken(drawn: tuple[tuple[CompositeProblem, float, float], int]) -> CompositeProblem:
        (problem, quotient, share), seed = drawn
        found = break_hypothesis(problem, hypothesis, quotient, share, np.random.default_rng(seed))
        return found if found is not None else reject()

    return st.tuples(_shapes(theorem, None, None, names), _SEEDS).map(broken)


@st.composite
def networks(
    draw: st.DrawFn,
    activations: Sequence[str] | None = None,
    largest_layers: int = 5,
    largest_width: int = 6,
    largest_points: int = 4,
) -> NetworkProblem:
    """Draw a small network in NTK parametrization with every option, and data.

    2 to ``largest_layers`` layers, widths and input dimension 1 to ``largest_width``, 1 to 3 outputs, with and without biases, any
    nonempty set of trained layers, output scale, one of ``activations`` (default: every smooth one of the catalogue); 1 to
    ``largest_points`` points; equal or unequal sample weights. Parameters are normal times 0.3, 1 or 3, or all zero (a saddle).
    """
    names = [name for name, record in ACTIVATIONS.items() if record.smooth] if activations is None else list(activations)
    layers = draw(st.integers(2, largest_layers))
    widths = draw(st.lists(st.integers(1, largest_width), min_size=layers, max_size=layers))
    trained = draw(st.lists(st.booleans(), min_size=layers, max_size=layers).filter(any))
    architecture = Architecture(
        sizes=(*widths, draw(st.integers(1, 3))),
        weight_scale=draw(st.sampled_from([1.0, 0.5, 1.5])),
        bias_scale=draw(st.sampled_from([0.0, 0.3, 1.0])),
        output_scale=draw(st.sampled_from([1.0, 0.25, 3.0])),
        trained=tuple(trained),
    )
    points = draw(st.integers(1, largest_points))
    scale = draw(st.sampled_from([1.0, 1.0, 0.3, 3.0, 0.0]))
    weighted = draw(st.booleans())
    generator = np.random.default_rng(draw(_SEEDS))
    sample_weights = generator.dirichlet(np.ones(points)) if weighted else np.full(points, 1 / points)
    return NetworkProblem(
        architecture=architecture,
        activation=draw(st.sampled_from(names)),
        theta=scale * generator.standard_normal(architecture.parameters),
        inputs=generator.standard_normal((points, widths[0])),
        sample_weights=sample_weights,
    )


def _objectives(theorem: Theorem, wanted: Sequence[str] | None) -> list[str]:
    if theorem.role is not Role.CONVERGENCE:
        raise InputError(f"theorem must certify gradient descent, got {theorem.id} ({theorem.role.value})")
    for name in wanted or ():
        if name not in OBJECTIVES:
            known = ", ".join(OBJECTIVES)
            raise InputError(f"unknown objective {name!r}{nearest(name, OBJECTIVES)} (known: {known})")
    fitting = {LossClass.SQUARE: ["square"], LossClass.GENERAL: [name for name in OBJECTIVES if name != "square"]}
    return list(wanted or fitting.get(theorem.loss_class, list(OBJECTIVES)))


@st.composite
def _shapes(
    draw: st.DrawFn,
    theorem: Theorem,
    quotients: st.SearchStrategy[float] | None,
    shares: st.SearchStrategy[float] | None,
    objectives: list[str],
) -> tuple[CompositeProblem, float, float]:
    """A problem whose map still has lipschitz = 1 and whose values lack beta, eta and R; the wanted q and share of the step."""
    make = OBJECTIVES[draw(st.sampled_from(objectives))]
    strict = next(item for item in theorem.hypotheses if item.id == "step").strict
    if quotients is None:
        quotients = st.sampled_from([LARGEST_QUOTIENT, 0.9, 0.5, 0.1, 1e-3]) | st.floats(1e-3, LARGEST_QUOTIENT)
    if shares is None:
        shares = st.floats(0.02, 0.98) if strict else st.just(1.0) | st.floats(0.02, 1.0)
    quotient, share = draw(quotients), draw(shares)
    mapping = draw(quadratic_maps())
    towards = draw(st.sampled_from(["weakest", "weakest", "opposite", "random"]))
    generator = np.random.default_rng(draw(_SEEDS))
    left, spectrum, _ = np.linalg.svd(mapping.linear)
    directions = {"weakest": left[:, -1], "opposite": -left[:, -1], "random": generator.standard_normal(len(left))}
    target = 10.0 ** generator.uniform(-1.5, 1.0) * directions[towards]
    objective = make(len(target), generator)
    values = {
        "L": objective.smoothness,
        "mu": objective.mu,
        "lambda0": float(spectrum[-1]) ** 2,
        "lambda_max": float(spectrum[0]) ** 2,
        "s0": math.sqrt(2 * objective.value(-target) / objective.mu),
    }
    return CompositeProblem(theorem, mapping, objective, target, values), quotient, share
