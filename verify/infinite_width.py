"""The tangent kernel at infinite width on a data set, and its smallest eigenvalue: an enclosure, or exactly zero by a theorem."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from numerics.definite import smallest_eigenvalue_above
from numerics.midrad import MidRad
from theorems.arithmetic import BALL, exactly, lower, upper, working_precision
from theorems.errors import InputError
from theorems.infinite_kernel import LimitKernels, Normalization, WideNetwork, limit_kernels, wide_network
from theorems.input_gram import InputGram, gram_of
from theorems.singular import ExactZero, exact_zero
from theorems.smallest_eigenvalue import smallest_eigenvalue
from verify.data import Dataset
from verify.errors import ProblemError
from verify.options import NetworkOptions
from verify.rigor import float_above

# Beyond this many points the proof by doubles (a Cholesky factorization, n u |A| from lambda_min) replaces the one by balls.
MOST_IN_BALLS = 400
LARGEST_ENTRY = Fraction(10) ** 300
NEARBY = Fraction(1, 1 << 44)  # points this close to a singular configuration are said to be


@dataclass(frozen=True)
class LimitEigenvalue:
    """lambda_min of a limit kernel: in [lower, upper], both 0 when ``zero`` says why it is exactly 0.

    nearby: points within relative 2^-44 of these have a singular kernel, for this reason; a tiny eigenvalue is then what rounding
    the points left of an exact zero. Never set together with ``zero``.
    """

    lower: Fraction
    upper: Fraction
    zero: ExactZero | None
    nearby: ExactZero | None

    def __str__(self) -> str:
        if self.zero is not None:
            return f"exactly 0: {self.zero.reason}"
        # Rounded outward: to the nearest double on the safe side.
        text = f"in [{0.0 - float_above(-self.lower)!r}, {float_above(self.upper)!r}]"
        return text if self.nearby is None else f"{text}; exactly 0 for points within 2^-44 of these: {self.nearby.reason}"


@dataclass(frozen=True)
class LimitSpectrum:
    """The kernels as balls, and the enclosed smallest eigenvalues of the tangent kernel and of the NNGP covariance."""

    kernels: LimitKernels
    tangent: LimitEigenvalue
    covariance: LimitEigenvalue


def wide_network_of(network: NetworkOptions) -> WideNetwork:
    """The infinitely wide network of a [network] section: its depth, scales and trained layers; the widths do not enter.

    Raises ProblemError when the activation's kernel cannot be enclosed.
    """
    try:
        return wide_network(
            network.activation,
            len(network.hidden),
            weight_scale=network.weight_scale,
            bias_scale=network.bias_scale,
            output_scale=network.output_scale,
            trained=[network.trains(layer) for layer in range(1, network.layers + 1)],
        )
    except InputError as error:
        raise ProblemError(f"network has no infinite-width kernel: {error}") from None


def spectrum_of(network: NetworkOptions, data: Dataset) -> LimitSpectrum:
    """The limit of the kernel that a run of this network on these points measures, sample weights included."""
    weights = [exactly(float(x)) for x in data.sample_weights]
    return limit_spectrum(wide_network_of(network), data.inputs, normalization=Normalization.MEAN, sample_weights=weights)


def limit_spectrum(
    network: WideNetwork,
    inputs: Any,
    *,
    normalization: Normalization = Normalization.SUM,
    sample_weights: Sequence[Any] | None = None,
) -> LimitSpectrum:
    """Kernels of ``network`` on ``inputs`` (an InputGram, or exact numbers of shape (n, d)) with their smallest eigenvalues.

    Both kernels are positive semidefinite, so a lower bound is never below 0. Raises InputError as ``limit_kernels`` does.
    """
    gram = inputs if isinstance(inputs, InputGram) else gram_of(inputs)
    kernels = limit_kernels(network, gram, BALL, normalization=normalization, sample_weights=sample_weights)
    return LimitSpectrum(kernels, _eigenvalue(network, gram, kernels.ntk, True), _eigenvalue(network, gram, kernels.nngp, False))


def _eigenvalue(network: WideNetwork, gram: InputGram, matrix: Any, tangent: bool) -> LimitEigenvalue:
    zero = exact_zero(network, gram, tangent=tangent)
    if zero is not None:
        return LimitEigenvalue(Fraction(0), Fraction(0), zero, None)
    low, high = _bounds(matrix)
    return LimitEigenvalue(max(low, Fraction(0)), high, None, exact_zero(network, gram, NEARBY, tangent=tangent))


def _bounds(matrix: Any) -> tuple[Fraction, Fraction]:
    if len(matrix) <= MOST_IN_BALLS:
        found = smallest_eigenvalue(matrix)
        if found is not None:
            return found
    enclosed = as_midpoint_radius(matrix)
    below = smallest_eigenvalue_above(enclosed)
    vector = np.linalg.eigh(enclosed.mid)[1][:, 0].tolist()
    with working_precision():
        x = BALL.numbers(vector)
        above = upper(np.dot(x, matrix @ x) / np.dot(x, x))
    return Fraction(below) if np.isfinite(below) else Fraction(0), above


def as_midpoint_radius(matrix: Any) -> MidRad:
    """Balls as doubles with radii: each radius covers the ball and the rounding of its midpoint. Raises InputError if not
    finite."""
    entries = np.asarray(matrix, dtype=object)
    mid, rad = np.empty(entries.shape), np.empty(entries.shape)
    for index, ball in np.ndenumerate(entries):
        low, high = lower(ball), upper(ball)
        if max(-low, high) > LARGEST_ENTRY:
            raise InputError(f"a kernel's entries must be at most 1e300 in size, got {ball}")
        mid[index] = float((low + high) / 2)
        rad[index] = float_above(max(high - exactly(mid[index]), exactly(mid[index]) - low))
    return MidRad(mid, rad)
