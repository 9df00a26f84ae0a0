"""The compiled part of ``training``: panels of neurons, and the order in which a step of gradient descent visits them.

Everything here trusts its arguments; ``training`` has checked them. Signals are stored neuron by neuron, (m_l, n) with the points
contiguous, so that a panel of consecutive neurons is one contiguous block, as are its rows of W_l.

A step works through regions. A region is one pass over the neurons of a layer, cut into panels (of a size that depends on the
problem only) and the panels into chunks, which are what threads take. A chunk adds up its panels in order into its own slots
of ``sums`` and ``outputs``, and the slots are added in order afterwards: no bit depends on the number of threads.

    BACKWARD  l = L-1, ..., 1:   delta_l = phi'(z_l) * c_{l+1} W_{l+1}^T delta_{l+1}
    STEP      l = 1, ..., L-1:   G_l = c_l delta_l H_{l-1}^T, W_l -= eta G_l, then z_l, H_l = phi(z_l), phi'(z_l) at the new weights

The last STEP region owns the output layer too, by columns: it updates W_L[:, panel] and adds c_L W_L[:, panel] H_{L-1}[panel] to
the outputs. With one hidden layer it also does the backward pass, so that the weights pass through the cache once per step.
Old and new H_{l-1} are both needed in it, hence two buffers (for all hidden layers but the last, whose panels are private).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
from llvmlite import ir
from numba import get_thread_id, types  # type: ignore[attr-defined]
from numba.core import cgutils
from numpy.typing import NDArray

from numerics._jit import inline_jit, jit, pjit
from numerics.activations import apply
from numerics.blas import multiply, multiply_left_transposed, multiply_right_transposed
from numerics.losses import gap_and_slope

intrinsic: Any = numba.extending.intrinsic

# Functions with one caller are inlined before compilation: every level of calls is optimized again with all that lies below it.

# As numpy integers: numba would compile every function again for each Python integer it is called with.
ZERO = np.int64(0)
FORWARD, BACKWARD, STEP, MEASURE = np.int64(0), np.int64(1), np.int64(2), np.int64(3)
STEPS_DONE, REACHED_RESIDUAL, NOT_FINITE = 0, 1, 2
LANES = 8  # one AVX-512 register of doubles


class Plan(NamedTuple):
    """The network and how it is cut up."""

    address: int  # of dgemm
    points: int  # n
    layers: int  # L
    lowest: int  # the lowest trained layer
    keep: bool  # whether H_1 and phi'(z_1) are kept (always, but for one wide hidden layer with many points)
    bias_scale: float
    output_scale: float
    scales: NDArray[np.float64]  # c_l, index l (as in the table, 0 = inputs)
    table: NDArray[np.int64]  # (8, L + 1): the rows below
    start: NDArray[np.int64]  # regions (phase, layer, version) before the first step,
    cycle: NDArray[np.int64]  # and of every step


# Rows of Plan.table: m_l; where W_l, b_l begin in theta and layer l in the signals; neurons per panel; chunks per region; whether
# layer l is trained; whether its region is worth waking threads for.
SIZE, WEIGHTS, BIASES, SIGNALS, ROWS, CHUNKS, TRAINED, PARALLEL = range(8)


class Buffers(NamedTuple):
    """All memory that a run needs besides theta and the reference. (Few arrays: each costs compile time in every function.)"""

    inputs: NDArray[np.float64]  # H_0 = X^T, (d, n)
    signals: NDArray[np.float64]  # all hidden layers: H, phi'(z), and with several layers the other version of H, and delta
    panel: NDArray[np.float64]  # per thread: z, H, phi', delta and G of a panel
    workspace: NDArray[np.float64]  # per thread: registers of the activation program
    sums: NDArray[np.float64]  # (L + 1, chunks + 1, 2): |G|^2, |theta - reference|^2
    outputs: NDArray[np.float64]  # (chunks, k, n): parts of z_L
    output_delta: NDArray[np.float64]  # delta_L = dJ/dz_L, (k, n)


# Rows of Buffers.signals; version v of H is in row 2 v.
KEPT_SLOPES, KEPT_DELTAS = 1, 3
# Rows of Buffers.panel.
Z, H, SLOPE, DELTA, GRADIENT = range(5)


class Problem(NamedTuple):
    """The learning problem at the outputs; matrices are (k, n)."""

    targets: NDArray[np.float64]
    minimizers: NDArray[np.float64]
    offsets: NDArray[np.float64]
    sample_weights: NDArray[np.float64]
    mu: float


@intrinsic
def _descend(typing: Any, theta: Any, reference: Any, gradient: Any, count: Any, step: Any, moves: Any) -> Any:
    """One pass over ``count`` parameters given by addresses: (|G|^2, |theta - reference|^2), and theta -= step G if ``moves``.

    Written in vectors, because LLVM does not vectorize a reduction whose order is fixed: lane j adds the elements j, j + 8, ...
    """

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        real, integer = ir.DoubleType(), ir.IntType(64)
        vector = ir.VectorType(real, LANES)
        theta, reference, gradient, count, step, moves = arguments

        def splat(value: Any) -> Any:
            result = ir.Constant(vector, ir.Undefined)
            for lane in range(LANES):
                result = builder.insert_element(result, value, ir.Constant(ir.IntType(32), lane))
            return result

        def loop(kind: Any, count: Any, bases: list[Any], accumulators: list[Any], factor: Any) -> None:
            pointers = [builder.inttoptr(base, kind.as_pointer()) for base in bases]
            # builder.fma refuses vectors; the LLVM intrinsic itself takes them.
            name = f"llvm.fma.v{LANES}f64" if kind is vector else "llvm.fma.f64"
            fma = cgutils.get_or_insert_function(builder.module, ir.FunctionType(kind, [kind] * 3), name)
            with cgutils.for_range(builder, count, intp=integer) as iteration:
                places = [builder.gep(pointer, [iteration.index]) for pointer in pointers]
                weight, origin, slope = (builder.load(place, align=8) for place in places)
                moved = builder.fsub(weight, origin)
                for accumulator, value in zip(accumulators, (slope, moved), strict=True):
                    builder.store(builder.call(fma, [value, value, builder.load(accumulator)]), accumulator)
                with builder.if_then(moves):
                    builder.store(builder.call(fma, [factor, slope, weight]), places[0], align=8)

        blocks = builder.sdiv(count, ir.Constant(integer, LANES))
        done = builder.mul(blocks, ir.Constant(integer, LANES))
        minus = builder.fneg(step)
        wide = [cgutils.alloca_once(builder, vector) for _ in range(2)]
        rest = [cgutils.alloca_once(builder, real) for _ in range(2)]
        for slot in wide:
            builder.store(ir.Constant(vector, [0.0] * LANES), slot)
        for slot in rest:
            builder.store(ir.Constant(real, 0.0), slot)
        loop(vector, blocks, [theta, reference, gradient], wide, splat(minus))
        shift = builder.mul(done, ir.Constant(integer, 8))
        bases = [builder.add(base, shift) for base in (theta, reference, gradient)]
        loop(real, builder.sub(count, done), bases, rest, minus)
        totals = []
        for lanes, tail in zip(wide, rest, strict=True):
            loaded, total = builder.load(lanes), builder.load(tail)
            for lane in range(LANES):
                total = builder.fadd(total, builder.extract_element(loaded, ir.Constant(ir.IntType(32), lane)))
            totals.append(total)
        return context.make_tuple(builder, signature.return_type, totals)

    kinds = [types.intp] * 4 + [types.float64, types.boolean]
    return types.UniTuple(types.float64, 2)(*kinds), code


@jit
def _at(array, offset):  # type: ignore[no-untyped-def]
    """The address of an element of a contiguous array."""
    return array.ctypes.data + 8 * offset


@jit
def _layer_below(plan, buf, layer, version):  # type: ignore[no-untyped-def]
    """The address of H_{layer-1}."""
    if layer == 1:
        return _at(buf.inputs, ZERO)
    return _at(buf.signals, 2 * version * buf.signals.shape[1] + plan.table[SIGNALS, layer - 1])


@jit
def _forward_panel(plan, buf, kernel, theta, layer, version, begin, rows, h, slope, thread):  # type: ignore[no-untyped-def]
    """h = phi(z) and slope = phi'(z) for ``rows`` neurons of a hidden layer."""
    n = plan.points
    inner = plan.table[SIZE, layer - 1]
    z = buf.panel[thread, Z, : rows * n]
    beta = 0.0
    if plan.bias_scale != 0.0:
        beta = 1.0
        biases = plan.table[BIASES, layer] + begin
        for r in range(rows):
            z[r * n : (r + 1) * n] = plan.bias_scale * theta[biases + r]
    weights = _at(theta, plan.table[WEIGHTS, layer] + begin * inner)
    below = _layer_below(plan, buf, layer, version)
    multiply(plan.address, rows, n, inner, plan.scales[layer], weights, inner, below, n, beta, _at(z, ZERO), n)
    apply(
        kernel.code, kernel.operations, kernel.constants, kernel.value_register, kernel.derivative_register,
        z, h, slope, buf.workspace[thread],
    )  # fmt: skip


@jit
def _backward_panel(plan, buf, theta, layer, begin, rows, slope, delta):  # type: ignore[no-untyped-def]
    """delta = phi'(z) * c W^T delta_above for ``rows`` neurons of a hidden layer."""
    n = plan.points
    width = plan.table[SIZE, layer]
    above = _at(buf.output_delta, ZERO)
    if layer < plan.layers - 1:
        above = _at(buf.signals, KEPT_DELTAS * buf.signals.shape[1] + plan.table[SIGNALS, layer + 1])
    weights = _at(theta, plan.table[WEIGHTS, layer + 1] + begin)
    inner = plan.table[SIZE, layer + 1]
    scale = plan.scales[layer + 1]
    multiply_left_transposed(plan.address, rows, n, inner, scale, weights, width, above, n, 0.0, _at(delta, ZERO), n)
    for i in range(rows * n):
        delta[i] *= slope[i]


@jit
def _move(theta, reference, place, gradient, count, step, moves, slot):  # type: ignore[no-untyped-def]
    """Update ``count`` parameters from ``place`` on by the gradient at an address; add the squares to ``slot``."""
    squares = _descend(_at(theta, place), _at(reference, place), gradient, count, step, moves)
    slot[0] += squares[0]
    slot[1] += squares[1]


@jit
def _update_biases(plan, buf, theta, reference, step, moves, place, rows, delta, slot, thread):  # type: ignore[no-untyped-def]
    n = plan.points
    gradient = buf.panel[thread, GRADIENT]
    for r in range(rows):
        total = 0.0
        for i in range(n):
            total += delta[r * n + i]
        gradient[r] = plan.bias_scale * total
    _move(theta, reference, place, _at(gradient, ZERO), rows, step, moves, slot)


@jit
def _update_rows(plan, buf, theta, reference, step, moves, layer, version, begin, rows, delta, slot, thread):  # type: ignore[no-untyped-def]
    """Gradient and update of ``rows`` rows of W_l and b_l."""
    n = plan.points
    inner = plan.table[SIZE, layer - 1]
    gradient = _at(buf.panel[thread, GRADIENT], ZERO)
    below = _layer_below(plan, buf, layer, version)
    scale = plan.scales[layer]
    multiply_right_transposed(plan.address, rows, inner, n, scale, _at(delta, ZERO), n, below, n, 0.0, gradient, inner)
    place = plan.table[WEIGHTS, layer] + begin * inner
    _move(theta, reference, place, gradient, rows * inner, step, moves, slot)
    if plan.bias_scale != 0.0:
        place = plan.table[BIASES, layer] + begin
        _update_biases(plan, buf, theta, reference, step, moves, place, rows, delta, slot, thread)


@jit
def _update_columns(plan, buf, theta, reference, step, moves, begin, rows, h, slot, thread):  # type: ignore[no-untyped-def]
    """Gradient and update of W_L[:, begin : begin + rows]."""
    n = plan.points
    k = plan.table[SIZE, plan.layers]
    gradient = _at(buf.panel[thread, GRADIENT], ZERO)
    delta = _at(buf.output_delta, ZERO)
    scale = plan.scales[plan.layers]
    multiply_right_transposed(plan.address, k, rows, n, scale, delta, n, _at(h, ZERO), n, 0.0, gradient, rows)
    for o in range(k):
        place = plan.table[WEIGHTS, plan.layers] + o * plan.table[SIZE, plan.layers - 1] + begin
        _move(theta, reference, place, gradient + 8 * o * rows, rows, step, moves, slot)


@inline_jit
def _panel(plan, buf, kernel, theta, reference, step, phase, layer, old, begin, rows, chunk, beta, thread):  # type: ignore[no-untyped-def]
    """All that one region does to ``rows`` neurons of ``layer`` (0 = the inputs, when the network is linear)."""
    n = plan.points
    top = layer == plan.layers - 1
    h = buf.panel[thread, H, : rows * n]
    slope = buf.panel[thread, SLOPE, : rows * n]
    delta = buf.panel[thread, DELTA, : rows * n]
    if layer == 0:
        h = buf.inputs.reshape(buf.inputs.size)[begin * n : (begin + rows) * n]
    elif plan.keep:
        first = plan.table[SIGNALS, layer] + begin * n
        h = buf.signals[0 if top else 2 * (1 - old), first : first + rows * n]
        slope = buf.signals[KEPT_SLOPES, first : first + rows * n]
        if plan.layers > 2:
            delta = buf.signals[KEPT_DELTAS, first : first + rows * n]
    moves = phase == STEP
    if moves or phase == MEASURE:
        if layer > 0 and not plan.keep:
            _forward_panel(plan, buf, kernel, theta, layer, old, begin, rows, h, slope, thread)
        if layer > 0 and plan.layers == 2 and plan.table[TRAINED, 1] == 1:
            _backward_panel(plan, buf, theta, layer, begin, rows, slope, delta)
        if plan.table[TRAINED, layer] == 1:
            slot = buf.sums[layer, chunk]
            _update_rows(plan, buf, theta, reference, step, moves, layer, old, begin, rows, delta, slot, thread)
        if top and plan.table[TRAINED, plan.layers] == 1:
            slot = buf.sums[plan.layers, chunk]
            _update_columns(plan, buf, theta, reference, step, moves, begin, rows, h, slot, thread)
    if phase == BACKWARD:
        _backward_panel(plan, buf, theta, layer, begin, rows, slope, delta)
    elif layer > 0 and (phase == FORWARD or (moves and layer >= plan.lowest)):
        _forward_panel(plan, buf, kernel, theta, layer, 1 - old, begin, rows, h, slope, thread)
    if top and (moves or phase == FORWARD):
        k = plan.table[SIZE, plan.layers]
        weights = _at(theta, plan.table[WEIGHTS, plan.layers] + begin)
        width = plan.table[SIZE, layer]
        outputs = _at(buf.outputs, chunk * k * n)
        scale = plan.scales[plan.layers]
        multiply(plan.address, k, n, rows, scale, weights, width, _at(h, ZERO), n, beta, outputs, n)


@jit
def _chunk(plan, buf, kernel, theta, reference, step, phase, layer, old, chunk, thread):  # type: ignore[no-untyped-def]
    width = plan.table[SIZE, layer]
    rows = plan.table[ROWS, layer]
    panels = (width + rows - 1) // rows
    first = panels * chunk // plan.table[CHUNKS, layer]
    last = panels * (chunk + 1) // plan.table[CHUNKS, layer]
    for panel in range(first, last):
        begin = panel * rows
        beta = 0.0 if panel == first else 1.0
        count = min(rows, width - begin)
        _panel(plan, buf, kernel, theta, reference, step, phase, layer, old, begin, count, chunk, beta, thread)


@pjit
def _threaded_region(plan, buf, kernel, theta, reference, step, phase, layer, old):  # type: ignore[no-untyped-def]
    for chunk in numba.prange(plan.table[CHUNKS, layer]):
        thread = np.int64(get_thread_id())
        _chunk(plan, buf, kernel, theta, reference, step, phase, layer, old, np.int64(chunk), thread)


@inline_jit
def _visit(plan, buf, kernel, theta, reference, step, schedule, old):  # type: ignore[no-untyped-def]
    """Work through the regions of a schedule."""
    for row in range(schedule.shape[0]):
        phase = schedule[row, 0]
        layer = schedule[row, 1]
        version = (old + schedule[row, 2]) % 2
        if plan.table[PARALLEL, layer] == 1:
            _threaded_region(plan, buf, kernel, theta, reference, step, phase, layer, version)
        else:
            for chunk in range(plan.table[CHUNKS, layer]):
                _chunk(plan, buf, kernel, theta, reference, step, phase, layer, version, chunk, ZERO)


@inline_jit
def _head(plan, buf, loss, problem, theta, rule, workspace, entries):  # type: ignore[no-untyped-def]
    """From the parts of z_L to the loss gap (returned) and dJ/dz_L; entries: (3, k n), scratch."""
    n = plan.points
    k = plan.table[SIZE, plan.layers]
    predictions, slopes, gaps = entries[0], entries[1], entries[2]
    for o in range(k):
        constant = 0.0
        if plan.bias_scale != 0.0:
            constant = plan.bias_scale * theta[plan.table[BIASES, plan.layers] + o]
        for i in range(n):
            z = 0.0
            for chunk in range(buf.outputs.shape[0]):
                z += buf.outputs[chunk, o, i]
            predictions[o * n + i] = plan.output_scale * (z + constant) - problem.offsets[o, i]
    gap_and_slope(
        loss.code, loss.operations, loss.constants, loss.loss_register, loss.slope_register, loss.curvature_register,
        predictions, problem.targets.reshape(k * n), problem.minimizers.reshape(k * n), gaps, slopes, rule, workspace,
    )  # fmt: skip
    total = 0.0
    for o in range(k):
        for i in range(n):
            nu = problem.sample_weights[i]
            total += nu * gaps[o * n + i]
            buf.output_delta[o, i] = plan.output_scale * nu * slopes[o * n + i]
    return total


@inline_jit
def _step(plan, buf, kernel, theta, reference, step, old, squares):  # type: ignore[no-untyped-def]
    """One cycle; squares[l] becomes (|G_l|^2, |theta_l - reference_l|^2), summed over chunks in order."""
    L = plan.layers
    buf.sums[:] = 0.0
    if plan.bias_scale != 0.0 and plan.table[TRAINED, L] == 1:
        moves = plan.cycle[plan.cycle.shape[0] - 1, 0] == STEP
        slot = buf.sums[L, buf.sums.shape[1] - 1]
        delta = buf.output_delta.reshape(buf.output_delta.size)
        place = plan.table[BIASES, L]
        _update_biases(plan, buf, theta, reference, step, moves, place, plan.table[SIZE, L], delta, slot, ZERO)
    _visit(plan, buf, kernel, theta, reference, step, plan.cycle, old)
    squares[:] = 0.0
    for layer in range(L + 1):
        for chunk in range(buf.sums.shape[1]):
            squares[layer, 0] += buf.sums[layer, chunk, 0]
            squares[layer, 1] += buf.sums[layer, chunk, 1]


@jit
def descend(  # type: ignore[no-untyped-def]
    plan, buf, kernel, loss, problem, theta, reference, step, stop_residual, rule, workspace, entries, residuals, gaps, squares
):
    """Steps until residuals, gaps (steps,) and squares (steps, L + 1, 2) are full; returns (steps done, why it ended)."""
    old = ZERO
    _visit(plan, buf, kernel, theta, reference, step, plan.start, old)
    for k in range(residuals.size):
        gap = _head(plan, buf, loss, problem, theta, rule, workspace, entries)
        residual = np.sqrt(2.0 * gap / problem.mu)
        if not np.isfinite(residual):
            return k, NOT_FINITE
        if residual <= stop_residual:
            return k, REACHED_RESIDUAL
        residuals[k] = residual
        gaps[k] = gap
        _step(plan, buf, kernel, theta, reference, step, old, squares[k])
        old = 1 - old
    return residuals.size, STEPS_DONE
