"""The register machine against mpmath, one operation at a time and all at once."""

import mpmath as mp
import numpy as np
import pytest

from numerics.activations import evaluate, program_activation
from numerics.errors import NumericsError
from numerics.interpreter import BLOCK, OPERATIONS, assemble

UNARY = {
    "sqrt": (mp.sqrt, True), "exp": (mp.exp, False), "log": (mp.log, True), "sin": (mp.sin, False),
    "cos": (mp.cos, False), "tanh": (mp.tanh, False), "erf": (mp.erf, False), "arctan": (mp.atan, False),
    "sinh": (mp.sinh, False), "cosh": (mp.cosh, False), "abs": (abs, False),
}  # fmt: skip
BINARY = {
    "add": lambda a, b: a + b,
    "multiply": lambda a, b: a * b,
    "maximum": max,
    "minimum": min,
}
ULPS = 4 * np.finfo(float).eps  # relative: twice the largest bound of the elementary functions


def close(computed, exact):
    with mp.workdps(40):
        for value, reference in zip(np.ravel(computed), exact, strict=True):
            assert abs(mp.mpf(float(value)) - reference) <= ULPS * abs(reference)


@pytest.mark.parametrize("operation", UNARY)
@pytest.mark.parametrize("count", [1, BLOCK - 1, BLOCK, 2 * BLOCK + 3])
def test_unary_operations_in_blocks_of_any_length(operation, count):
    function, positive = UNARY[operation]
    x = np.random.default_rng(count).uniform(0.01 if positive else -5.0, 5.0, count)
    kernel = program_activation([("input", (), 0), (operation, (0,), None)], (1, 0))
    phi, dphi = evaluate(kernel, x)
    with mp.workdps(40):
        close(phi, [function(mp.mpf(float(value))) for value in x])
    np.testing.assert_array_equal(dphi, x)


@pytest.mark.parametrize("operation", BINARY)
def test_binary_operations(operation):
    x = np.random.default_rng(0).uniform(-5.0, 5.0, 101)
    constant = 0.75
    kernel = program_activation([("input", (), 0), ("constant", (), constant), (operation, (0, 1), None)], (2, 1))
    phi, dphi = evaluate(kernel, x)
    close(phi, [BINARY[operation](mp.mpf(float(value)), mp.mpf(constant)) for value in x])
    np.testing.assert_array_equal(dphi, constant)


@pytest.mark.parametrize("exponent", [-7, -2, -1, 0, 1, 2, 3, 10])
def test_integer_powers(exponent):
    x = np.random.default_rng(1).uniform(0.5, 2.0, 65) * np.random.default_rng(2).choice([-1.0, 1.0], 65)
    phi, _ = evaluate(program_activation([("input", (), 0), ("power", (0,), exponent)], (1, 0)), x)
    # Repeated squaring: each of at most 2 log2(n) + 1 products adds half an ulp, weighted by what is still to be squared.
    tolerance = (abs(exponent) + 1) * np.finfo(float).eps
    with mp.workdps(40):
        for value, argument in zip(phi, x, strict=True):
            exact = mp.mpf(float(argument)) ** exponent
            assert abs(mp.mpf(float(value)) - exact) <= tolerance * abs(exact)


def test_sine_and_cosine_of_huge_arguments_are_right():
    """The vector code ends at 1e5; single elements beyond are handed to libm, not left wrong."""
    x = np.array([0.5, 1e4, 3e5, -1e16, 1.7e300, 2.0])
    for operation in ("sin", "cos"):
        phi, _ = evaluate(program_activation([("input", (), 0), (operation, (0,), None)], (1, 0)), x)
        with mp.workprec(1200):
            close(phi, [UNARY[operation][0](mp.mpf(float(value))) for value in x])


def test_pi_is_a_constant():
    phi, _ = evaluate(program_activation([("pi", (), None), ("input", (), 0)], (0, 1)), np.zeros(3))
    np.testing.assert_array_equal(phi, np.pi)


def test_every_operation_is_tested():
    assert set(UNARY) | set(BINARY) | {"input", "constant", "pi", "power"} == set(OPERATIONS)


@pytest.mark.parametrize(
    ("instructions", "outputs", "message"),
    [
        ([], (0, 0), "empty"),
        ([("system", (), None)], (0, 0), "unknown operation 'system'"),
        ([("input", (), 0), ("add", (0,), None)], (0, 0), "needs 2 arguments"),
        ([("input", (), 0), ("add", (0, 1), None)], (0, 0), "not all of them written before"),
        ([("input", (), 1)], (0, 0), "needs an integer in \\[0, 0\\]"),
        ([("input", (), 0), ("power", (0,), 0.5)], (0, 0), "needs an integer"),
        ([("input", (), 0), ("power", (0,), float("inf"))], (0, 0), "needs an integer"),
        ([("constant", (), float("nan"))], (0, 0), "needs a finite value"),
        ([("constant", (), None)], (0, 0), "needs a finite value"),
        ([("input", (), 0)], (0, 1), "outputs must be registers"),
    ],
)
def test_malformed_programs_are_refused(instructions, outputs, message):
    with pytest.raises(NumericsError, match=message):
        assemble(instructions, outputs, inputs=1)
