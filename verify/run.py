"""The measured run: training between marks, a certificate tried at each, the certification step found to the step.

Marks are spaced logarithmically. Between the last mark without a certificate and the first one with it, the run is repeated from
the stored weights (the kernels are deterministic, so it is the same run to the bit) and the boundary found by bisection: the
certificate holds at step N and fails at step N - 1. Nothing is assumed about earlier steps, where it may hold by accident.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from numerics.linearized import WeightChange, weight_change
from numerics.norms import spectral_norm
from numerics.rounding import RoundingErrors
from numerics.snapshots import Drift, Snapshot
from numerics.training import GradientDescent, Observation, Segment
from verify.certificate import Certificate
from verify.certificate_record import ExistenceBound
from verify.setup import Setup, Theta

MARKS_PER_DECADE = 12
Progress = Callable[[int, int, float], None]
Array = NDArray[np.float64]
T = TypeVar("T")


def mark_steps(steps: int) -> list[int]:
    """0, 1, 2, ... then logarithmically spaced, ending with ``steps``."""
    count = int(MARKS_PER_DECADE * np.log10(max(steps, 1))) + 1
    spaced = np.unique(np.round(10.0 ** (np.arange(count + 1) / MARKS_PER_DECADE)).astype(int))
    return sorted({0, *(int(step) for step in spaced if step < steps), steps})


@dataclass(frozen=True)
class Mark:
    """What is measured at a mark: spectrum, drift of the kernel from the start, operator norms, rounding errors."""

    step: int
    lambda_min: float
    lambda_max: float
    kernel_drift: float
    operator_norms: Array
    residual_error: float
    residual_relative: float
    gap_deviation: float
    slope_error: float
    gradient_constant: float
    gradient_slope: float
    update_error: float
    eigenvalue_error: float


@dataclass(frozen=True)
class Trajectory:
    """Per step, k = 0..end: residual, loss gap, gradient norm, displacement from the start (total, then per layer), path length."""

    residual: Array
    gap: Array
    gradient_norm: Array
    displacement: Array
    path: Array
    stopped: str

    @property
    def steps(self) -> int:
        """The number of steps run."""
        return len(self.residual) - 1


@dataclass(frozen=True)
class Existence:
    """Theorem N along the run: the first step at which a solution is proved to exist, and how far away it is at most."""

    step: int
    bound: ExistenceBound


@dataclass(frozen=True)
class LazyMark:
    """At a mark after the certification step: the change of the weights since then, the outputs, (n, k), and their errors."""

    change: WeightChange
    outputs: Array
    errors: RoundingErrors


@dataclass(frozen=True, kw_only=True)
class MeasuredRun:
    """Everything a run has shown. ``drifts`` are relative to the certified weights, at marks after the certification step.

    final_theta: the weights at its end; None for runs of other programs. lazy: at the same marks, what lazy training is about.
    """

    trajectory: Trajectory
    marks: tuple[Mark, ...]
    start: Certificate
    certificate: Certificate
    certified_theta: Theta | None
    drifts: tuple[tuple[int, Drift], ...]
    drift_spectra: tuple[tuple[float, float], ...]
    existence: Existence | None
    final_theta: Theta | None = None
    lazy: tuple[LazyMark, ...] = ()


def _joined(segments: list[Segment], last: Observation, step_size: float, stopped: str) -> Trajectory:
    """One trajectory from the segments of a run and the observation at its end."""

    def column(name: str, final: float | Array) -> Array:
        return np.concatenate([*(getattr(segment, name) for segment in segments), np.asarray(final)[None]])

    gradient_norm = column("gradient_norm", last.gradient_norm)
    path = np.concatenate([[0.0], np.cumsum(step_size * gradient_norm[:-1])])
    residual, gap = column("residual", last.residual), column("loss_gap", last.loss_gap)
    return Trajectory(residual, gap, gradient_norm, column("displacement", last.displacement), path, stopped)


def measure_run(setup: Setup, theta0: Theta, start: Certificate, step_size: float, progress: Progress) -> MeasuredRun:
    """Train from theta0 and measure; theta0 is not changed.

    setup: the prepared problem. start: the certificate tried at theta0. step_size: eta. progress is told (step, steps, residual).
    """
    return _Run(setup, theta0, start, step_size, progress).go()


class _Run:
    """The state of one measured run between marks."""

    def __init__(self, setup: Setup, theta0: Theta, start: Certificate, step_size: float, progress: Progress) -> None:
        self.setup, self.theta0, self.step_size, self.progress = setup, theta0, step_size, progress
        self.start = self.certificate = start
        self.theta = theta0.copy()
        self.descent: GradientDescent = setup.descent(step_size)
        self.certified_theta = theta0.copy() if start.certified else None
        self.checkpoint = theta0.copy()
        self.marks: list[Mark] = []
        self.drifts: list[tuple[int, Drift]] = []
        self.spectra: list[tuple[float, float]] = []
        self.existence: Existence | None = None
        self.lazy: list[LazyMark] = []
        self.segments: list[Segment] = []

    def go(self) -> MeasuredRun:
        options = self.setup.problem.training
        marks = mark_steps(options.steps)
        stopped, reached = "steps", 0
        initial = self.setup.snapshot(self.theta0)
        self._at_mark(0, 0, initial, initial.kernel)
        for previous, mark in zip(marks[:-1], marks[1:], strict=True):
            segment = self.descent.advance(self.theta, mark - previous, options.stop_residual, self.theta0)
            self.segments.append(segment)
            reached = previous + segment.steps_done
            self.progress(reached, options.steps, float(segment.residual[-1]) if segment.steps_done else 0.0)
            stopped = segment.stopped
            if reached > previous and stopped != "not finite":
                measured = self.setup.finite_snapshot(self.theta)
                if measured is None:
                    stopped = "not finite"
                else:
                    self._at_mark(previous, reached, measured, initial.kernel)
            if stopped != "steps":
                break
        last = self.descent.observe(self.theta, self.theta0)
        trajectory = _joined(self.segments, last, self.step_size, stopped)
        return MeasuredRun(
            trajectory=trajectory,
            marks=tuple(self.marks),
            start=self.start,
            certificate=self.certificate,
            certified_theta=self.certified_theta,
            drifts=tuple(self.drifts),
            drift_spectra=tuple(self.spectra),
            existence=self.existence,
            final_theta=self.theta,
            lazy=tuple(self.lazy),
        )

    def _at_mark(self, previous: int, step: int, snapshot: Snapshot, kernel0: Array) -> None:
        self.marks.append(mark_of(step, snapshot, kernel0, self.setup.loss_errors(snapshot)))
        if self.setup.certifiable and (self.existence is None or self.certified_theta is None):
            self._try_at(previous, step, snapshot)
        if self.certified_theta is not None and step > self.certificate.step:
            assert self.certificate.point is not None
            norms = np.asarray(self.certificate.point.signals.operator_norms)
            self.drifts.append((step, self.setup.drift(self.theta, self.certified_theta, norms)))
            self.spectra.append((float(snapshot.eigenvalues[0]), snapshot.errors.eigenvalue))
            self.lazy.append(lazy_mark(self.setup, self.theta, self.certified_theta, snapshot))
        self.checkpoint[...] = self.theta

    def _try_at(self, previous: int, step: int, snapshot: Snapshot) -> None:
        """Try what has not been proved yet; where it is now, find the first step at which it is."""
        point = self.setup.point(self.theta, step, snapshot)
        if self.existence is None:
            found = self.setup.existence_at(self.theta, point)
            if found is not None:
                at, bound, _ = self._first(previous, step, found, self._existence)
                self.existence = Existence(at, bound)
        if self.certified_theta is None:
            self.certificate = self.setup.certify_at(self.theta, point, self.step_size)
            if self.certificate.certified:
                _, self.certificate, self.certified_theta = self._first(previous, step, self.certificate, self._certificate)

    def _existence(self, theta: Theta, step: int) -> ExistenceBound | None:
        return self.setup.existence_at(theta, self.setup.point(theta, step, self.setup.snapshot(theta)))

    def _certificate(self, theta: Theta, step: int) -> Certificate | None:
        tried = self.setup.certify(theta, step, self.step_size)
        return tried if tried.certified else None

    def _first(self, low: int, high: int, found: T, attempt: Callable[[Theta, int], T | None]) -> tuple[int, T, Theta]:
        """Bisect between a step where the attempt fails and one where it succeeds; (step, what is found there, weights)."""
        theta_low, theta_high = self.checkpoint.copy(), self.theta.copy()
        while high - low > 1:
            middle = (low + high) // 2
            theta = self._replay(theta_low, middle - low)
            tried = attempt(theta, middle)
            if tried is not None:
                high, found, theta_high = middle, tried, theta
            else:
                low, theta_low = middle, theta
        return high, found, theta_high

    def _replay(self, theta: Theta, steps: int) -> Theta:
        """The weights ``steps`` steps after theta, the same bits as in the run."""
        copy = theta.copy()
        self.descent.advance(copy, steps, 0.0, self.theta0)
        return copy


def lazy_mark(setup: Setup, theta: Theta, reference: Theta, snapshot: Snapshot) -> LazyMark:
    """What lazy training is about at theta, where ``snapshot`` was taken, against the certified weights."""
    return LazyMark(weight_change(setup.architecture, theta, reference), snapshot.outputs, snapshot.errors)


def mark_of(step: int, snapshot: Snapshot, kernel0: Array, loss_errors: tuple[float, float]) -> Mark:
    """The mark of a snapshot; kernel0: the kernel at the start, loss_errors: as in ``Setup.loss_errors``."""
    errors = snapshot.errors
    return Mark(
        step=step,
        lambda_min=float(snapshot.eigenvalues[0]),
        lambda_max=float(snapshot.eigenvalues[-1]),
        kernel_drift=spectral_norm(snapshot.kernel - kernel0).upper,
        operator_norms=snapshot.operator_norms,
        residual_error=errors.residual,
        residual_relative=errors.residual_relative,
        gap_deviation=loss_errors[0],
        slope_error=loss_errors[1],
        gradient_constant=errors.gradient_constant,
        gradient_slope=errors.gradient_slope,
        update_error=errors.update,
        eigenvalue_error=errors.eigenvalue,
    )
