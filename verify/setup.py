"""From a problem to everything a run needs: data, network, kernels, and what is proved about activation and loss.

This is where the two sides meet: theorem-side programs become kernels of the floating-point side, and snapshots of the
floating-point side become points of the theorem side.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.linalg
import scipy.optimize
from numpy.typing import NDArray

from numerics import losses as loss_kernels
from numerics.activations import BUILTIN, ActivationKernel
from numerics.enclosed import EnclosedSnapshot, enclosed_snapshot
from numerics.errors import NumericsError
from numerics.losses import LossKernel
from numerics.network import Architecture, initialize
from numerics.rounding import ACTIVATION_ULPS
from numerics.roundoff import UNDERFLOWN, UNIT_ROUNDOFF
from numerics.snapshots import Drift, Snapshot, drift, snapshot
from numerics.training import GradientDescent
from theorems.activations import Activation
from theorems.errors import InputError
from theorems.losses import Loss, LossConstants
from theorems.statements.newton import THEOREM_N
from verify.accuracy import SAFETY, measured_ulps, residual_in_balls, slope_error
from verify.certificate import Certificate, certify, existence_bound, refused
from verify.certificate_expression import parse_activation
from verify.certificate_record import ExistenceBound
from verify.data import Dataset, load_data
from verify.enclosed_point import enclosed_activation, exact_bounds, loss_decimals, newton_step, residual_above
from verify.expressions import activation_of, loss_of
from verify.fields import one_line
from verify.kernels import activation_kernel, loss_kernel
from verify.memory import require_memory, required_memory
from verify.minimizers import SHOWN_RANGE, minimizers
from verify.point import PhiBounds, Point, exact_point, fan_in_squares, signals_from
from verify.problem import Problem
from verify.rigor import Rigor
from verify.weights import architecture_of, load_offsets, load_weights

Theta = NDArray[np.float64]
GAP_ACCURACY = 200 * UNIT_ROUNDOFF  # relative, of a loss gap computed by quadrature; the tests of numerics.losses hold it to this
DIVERGED = 1e100  # outputs or kernel entries beyond this belong to a run that diverges


@dataclass(frozen=True)
class Setup:
    """A problem made ready: immutable, so that a replayed step meets the same conditions.

    bounds: proved sup|phi'| and sup|phi''|, or None with the reason in ``refusal``. loss_constants: enclosed L and mu, likewise.
    refusal: (hypothesis, sentence) when no certificate can exist whatever the weights are. offsets: subtracted from the outputs,
    the initial function at the points for a centered network, else zeros. at_initialization: whether the weights are the drawn
    ones. minimizers: argmin_y loss(y, t) for each target.
    """

    problem: Problem
    dataset: Dataset
    architecture: Architecture
    activation: Activation
    loss: Loss
    activation_kernel: ActivationKernel
    loss_kernel: LossKernel
    bounds: PhiBounds | None
    loss_constants: LossConstants | None
    refusal: tuple[str, str] | None
    minimizers: NDArray[np.float64]
    offsets: NDArray[np.float64]
    at_initialization: bool

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences that a reader of the results should see."""
        if self.loss_constants is not None:
            return self.dataset.notes
        low, high = SHOWN_RANGE
        shown = (
            f"the loss has no constants L and mu: its residual is shown as sqrt(2 (J - inf J)), inf sought on [{low:g}, {high:g}]"
        )
        return (*self.dataset.notes, shown)

    @property
    def certifiable(self) -> bool:
        """Whether a certificate is possible at all; if not, ``refusal`` says why."""
        return self.refusal is None

    @property
    def mu(self) -> float:
        """The PL constant that defines the residual; 1 where the loss has none, so that s = sqrt(2 gap)."""
        return float(self.loss_constants.mu.lower) if self.loss_constants is not None else 1.0

    @property
    def smoothness(self) -> float:
        """The smoothness constant L; 1 where the loss has none (then nothing is certified with it)."""
        return float(self.loss_constants.smoothness.upper) if self.loss_constants is not None else 1.0

    def descent(self, step_size: float) -> GradientDescent:
        """Gradient descent with this step on this problem."""
        data = self.dataset
        return GradientDescent(
            architecture=self.architecture,
            activation=self.activation_kernel,
            loss=self.loss_kernel,
            inputs=data.inputs,
            targets=data.targets,
            sample_weights=data.sample_weights,
            offsets=self.offsets,
            minimizers=self.minimizers,
            mu=self.mu,
            step_size=step_size,
        )

    def snapshot(self, theta: Theta) -> Snapshot:
        """Measure signals, kernel and rounding errors at theta."""
        slope, curvature = (None, None) if self.bounds is None else (float(self.bounds.slope), float(self.bounds.curvature))
        return snapshot(
            self.architecture,
            self.activation_kernel,
            theta,
            self.dataset.inputs,
            self.dataset.sample_weights,
            slope_bound=slope,
            curvature_bound=curvature,
            activation_ulps=self.activation_ulps,
            smoothness=self.smoothness,
        )

    def finite_snapshot(self, theta: Theta) -> Snapshot | None:
        """The snapshot at theta, or None where signals or kernel exceed double precision: a run that diverges."""
        try:
            found = self.snapshot(theta)
        except (NumericsError, OverflowError):
            return None
        largest = max(float(np.abs(found.outputs).max()), float(np.abs(found.kernel).max()))
        return found if largest < DIVERGED else None  # False for NaN

    def drift(self, theta: Theta, reference: Theta, operator_norms: NDArray[np.float64]) -> Drift:
        """Measure how far signals, Jacobian and kernel at theta are from those at the reference, whose |W_l| are given."""
        assert self.bounds is not None
        return drift(
            self.architecture,
            self.activation_kernel,
            theta,
            reference,
            self.dataset.inputs,
            self.dataset.sample_weights,
            slope_bound=float(self.bounds.slope),
            curvature_bound=float(self.bounds.curvature),
            activation_ulps=self.bounds.ulps,
            operator_norms=operator_norms,
        )

    def point(self, theta: Theta, step: int, found: Snapshot) -> Point:
        """The point of the theorem side at theta, where ``found`` was measured."""
        assert self.bounds is not None
        residual, gap_error = self._residual(theta, found)
        condition = math.sqrt(self.smoothness / self.mu)
        error = (
            condition * (found.errors.residual + self._subtraction_error) + found.errors.residual_relative * residual + gap_error
        )
        return Point(
            step=step,
            signals=signals_from(self.architecture, found, self.bounds),
            bounds=self.bounds,
            norm_error=found.errors.norm_relative,
            lambda_min=float(found.eigenvalues[0]),
            lambda_max=float(found.eigenvalues[-1]),
            eigenvalue_error=found.errors.eigenvalue,
            residual=residual,
            residual_error=error,
            newton_step=self._newton_step(found),
            fan_in_squares=fan_in_squares(self.architecture),
        )

    @property
    def activation_ulps(self) -> float:
        """The accuracy taken for the activation's kernel where it is not proved (see ``numerics.rounding``)."""
        return ACTIVATION_ULPS if self.bounds is None else self.bounds.ulps

    @property
    def rigorous(self) -> bool:
        """Whether the problem asks for certificates in which every number is enclosed."""
        return self.problem.certificate.rigor == Rigor.RIGOROUS.value

    def enclosed(self, theta: Theta) -> EnclosedSnapshot:
        """Everything measured at theta, enclosed. Raises NumericsError where something cannot be."""
        assert self.bounds is not None
        activation = enclosed_activation(self.activation, (self.bounds.slope, self.bounds.curvature))
        return enclosed_snapshot(self.architecture, activation, theta, self.dataset.inputs, self.dataset.sample_weights)

    def exact_point(self, theta: Theta, step: int) -> Point:
        """The point at theta with every number proved. Raises NumericsError or InputError where something cannot be bounded."""
        assert self.bounds is not None
        assert self.loss_constants is not None
        data, suprema, found = self.dataset, (self.bounds.slope, self.bounds.curvature), self.enclosed(theta)
        mu, smoothness = loss_decimals(self.loss_constants.mu.lower, self.loss_constants.smoothness.upper)
        residual = residual_above(self.loss, found.outputs, self.offsets, data.targets, data.sample_weights, mu)
        # For the square loss the minimizers are the targets; others are the middles of enclosures of relative width 2^-61.
        spread = np.zeros_like(self.minimizers) if self.loss.is_square else 2.0**-52 * np.maximum(np.abs(self.minimizers), 1.0)
        step_length = newton_step(found, self.offsets, self.minimizers, spread, data.sample_weights)
        stated = exact_bounds(found, suprema, mu, smoothness, residual, step_length)
        return exact_point(self.architecture, stated, self.bounds, step)

    def _residual(self, theta: Theta, found: Snapshot) -> tuple[float, float]:
        """The residual at theta and the error of its loss gap: by the run's kernels, in balls for other than the square loss."""
        if self.loss.is_square:
            return float(self.descent(1.0).observe(theta, theta).residual), 0.0
        assert self.loss_constants is not None
        data = self.dataset
        outputs, mu = found.outputs - self.offsets, self.loss_constants.mu.lower
        return residual_in_balls(self.loss, outputs, data.targets, data.sample_weights, mu)

    def residual_error(self, output: float, relative: float, residual: Any, deviation: float) -> Any:
        """Bound of the error of the residuals of a run: of the outputs (nu-norm ``output``), of the gap's quadrature, sum and root.

        s = sqrt(2 (h - h*)/mu) is sqrt(L/mu)-Lipschitz in the outputs. deviation: the largest relative error of the gaps' root seen
        at the marks, against balls (0 for the square loss).
        """
        error = math.sqrt(self.smoothness / self.mu) * (output + self._subtraction_error) + relative * residual
        return error if self.loss.is_square else error + float(np.maximum(GAP_ACCURACY, SAFETY * deviation)) * residual

    @property
    def _subtraction_error(self) -> float:
        """What rounding f - offset and then y - t costs in the nu-norm, u |t|_nu each, and squares that underflow; beside a
        relative error of the residual."""
        squares = np.sum(self.minimizers**2, axis=1)
        return 2 * UNIT_ROUNDOFF * (1 + 2.0**-20) * math.sqrt(float(self.dataset.sample_weights @ squares)) + UNDERFLOWN

    def gradient_error(self, constant: float, slope: float, residual: Any, lambda_max: float, loss_slope: float) -> Any:
        """Bound of the error of the gradient norms of a run.

        loss_slope: the largest error of loss' seen at the marks, against balls; it enters through |DF| <= sqrt(lambda_max).
        """
        error = constant + slope * residual + UNDERFLOWN
        return error if self.loss.is_square else error + math.sqrt(lambda_max * self.architecture.outputs) * SAFETY * loss_slope

    def loss_errors(self, found: Snapshot) -> tuple[float, float]:
        """(relative error of the residual's quadrature, error of loss') at the outputs of a snapshot; zeros for the square loss."""
        if self.loss.is_square or self.loss_constants is None:
            return 0.0, 0.0
        outputs, data = found.outputs - self.offsets, self.dataset
        gaps, _ = loss_kernels.evaluate(self.loss_kernel, outputs, data.targets, self.minimizers)
        measured = math.sqrt(max(2 * float(data.sample_weights @ gaps.sum(axis=1)) / self.mu, 0.0))
        exact, error = residual_in_balls(self.loss, outputs, data.targets, data.sample_weights, self.loss_constants.mu.lower)
        deviation = (abs(measured - exact) + error) / exact if exact > 0 else 0.0
        return deviation, slope_error(self.loss, self.loss_kernel, outputs, data.targets, self.minimizers)

    def _newton_step(self, found: Snapshot) -> float | None:
        """|DF^+ e| = sqrt(<e, K^{-1} e>) in L2(nu), rounded up by the error of the solution; None when K is not positive."""
        if not found.eigenvalues[0] > 2 * found.errors.eigenvalue:
            return None
        weights = np.sqrt(self.dataset.sample_weights)[:, None]
        e = (weights * (found.outputs - self.offsets - self.minimizers)).ravel()
        squared = float(e @ scipy.linalg.cho_solve(scipy.linalg.cho_factor(found.kernel), e))
        # Perturbing K by E changes <e, K^{-1} e> by the factor 1 + |E|/(lambda_min - |E|) at most; e by its own error.
        relative = found.errors.eigenvalue / (found.eigenvalues[0] - found.errors.eigenvalue)
        return math.sqrt(max(squared, 0.0) * (1 + 2 * relative)) + found.errors.residual / math.sqrt(found.eigenvalues[0])

    def certify(self, theta: Theta, step: int, step_size: float | None) -> Certificate:
        """Try to certify gradient descent from theta, with the given step or the largest admissible (None)."""
        if self.refusal is not None:
            return refused(None, step_size, *self.refusal)
        return self.certify_at(theta, self.point(theta, step, self.snapshot(theta)), step_size)

    def certify_at(self, theta: Theta, point: Point, step_size: float | None) -> Certificate:
        """The same where the point at theta has been measured: a first look in floating point, then the proof if one is asked
        for.
        """
        assert self.loss_constants is not None
        found = certify(point, self.loss_constants, step_size)
        if not (found.certified and self.rigorous):
            return found
        try:
            proved = certify(self.exact_point(theta, point.step), self.loss_constants, step_size)
        except Exception as error:  # whatever goes wrong while a proof is made, there is no proof: it is told as the reason
            reason = f"no enclosure at these weights: {one_line(error)[:200] or type(error).__name__}"
            return refused(point, found.step_size, "enclosure", reason)
        return proved

    def existence_at(self, theta: Theta, point: Point) -> ExistenceBound | None:
        """Theorem N at theta, where the point has been measured: in floating point, then the proof if one is asked for."""
        found = existence_bound(THEOREM_N, point)
        if found is None or not self.rigorous:
            return found
        try:
            return existence_bound(THEOREM_N, self.exact_point(theta, point.step))
        except (NumericsError, InputError, ArithmeticError):  # nothing can be bounded at these weights: the next mark is tried
            return None


def prepare(problem: Problem, weights: Path | None = None) -> tuple[Setup, Theta]:
    """Load the data, draw or load the weights, and enclose what is known of activation and loss.

    weights: an .npz file with weights trained elsewhere, to be used in place of the drawn ones. A centered network subtracts the
    initial function, which then is the file's array "offsets", or without one the function at the weights that network.seed draws.
    Returns the setup and theta. Raises ProblemError or InputError with one sentence.
    """
    setup = setup_on(problem, load_data(problem.data, problem.loss), at_initialization=weights is None)
    architecture, dataset = setup.architecture, setup.dataset
    theta = initial = initialize(architecture, problem.network.output_layer, problem.network.seed)
    offsets = None
    if weights is not None:
        theta = load_weights(weights, architecture)
        offsets = load_offsets(weights, dataset.inputs, dataset.outputs) if problem.network.centered else None
    if offsets is None:
        offsets = _offsets(problem, architecture, setup.activation_kernel, initial, dataset)
    return dataclasses.replace(setup, offsets=offsets), theta


def setup_on(problem: Problem, dataset: Dataset, at_initialization: bool) -> Setup:
    """The setup of a problem on these points, whatever its [data] section says, with nothing subtracted from the outputs."""
    architecture = architecture_of(problem.network, dataset.inputs.shape[1], dataset.targets.shape[1])
    rigorous = problem.certificate.rigor == Rigor.RIGOROUS.value
    require_memory(required_memory(architecture, dataset.points, problem.training.steps, rigorous), "training this network")
    phi = activation_of(problem.network.activation)
    chosen_loss = loss_of(problem.loss.name, problem.loss.ridge)
    chosen_loss.check_targets(dataset.targets.ravel().tolist())
    kernel = activation_kernel(phi)
    bounds, phi_refusal = _phi_bounds(phi, kernel)
    if phi_refusal is None and rigorous:
        parse_activation(phi.name)  # what a certificate states must be readable by its checker
    constants, loss_refusal = _loss_constants(chosen_loss, dataset)
    return Setup(
        problem=problem,
        dataset=dataset,
        architecture=architecture,
        activation=phi,
        loss=chosen_loss,
        activation_kernel=kernel,
        loss_kernel=loss_kernel(chosen_loss),
        bounds=bounds,
        loss_constants=constants,
        refusal=phi_refusal or loss_refusal or _data_refusal(architecture, dataset),
        minimizers=minimizers(chosen_loss, dataset.targets, constants is not None),
        offsets=np.zeros_like(dataset.targets),
        at_initialization=at_initialization,
    )


def _phi_bounds(phi: Activation, kernel: ActivationKernel) -> tuple[PhiBounds | None, tuple[str, str] | None]:
    try:
        bounds = PhiBounds(phi.slope_bound().upper, phi.curvature_bound().upper)
        if phi.name not in BUILTIN:
            return dataclasses.replace(bounds, ulps=measured_ulps(phi, kernel, float(bounds.slope))), None
        return bounds, None
    except InputError as error:
        return None, ("H2", str(error))


def _loss_constants(chosen: Loss, dataset: Dataset) -> tuple[LossConstants | None, tuple[str, str] | None]:
    try:
        return chosen.constants(dataset.targets.ravel().tolist()), None
    except InputError as error:
        return None, ("H1", str(error))


def _data_refusal(architecture: Architecture, dataset: Dataset) -> tuple[str, str] | None:
    """Reasons for lambda_min(K) = 0 that need no eigenvalue."""
    if dataset.duplicates:
        first, second = dataset.duplicates[0]
        return "H3", (
            f"points {first} and {second} are equal, so the tangent kernel is singular (lambda_min = 0) whatever the weights are; "
            "remove duplicates"
        )
    rows = dataset.targets.size
    if rows > architecture.trained_parameters:
        return "H3", (
            f"{rows} outputs at the points exceed the {architecture.trained_parameters} trained parameters, so the tangent "
            "kernel is singular (lambda_min = 0) whatever the weights are"
        )
    return None


def _offsets(
    problem: Problem, architecture: Architecture, kernel: ActivationKernel, theta0: Theta, dataset: Dataset
) -> NDArray[np.float64]:
    """The initial outputs of a centered network: stored numbers from here on, so their rounding is part of the problem."""
    if not problem.network.centered:
        return np.zeros_like(dataset.targets)
    found = snapshot(architecture, kernel, theta0, dataset.inputs, dataset.sample_weights)
    return np.ascontiguousarray(found.outputs)
