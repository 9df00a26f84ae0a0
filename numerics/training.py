"""Full-batch gradient descent in float64, recorded at every step.

    J(theta) = sum_i nu_i sum_o l(f_o(x_i) - offset_io, t_io),      theta_{k+1} = theta_k - eta grad J(theta_k)

for the network of ``network`` in NTK parametrization, theta the trained layers. The records are those of a convergence theorem: the
residual s = sqrt(2 gap/mu), the gradient norm (the path length is its sum times eta) and the displacement from a reference point.

The bits of a run depend on the problem, on the BLAS library and on the kind of processor, but not on the number of threads, nor
on how the run is cut into calls of ``advance``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from numerics import _descent as core
from numerics import activations, losses
from numerics.blas import dgemm_address, single_threaded_blas
from numerics.errors import NumericsError
from numerics.network import Architecture

Array = NDArray[np.float64]

#: A panel of neurons does at least this many multiply-adds, so that its calls cost little (about 3 us of work) ...
PANEL_WORK = 2**17
#: ... unless that takes more neurons than this; and its gradient has at most so many entries (a megabyte: it stays in cache).
PANEL_ROWS, GRADIENT_ENTRIES = 256, 2**17
#: Chunks per region: what threads share; enough for any machine, few enough that adding them up is free.
MOST_CHUNKS = 64
#: A region of fewer multiply-adds (100 to 200 us on one core) runs on one thread: on an idle machine a second one would save
#: half of that, on a busy one the barrier costs milliseconds.
PARALLEL_WORK = 2**22
#: The signals of one hidden layer are kept when they fit here, in bytes, or when there are at most as many points as inputs, so
#: that they take at most twice the memory of the weights; otherwise every step computes them twice.
KEPT_BYTES = 2**26

REASONS = {core.STEPS_DONE: "steps", core.REACHED_RESIDUAL: "residual", core.NOT_FINITE: "not finite"}


class Observation(NamedTuple):
    """What is recorded at one theta.

    residual: s = sqrt(2 gap/mu); loss_gap: gap = sum_i nu_i sum_o (l(y_io, t_io) - l(y*_io, t_io)); gradient_norm: |grad J| over
    the trained layers; displacement: (1 + L,), |theta - reference| in total and layer by layer.
    """

    residual: float
    loss_gap: float
    gradient_norm: float
    displacement: Array


class Segment(NamedTuple):
    """The records of consecutive steps, each at theta_k before the k-th update; fields as in ``Observation`` with a leading axis.

    steps_done: the number of updates made, and the length of the arrays; stopped: "steps" (all were made), "residual" (the residual
    at the present theta is at most ``stop_residual``) or "not finite" (the loss at the present theta is not).
    """

    residual: Array
    loss_gap: Array
    gradient_norm: Array
    displacement: Array
    steps_done: int
    stopped: str


@dataclass(frozen=True)
class GradientDescent:
    """A learning problem and a step size; ``advance`` moves parameters, ``observe`` looks at them.

    architecture: the network; activation, loss: kernels. inputs: (n, d). targets: (n, k). sample_weights: nu, (n,), positive, of
    sum 1. offsets: (n, k), subtracted from the network's outputs (zeros, or f_theta0 for a centered network). minimizers: (n, k),
    the y minimizing l(., t_io) (for the square loss the targets). mu: the constant in s = sqrt(2 gap/mu); step_size: eta > 0.
    Raises NumericsError for a wrong shape or type, for values that are not finite and for constants that are not positive.

    Memory besides theta and the reference: ``workspace_bytes``.
    """

    architecture: Architecture
    activation: activations.ActivationKernel
    loss: losses.LossKernel
    inputs: Array
    targets: Array
    sample_weights: Array
    offsets: Array
    minimizers: Array
    mu: float
    step_size: float

    def __post_init__(self) -> None:
        n, k = len(self.inputs), self.architecture.outputs
        if n < 1:
            raise NumericsError("inputs must hold at least one point, got none")
        _check_array("inputs", self.inputs, (n, self.architecture.sizes[0]))
        for name in ("targets", "offsets", "minimizers"):
            _check_array(name, getattr(self, name), (n, k))
        _check_array("sample_weights", self.sample_weights, (n,))
        # n additions of numbers that sum to 1 are wrong by at most n ulp.
        if (self.sample_weights <= 0.0).any() or abs(self.sample_weights.sum() - 1.0) > n * np.finfo(float).eps:
            raise NumericsError(f"sample_weights must be positive with sum 1, got the sum {self.sample_weights.sum()!r}")
        for name in ("mu", "step_size"):
            value = getattr(self, name)
            if not (np.isfinite(value) and value > 0.0):
                raise NumericsError(f"{name} must be positive and finite, got {value!r}")
        if self.loss.code == losses.SQUARE and not np.array_equal(self.minimizers, self.targets):
            raise NumericsError("minimizers must be the targets for the square loss")

    def advance(self, theta: Array, steps: int, stop_residual: float, reference: Array) -> Segment:
        """Make up to ``steps`` steps, in place, and record every theta from which a step was made.

        theta, reference: (parameters,), separate arrays. It stops before a step when the residual is at most ``stop_residual`` or
        the loss is not finite. Raises NumericsError for arrays of the wrong shape or type, or steps not a positive integer.
        """
        if isinstance(steps, bool) or not isinstance(steps, int | np.integer) or steps < 1:
            raise NumericsError(f"steps must be a positive integer, got {steps!r}")
        return self._run(theta, int(steps), float(stop_residual), reference, moves=True)

    def observe(self, theta: Array, reference: Array) -> Observation:
        """The same quantities at ``theta``, which stays as it is; all NaN when the loss is not finite."""
        segment = self._run(theta, 1, -1.0, reference, moves=False)
        if segment.steps_done == 0:
            return Observation(np.nan, np.nan, np.nan, np.full(self.architecture.layers + 1, np.nan))
        return Observation(
            float(segment.residual[0]),
            float(segment.loss_gap[0]),
            float(segment.gradient_norm[0]),
            segment.displacement[0],
        )

    def _run(self, theta: Array, steps: int, stop_residual: float, reference: Array, moves: bool) -> Segment:
        architecture = self.architecture
        for name, array in (("theta", theta), ("reference", reference)):
            _check_array(name, array, (architecture.parameters,))
        if moves and not theta.flags.writeable:
            raise NumericsError("theta must be writable, since advance moves it in place")
        if moves and np.may_share_memory(theta, reference):
            raise NumericsError("reference must not share memory with theta, which moves")
        # To numba a read-only array is another type, and the kernels would be compiled again.
        theta, reference = (array if array.flags.writeable else array.copy() for array in (theta, reference))
        n, L = len(self.inputs), architecture.layers
        plan = _plan(architecture, n, moves)
        residuals, gaps, squares = np.empty(steps), np.empty(steps), np.zeros((steps, L + 1, 2))
        with single_threaded_blas():
            done, why = core.descend(
                plan, _buffers(self, plan), self.activation, self.loss, _problem(self), theta, reference,
                float(self.step_size), stop_residual, losses.quadrature(), np.empty(losses.workspace_shape(self.loss)),
                np.empty((3, architecture.outputs * n)), residuals, gaps, squares,
            )  # fmt: skip
        for layer in range(1, L + 1):
            if not architecture.trained[layer - 1]:
                moved = architecture.layer(theta, layer) - architecture.layer(reference, layer)
                squares[:, layer, 1] = np.sum(moved * moved)
        squares[:, 0] = squares[:, 1:].sum(axis=1)
        return Segment(
            residuals[:done], gaps[:done], np.sqrt(squares[:done, 0, 0]), np.sqrt(squares[:done, :, 1]), int(done), REASONS[why]
        )


def workspace_bytes(architecture: Architecture, points: int) -> int:
    """How much memory ``advance`` takes besides theta, the reference and the problem, to within a few kilobytes.

    With one hidden layer: H_1 and phi'(z_1), 2 m n numbers, when they fit 64 MB or n <= d; otherwise they are recomputed and only
    panels are held. With more: four numbers per neuron and point. In addition, a gradient panel and four signal panels per thread,
    and at most 64 copies of the outputs.
    """
    return 8 * sum(int(np.prod(shape)) for shape in _shapes(architecture, points, _plan(architecture, points)).values())


def _check_array(name: str, array: Any, shape: tuple[int, ...]) -> None:
    if not isinstance(array, np.ndarray) or array.dtype != np.float64 or array.shape != shape:
        kind = f"{array.dtype} of shape {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
        raise NumericsError(f"{name} must be a float64 array of shape {shape}, got {kind}")
    if not array.flags.c_contiguous:
        raise NumericsError(f"{name} must be contiguous, row by row")
    if not np.isfinite(array).all():
        raise NumericsError(f"{name} has entries that are not finite")


def _panel_rows(width: int, below: int, points: int) -> int:
    """Neurons per panel: a function of the problem alone."""
    wanted = max(16, -(-width // 4), -(-PANEL_WORK // (points * below)))
    allowed = max(16, min(PANEL_ROWS, GRADIENT_ENTRIES // below))
    return min(width, 8 * -(-min(wanted, allowed) // 8))


def _most_threads() -> int:
    """Thread numbers stay below this, however many threads are in use."""
    return int(numba.config.NUMBA_NUM_THREADS)  # type: ignore[attr-defined]


def _schedules(L: int, lowest: int, moves: bool) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The regions (phase, layer, version added to the current one) before the first step, and of a step."""
    # core.FORWARD writes version 1 - version: the current one, and before that the other one of layers that will not change.
    start = [(core.FORWARD, layer, 0) for layer in range(1, min(lowest, L - 1))]
    start += [(core.FORWARD, layer, 1) for layer in range(min(1, L - 1), L)]
    cycle = [(core.BACKWARD, layer, 0) for layer in range(L - 1, lowest - 1, -1) if L > 2]
    cycle += [(core.STEP if moves else core.MEASURE, layer, 0) for layer in [*range(lowest, L - 1), L - 1]]
    return np.array(start, dtype=np.int64), np.array(cycle, dtype=np.int64)


def _plan(architecture: Architecture, points: int, moves: bool = True) -> core.Plan:
    sizes, L = architecture.sizes, architecture.layers
    below = (1, *sizes)  # the fan-in, with 1 standing in for the inputs'
    rows = [_panel_rows(sizes[layer], below[layer], points) for layer in range(L)]
    chunks = [min(MOST_CHUNKS, -(-size // panel)) for size, panel in zip(sizes[:L], rows, strict=True)]
    work = [points * sizes[layer] * (below[layer] + architecture.outputs) for layer in range(L)]
    several = numba.get_num_threads() > 1
    parallel = [several and c > 1 and w >= PARALLEL_WORK for c, w in zip(chunks, work, strict=True)]
    keep = L != 2 or 16 * points * sizes[1] <= max(KEPT_BYTES, 16 * sizes[0] * sizes[1])
    signals = [points * sum(sizes[1:layer]) if keep else 0 for layer in range(L)]
    trained = (False, *architecture.trained)
    lowest = trained.index(True) if any(trained) else L + 1
    start, cycle = _schedules(L, lowest, moves)
    table = [
        sizes, (0, *architecture.weight_offsets), (0, *architecture.bias_offsets), (*signals, 0),
        (*rows, 0), (*chunks, 0), trained, (*parallel, False),
    ]  # fmt: skip
    return core.Plan(
        address=dgemm_address(),
        points=points,
        layers=L,
        lowest=lowest,
        keep=bool(keep),
        bias_scale=float(architecture.bias_scale),
        output_scale=float(architecture.output_scale),
        scales=np.array((0.0, *architecture.fan_in_scales)),
        table=np.array(table, dtype=np.int64),
        start=start,
        cycle=cycle,
    )


def _shapes(architecture: Architecture, points: int, plan: core.Plan) -> dict[str, tuple[int, ...]]:
    """The shapes of the buffers that do not depend on the activation."""
    sizes, L, k = architecture.sizes, architecture.layers, architecture.outputs
    rows, chunks = plan.table[core.ROWS, :L].tolist(), plan.table[core.CHUNKS, :L].tolist()
    gradient = max([rows[layer] * sizes[layer - 1] for layer in range(1, L)] + [k * rows[L - 1], k, *rows])
    return {
        "inputs": (sizes[0], points),
        "signals": (2 if L == 2 else 4, points * sum(sizes[1:L]) if plan.keep else 0),
        "panel": (_most_threads(), 5, max(gradient, max(rows[1:], default=0) * points)),
        "sums": (L + 1, max(chunks) + 1, 2),
        "outputs": (chunks[L - 1], k, points),
        "output_delta": (k, points),
    }


def _buffers(problem: GradientDescent, plan: core.Plan) -> core.Buffers:
    arrays = {name: np.empty(shape) for name, shape in _shapes(problem.architecture, len(problem.inputs), plan).items()}
    arrays["inputs"][...] = problem.inputs.T
    workspace = np.empty((_most_threads(), *activations.workspace_shape(problem.activation)))
    return core.Buffers(workspace=workspace, **arrays)


def _problem(problem: GradientDescent) -> core.Problem:
    """Copies, so that a caller's read-only arrays do not become another type to numba."""
    return core.Problem(
        targets=np.array(problem.targets.T, order="C"),
        minimizers=np.array(problem.minimizers.T, order="C"),
        offsets=np.array(problem.offsets.T, order="C"),
        sample_weights=np.array(problem.sample_weights),
        mu=float(problem.mu),
    )
