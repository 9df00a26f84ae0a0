"""Bounds of empirical moments: the formulas, and the probability with which they fail, counted exactly over every sample."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from theorems.errors import InputError
from theorems.laws import cube, empirical, gaussian, rademacher, sphere, student
from theorems.laws.sampling_bounds import METHODS, PROOF, sample_moment_bounds
from theorems.ledger import Identity

N = sympy.Symbol("n", integer=True, positive=True)
D = sympy.Symbol("d", integer=True, positive=True)
NU = sympy.Symbol("nu", positive=True)
DELTA = sympy.Symbol("delta", positive=True)


def test_formulas_are_those_of_the_theory():
    """Section F: L M_{2j}/delta', and M_{2j} + sqrt(L M_{4j}/(n delta'))."""
    law, layers = gaussian(D), 3
    for j, (one, other) in enumerate(
        zip(*(sample_moment_bounds(law, layers, N, DELTA, method) for method in ("markov", "chebyshev")), strict=True), start=1
    ):
        low, high = law.even_moment(j), law.even_moment(2 * j)
        assert one.order == other.order == 2 * j
        assert one.failure == other.failure == DELTA / layers
        assert sympy.simplify(one.bound - layers * low / DELTA) == 0
        assert sympy.simplify(other.bound - (low + sympy.sqrt(layers * high / (N * DELTA)))) == 0


def test_cantelli_at_numbers():
    """Two signs' fourth powers have no spread; for the cube, M_2 = 1, M_4 = 9/5 in dimension 1, so the variance is 4/5."""
    (bound,) = sample_moment_bounds(cube(1), 1, 5, Fraction(1, 5), "cantelli")
    assert bound.bound == 1 + sympy.sqrt(sympy.Rational(4, 5) * sympy.Rational(4, 5) / (5 * sympy.Rational(1, 5)))
    assert [b.bound for b in sample_moment_bounds(rademacher(D), 3, N, DELTA, "cantelli")] == [D, D**2, D**3]
    assert [b.bound for b in sample_moment_bounds(sphere(4), 3, 2, 0.25, "least")] == [4, 16, 64]


@st.composite
def small_samples(draw):
    """A law on two or three integers with rational weights, and a sample so small that all of them can be listed."""
    points = draw(st.lists(st.integers(0, 6), min_size=2, max_size=3, unique=True).filter(any))
    weights = draw(st.lists(st.integers(1, 12), min_size=len(points), max_size=len(points)))
    return points, weights, draw(st.integers(1, 4)), draw(st.integers(1, 3)), draw(st.fractions(Fraction(1, 50), Fraction(49, 50)))


@given(small_samples(), st.sampled_from(sorted(METHODS)))
@settings(max_examples=60)
def test_failure_probability_counted_exactly(drawn, method):
    """Each event fails with probability at most delta'/L, and their union with at most delta'."""
    points, weights, n, layers, delta = drawn
    law = empirical([[x] for x in points], weights)
    bounds = sample_moment_bounds(law, layers, n, delta, method)
    shares = [Fraction(weight, sum(weights)) for weight in weights]
    limits = [n * bound.bound for bound in bounds]
    failed = [Fraction(0)] * layers
    union = Fraction(0)
    for sample in itertools.combinations_with_replacement(range(len(points)), n):
        counts = [sample.count(i) for i in range(len(points))]
        ways = math.factorial(n) // math.prod(math.factorial(count) for count in counts)
        probability = ways * math.prod(share**count for share, count in zip(shares, counts, strict=True))
        exceeded = [bool(sum(points[i] ** (2 * j) for i in sample) > limits[j - 1]) for j in range(1, layers + 1)]
        failed = [total + probability * over for total, over in zip(failed, exceeded, strict=True)]
        union += probability * any(exceeded)
    assert all(total <= delta / layers for total in failed)
    assert union <= delta


def test_markov_is_attained():
    """x^2 = 1/p with probability p, otherwise 0: the mean of one point reaches M_2/p with probability exactly p."""
    law = empirical([[2], [0]], [1, 3])
    (bound,) = sample_moment_bounds(law, 1, 1, Fraction(1, 4), "markov")
    assert bound.bound == 4


def test_cantelli_is_attained():
    """A law on two values is the extremal one: the upper value, of probability p, is exactly the bound."""
    law = empirical([[5], [1]], [1, 4])
    (bound,) = sample_moment_bounds(law, 1, 1, Fraction(1, 5), "cantelli")
    assert bound.bound == 25


@given(
    st.sampled_from([gaussian(3), cube(4, Fraction(5, 2)), student(2, 20), sphere(5), empirical([[1, 0], [3, 0.5], [0, 0]])]),
    st.integers(1, 4),
    st.integers(1, 10**4),
    st.fractions(Fraction(1, 1000), Fraction(999, 1000)),
)
@settings(max_examples=60)
def test_order_of_the_bounds_and_what_more_evidence_does(law, layers, n, delta):
    """Cantelli <= Chebyshev, least <= both parts; more points or more failure allowed never give a larger bound."""

    def numbers(method, n=n, delta=delta):
        return [bound.bound for bound in sample_moment_bounds(law, layers, n, delta, method)]

    means = [law.even_moment(j) for j in range(1, layers + 1)]
    for low, one, two, best, mean in zip(
        numbers("cantelli"), numbers("chebyshev"), numbers("markov"), numbers("least"), means, strict=True
    ):
        assert mean <= low <= one
        assert best <= low
        assert best <= two
    for method in METHODS:
        for now, more, looser in zip(
            numbers(method), numbers(method, n=2 * n), numbers(method, delta=(1 + delta) / 2), strict=True
        ):
            assert more <= now
            assert looser <= now


def test_moments_that_are_missing():
    law = student(3, 9)  # moments up to order 8
    assert len(sample_moment_bounds(law, 4, 10, 0.1, "markov")) == 4
    assert len(sample_moment_bounds(law, 2, 10, 0.1, "chebyshev")) == 2
    best = sample_moment_bounds(law, 4, 10, 0.1, "least")
    assert [bound.bound for bound in best[2:]] == [bound.bound for bound in sample_moment_bounds(law, 4, 10, 0.1, "markov")[2:]]
    with pytest.raises(InputError, match=r"E\|x\|\^10 of the law 'student' does not exist: its moments exist up to order 8"):
        sample_moment_bounds(law, 5, 10, 0.1, "least")
    with pytest.raises(InputError, match=r"E\|x\|\^12 of the law 'student' does not exist"):
        sample_moment_bounds(law, 3, 10, 0.1, "cantelli")


def test_conditions_name_the_moments_used():
    law = student(D, NU)
    assert [bound.condition for bound in sample_moment_bounds(law, 2, N, DELTA, "markov")] == [NU > 2, NU > 4]
    assert [bound.condition for bound in sample_moment_bounds(law, 2, N, DELTA, "cantelli")] == [NU > 4, NU > 8]
    assert sample_moment_bounds(law, 2, N, DELTA, "least")[1].bound == sample_moment_bounds(law, 2, N, DELTA, "markov")[1].bound


def test_the_identities_of_the_proof():
    identities = [step.evidence for step in PROOF if isinstance(step.evidence, Identity)]
    assert len(identities) == 3
    for identity in identities:
        assert sympy.simplify(identity.left - identity.right) == 0


BAD = [
    (("gaussian", 2, 5, 0.1), "law must be a law, got 'gaussian'"),
    ((gaussian(2), 0, 5, 0.1), "layers must be an integer from 1 to 64, got 0"),
    ((gaussian(2), 2.0, 5, 0.1), "layers must be an integer from 1 to 64, got 2.0"),
    ((gaussian(2), 2, 0, 0.1), "points must be an integer of at least 1"),
    ((gaussian(2), 2, 5, 0), "failure_probability must lie strictly between 0 and 1, got 0"),
    ((gaussian(2), 2, 5, 1.0), "failure_probability must lie strictly between 0 and 1, got 1.0"),
    ((gaussian(2), 2, 5, -0.1), "failure_probability must lie strictly between 0 and 1"),
    ((gaussian(2), 2, 5, float("nan")), "failure_probability: a number must be finite"),
    ((gaussian(2), 2, 5, "0.1"), "failure_probability: a number must be"),
    ((gaussian(2), 2, 5, sympy.Symbol("delta")), "failure_probability: a number must be"),
    ((gaussian(2), 2, 5, 0.1, "chebychev"), "did you mean 'chebyshev'"),
    ((gaussian(2), 2, 5, 0.1, None), "method must be one of"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=[message for _, message in BAD])
def test_bad_input_is_one_sentence(arguments, message):
    with pytest.raises(InputError, match=message) as error:
        sample_moment_bounds(*arguments)
    assert "\n" not in str(error.value)
