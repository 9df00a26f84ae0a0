"""The Hadamard formula against explicit Jacobians by complex steps, equivalent problems, and infinite width."""

from __future__ import annotations

import math

import numpy as np
import pytest

from numerics.activations import builtin_activation
from numerics.kernels import KernelSum, hadamard, tangent_kernel
from numerics.network import Architecture, initialize
from numerics.signals import difference_panels, layer_sums

U = 2.0**-53
STEP = 1e-30  # complex-step derivative: truncation error STEP^2
FUNCTIONS = {"sin": np.sin, "tanh": np.tanh, "softplus": lambda z: np.log(1 + np.exp(z))}
ARCHITECTURES = [
    Architecture((3, 2), 1.1, 0.4, 1.3, (True,)),
    Architecture((3, 8, 1), 1.0, 0.0, 1.0, (True, True)),
    Architecture((3, 8, 1), 1.0, 0.0, 1.7, (True, False)),
    Architecture((3, 8, 3), 1.2, 0.3, 0.7, (False, True)),
    Architecture((4, 7, 9, 2), 1.2, 0.3, 2.0, (True, True, True)),
    Architecture((4, 7, 9, 1), 1.2, 0.0, 1.0, (False, True, False)),
    Architecture((2, 5, 6, 4, 3), 1.5, 0.2, 1.0, (True, False, True, True)),
    Architecture((2, 5, 4, 6, 5, 2), 1.4, 0.1, 0.9, (True, True, False, True, True)),
]


def jacobian_difference(architecture, activation, theta, reference, inputs, nu):
    """X X^* for X = J - J', and K - K', by the sums that a snapshot makes."""
    kernel = KernelSum(architecture, len(inputs), differences=True)
    for sums in layer_sums(architecture, difference_panels(architecture, activation, theta, reference, inputs)):
        kernel.add(sums)
    return kernel.finish(inputs, nu)


def explicit_jacobian(architecture: Architecture, name: str, theta: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    """Row i k + o: the derivative of f_o(x_i) by the *trained* parameters; nothing of the package but the layout of theta."""

    def outputs(at: np.ndarray) -> np.ndarray:
        h = inputs.T.astype(complex)
        for layer in range(1, architecture.layers + 1):
            scale = architecture.weight_scale / math.sqrt(architecture.sizes[layer - 1])
            z = scale * architecture.weight(at, layer) @ h
            if architecture.has_bias:
                z = z + architecture.bias_scale * architecture.bias(at, layer)[:, None]
            h = FUNCTIONS[name](z) if layer < architecture.layers else z
        return (architecture.output_scale * h).T.ravel()

    columns = []
    for layer, moves in enumerate(architecture.trained, start=1):
        begin = architecture.weight_offsets[layer - 1]
        for p in range(begin, begin + len(architecture.layer(theta, layer)) if moves else begin):
            at = theta.astype(complex)
            at[p] += 1j * STEP
            columns.append(outputs(at).imag / STEP)
    return np.array(columns).T


def weights(points: int) -> np.ndarray:
    nu = np.random.default_rng(9).uniform(0.5, 2.0, points)
    return nu / nu.sum()


def tolerance(architecture: Architecture, trace: float) -> float:
    """An entry is a sum of P products, |sum| <= trace, each factor good to a few times (largest fan-in) u in both computations."""
    return 8 * architecture.layers * (architecture.parameters + max(architecture.sizes)) * U * trace


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_kernel_is_the_gram_matrix_of_the_jacobian(architecture: Architecture, name: str) -> None:
    theta = initialize(architecture, "gaussian", 5)
    inputs, nu = np.random.default_rng(6).standard_normal((5, architecture.sizes[0])), weights(5)
    found = tangent_kernel(architecture, builtin_activation(name), theta, inputs, nu)
    jacobian = np.sqrt(np.repeat(nu, architecture.outputs))[:, None] * explicit_jacobian(architecture, name, theta, inputs)
    exact = jacobian @ jacobian.T
    np.testing.assert_allclose(found, exact, rtol=0, atol=tolerance(architecture, float(np.trace(exact))))
    np.testing.assert_array_equal(found, found.T)


@pytest.mark.parametrize("distance", [1.0, 1e-3])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_differences_are_those_of_the_jacobians(architecture: Architecture, distance: float) -> None:
    reference = initialize(architecture, "gaussian", 5)
    theta = reference + distance * np.random.default_rng(7).standard_normal(len(reference))
    inputs, nu = np.random.default_rng(6).standard_normal((5, architecture.sizes[0])), weights(5)
    gram, change = jacobian_difference(architecture, builtin_activation("tanh"), theta, reference, inputs, nu)
    roots = np.sqrt(np.repeat(nu, architecture.outputs))[:, None]
    here, there = (roots * explicit_jacobian(architecture, "tanh", at, inputs) for at in (theta, reference))
    exact = (here - there) @ (here - there).T
    size = float(np.trace(here @ here.T) + np.trace(there @ there.T))
    # the *reference* value here is the one that cancels: |J| |J - J'| u, hence the geometric mean
    atol = tolerance(architecture, math.sqrt(size * float(np.trace(exact)))) + tolerance(architecture, size) ** 2
    np.testing.assert_allclose(gram, exact, rtol=0, atol=atol)
    np.testing.assert_allclose(change, here @ here.T - there @ there.T, rtol=0, atol=tolerance(architecture, size))
    for matrix in (gram, change):
        np.testing.assert_array_equal(matrix, matrix.T)


def test_no_difference_is_exactly_zero_and_nothing_trained_is_zero() -> None:
    architecture = ARCHITECTURES[6]
    theta = initialize(architecture, "signs", 1)
    inputs, kernel = np.random.default_rng(6).standard_normal((4, 2)), builtin_activation("tanh")
    for matrix in jacobian_difference(architecture, kernel, theta, theta.copy(), inputs, weights(4)):
        np.testing.assert_array_equal(matrix, np.zeros((12, 12)))
    frozen = Architecture(architecture.sizes, 1.0, 0.0, 1.0, (False,) * 4)
    theta = initialize(frozen, "signs", 1)
    np.testing.assert_array_equal(tangent_kernel(frozen, kernel, theta, inputs, weights(4)), np.zeros((12, 12)))


def test_hadamard_repeats_points_over_outputs() -> None:
    rng = np.random.default_rng(0)
    backward, forward = rng.standard_normal((6, 6)), rng.standard_normal((3, 3))
    np.testing.assert_array_equal(hadamard(backward, forward), backward * np.kron(forward, np.ones((2, 2))))


def wide(biases: float = 0.0, trained: tuple[bool, ...] = (True, True)) -> tuple[Architecture, np.ndarray, np.ndarray]:
    architecture = Architecture((5, 600, 2), 1.2, biases, 1.0, trained)
    inputs = np.random.default_rng(2).standard_normal((7, 5))
    return architecture, initialize(architecture, "gaussian", 2), inputs


def test_permuted_neurons_give_the_same_kernel() -> None:
    architecture, theta, inputs = wide(biases=0.3)
    order = np.random.default_rng(3).permutation(600)
    w1, w2, b1 = (architecture.weight(theta, 1), architecture.weight(theta, 2), architecture.bias(theta, 1))
    other = architecture.flatten([w1[order], w2[:, order]], [b1[order], architecture.bias(theta, 2)])
    first, second = (tangent_kernel(architecture, builtin_activation("tanh"), t, inputs, weights(7)) for t in (theta, other))
    np.testing.assert_allclose(first, second, rtol=0, atol=tolerance(architecture, float(np.trace(first))))


def test_rotated_inputs_with_the_first_layer_give_the_same_kernel() -> None:
    architecture, theta, inputs = wide()
    rotation = np.linalg.qr(np.random.default_rng(4).standard_normal((5, 5)))[0]
    other = architecture.flatten([architecture.weight(theta, 1) @ rotation.T, architecture.weight(theta, 2)])
    kernel = builtin_activation("tanh")
    first = tangent_kernel(architecture, kernel, theta, inputs, weights(7))
    second = tangent_kernel(architecture, kernel, other, inputs @ rotation.T, weights(7))
    np.testing.assert_allclose(first, second, rtol=0, atol=tolerance(architecture, float(np.trace(first))))


def test_duplicated_neurons_halve_the_kernel_of_the_first_layer() -> None:
    architecture, theta, inputs = wide(trained=(True, False))
    twice = Architecture((5, 1200, 2), 1.2, 0.0, 1.0, (True, False))
    w1, w2 = architecture.weight(theta, 1), architecture.weight(theta, 2)
    other = twice.flatten([np.vstack([w1, w1]), np.hstack([w2, w2]) / math.sqrt(2)])
    kernel = builtin_activation("tanh")
    first = tangent_kernel(architecture, kernel, theta, inputs, weights(7))
    second = tangent_kernel(twice, kernel, other, inputs, weights(7))
    np.testing.assert_allclose(first, 2 * second, rtol=0, atol=tolerance(twice, float(np.trace(first))))


def test_a_point_given_twice_with_half_the_weight_keeps_the_spectrum() -> None:
    architecture, theta, inputs = wide()
    nu, kernel = weights(7), builtin_activation("tanh")
    doubled, halves = np.vstack([inputs, inputs[:1]]), np.concatenate([nu, nu[:1] / 2])
    halves[0] /= 2
    first = np.linalg.eigvalsh(tangent_kernel(architecture, kernel, theta, inputs, nu))
    second = np.linalg.eigvalsh(tangent_kernel(architecture, kernel, theta, doubled, halves))
    atol = tolerance(architecture, float(first.sum()))
    np.testing.assert_allclose(second, np.concatenate([np.zeros(2), first]), rtol=0, atol=atol)


# Infinite-width tangent kernels at e1, e2, (e1 + e2)/sqrt 2, -e1, all layers trained, without weights: activation, hidden
# layers, sigma_w, sigma_b and the entries 00, 01, 02, 03, 23, computed independently of this package.
INFINITE = [
    ("relu", 1, 1.0, 0.0, (0.5, 0.079577471546, 0.321434812705, 0.0, -0.032118577888)),
    ("relu", 2, 1.0, 0.0, (0.375, 0.085713579535, 0.223185880370, 0.039788735773, 0.034577405559)),
    ("erf", 1, 1.0, 0.0, (0.700885930281, 0.0, 0.470673112933, -0.700885930281, -0.470673112933)),
    ("gelu", 1, 1.0, 0.0, (0.393180526104, 0.026525823849, 0.260017350848, -0.106819473896, -0.093536039745)),
    ("sin", 1, 1.5, 0.3, (2.603168908881, 0.210492205345, 1.599956558484, -1.826396834717, -1.014181200687)),
    ("relu", 1, 1.5, 0.3, (2.82375, 0.629923547200, 1.901959251586, -0.090755681597, -0.036420236058)),
]
POINTS = np.array([[1.0, 0.0], [0.0, 1.0], [math.sqrt(0.5), math.sqrt(0.5)], [-1.0, 0.0]])
ENTRIES = ([0, 0, 0, 0, 2], [0, 1, 2, 3, 3])
DEVIATIONS = 6.0  # standard errors: with 30 entries and Student's t of 63 degrees, chance of one false alarm below 1e-5


def deviations_from_infinite_width(case: tuple, width: int, seeds: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean over seeds minus the limit, and the standard error of that mean, for the five entries."""
    name, hidden, weight_scale, bias_scale, limit = case
    architecture = Architecture((2, *[width] * hidden, 1), weight_scale, bias_scale, 1.0, (True,) * (hidden + 1))
    kernel, nu = builtin_activation(name), np.full(4, 0.25)
    draws = np.array([
        4 * tangent_kernel(architecture, kernel, initialize(architecture, "gaussian", seed), POINTS, nu)[ENTRIES]
        for seed in range(seeds)
    ])  # fmt: skip
    return draws.mean(axis=0) - np.array(limit), draws.std(axis=0, ddof=1) / math.sqrt(seeds)


@pytest.mark.parametrize("case", [case for case in INFINITE if case[1] == 1], ids=str)
def test_one_hidden_layer_has_the_infinite_kernel_as_its_mean(case: tuple) -> None:
    """For one hidden layer the kernel is an average over independent neurons: its mean is the limit at every width."""
    deviation, error = deviations_from_infinite_width(case, width=1024, seeds=64)
    assert (np.abs(deviation) <= DEVIATIONS * error + 1e-11).all()  # the table has 12 decimals
    assert (error <= 0.05).all()  # otherwise the comparison would say nothing


@pytest.mark.validate
@pytest.mark.parametrize("case", INFINITE, ids=str)
def test_wide_networks_approach_the_infinite_kernel(case: tuple) -> None:
    """Deeper networks have a bias of order 1/width, which is below the standard error when width >> seeds."""
    deviation, error = deviations_from_infinite_width(case, width=4096, seeds=64)
    assert (np.abs(deviation) <= DEVIATIONS * error + 1e-11).all()
    assert (error <= 0.02).all()
