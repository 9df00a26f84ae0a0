"""Gradient descent in the standard parametrization, z_l = W'_l h_{l-1}, W'_l = c_l W_l, for comparison with NTK parametrization.

The same function and loss; gradient descent with the step eta here is gradient descent there with the step eta c_l^2 for layer l
(docs/normalization.md). One step for all layers is what "standard" means.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from numerics.activations import evaluate
from numerics.kernels import tangent_kernel
from verify.errors import ProblemError
from verify.setup import Setup, Theta

Array = NDArray[np.float64]


BLOWN_UP = 1e6  # times the first residual: the run is not followed beyond


def standard_residuals(setup: Setup, theta0: Theta, layer_steps: Sequence[float], steps: int) -> Array:
    """The residuals |f - y|_nu before each of ``steps`` steps from theta0 and after the last, with a step for each layer of W'.

    A run that blows up is cut short, with an infinite last residual. Raises ProblemError for a loss other than the square loss and
    for a network with biases.
    """
    a, data = setup.architecture, setup.dataset
    if not setup.loss.is_square or a.has_bias:
        raise ProblemError(f"the loss must be square and the network without biases, got {setup.loss.name} and {a.bias_scale!r}")
    weights = [c * a.weight(theta0, layer) for layer, c in enumerate(a.fan_in_scales, start=1)]
    goal, nu, inputs = (setup.minimizers + setup.offsets).T, data.sample_weights, np.ascontiguousarray(data.inputs.T)
    found: list[float] = []
    with np.errstate(over="ignore", invalid="ignore"):
        while True:
            hidden, slopes = [inputs], []
            for weight in weights[:-1]:
                h, slope = evaluate(setup.activation_kernel, weight @ hidden[-1])
                hidden.append(h)
                slopes.append(slope)
            error = a.output_scale * (weights[-1] @ hidden[-1]) - goal
            found.append(math.sqrt(float(np.sum(nu * error**2))))
            if not found[-1] <= BLOWN_UP * found[0]:
                return np.array([*found[:-1], math.inf])
            if len(found) > steps:
                return np.array(found)
            delta = a.output_scale * nu * error
            for layer in range(len(weights) - 1, -1, -1):
                gradient = delta @ hidden[layer].T
                if layer:
                    delta = slopes[layer - 1] * (weights[layer].T @ delta)
                if a.trained[layer]:
                    gradient *= layer_steps[layer]
                    weights[layer] -= gradient
            # The sum is not finite if a weight is not, for a fifth less time than a mask; if it overflows all is lost as well.
            if not all(math.isfinite(weight.sum()) for weight in weights):
                return np.array([*found, math.inf])


def standard_kernel_largest(setup: Setup, theta0: Theta) -> float:
    """lambda_max of the tangent kernel of the standard parametrization: sum_l K_l/c_l^2, K_l that of layer l alone here."""
    a, data = setup.architecture, setup.dataset
    total = np.zeros((data.targets.size, data.targets.size))
    for layer, scale in enumerate(a.fan_in_scales):
        if a.trained[layer]:
            alone = dataclasses.replace(a, trained=tuple(index == layer for index in range(a.layers)))
            kernel = tangent_kernel(alone, setup.activation_kernel, theta0, data.inputs, data.sample_weights)
            total += kernel / scale**2
    return float(np.linalg.eigvalsh(total)[-1])
