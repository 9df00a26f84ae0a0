"""The accuracy of kernels generated from a user's expression, proved like that of the hand-written ones, for |z| <= 32 or 1024.

The source of ``numerics.interpreter.run_block`` is run on abstract numbers over boxes that cover the range. A constant stands for
the exact rational of the expression and is off by its rounding. What an elementary function clips is negligible and goes into the
underflow: e^x below 2^-1009, 1 - tanh beyond 354, 1 - erf beyond 28 (at most 2^-1000 each); where sinh, cosh or a large e^x clip
there is no proof. Two more lemmas: ``log`` reduces to log(1 + f) with f = x/2^k - 1, exact, for an integer k with x/2^k in
[2^-1/2, 2^1/2] up to one ulp; square roots are rounded correctly.

Boxes are halved, the worst first, until the error model's 16 ulps are met or the budget is spent. Expressions that cancel have so
large an A that it is worth nothing, or none at all.
"""

from __future__ import annotations

import heapq
import itertools
import math
import types
from collections.abc import Callable
from typing import Any

import numpy as np
from flint import arb, fmpq

from numerics import elementary as el
from numerics import interpreter
from theorems.activations import Activation
from theorems.arithmetic import BALL, working_precision
from theorems.programs import Program, evaluate
from verify.kernel_accuracy_numbers import UNIT, Number
from verify.kernel_accuracy_paths import ZERO, NotProved, Path, every_path, hull
from verify.kernel_accuracy_source import UNDERFLOW, namespace, near_one
from verify.kernel_accuracy_tables import TABLES, approximation
from verify.kernels import as_instructions

NARROW, LARGEST = 32.0, 1024.0
GOAL = 16.0
BUDGET = 300  # boxes that are halved
TOO_LARGE = 1e6  # an expression that loses so much is treated as one without a bound
NEGLIGIBLE = arb(2) ** -1000
MOST_EXPONENTS = 3

_Bound = tuple[float, float, float, int]  # minus A, low, high, sign: as a heap orders them


def prove_program(phi: Activation) -> tuple[float, float]:
    """The A of the error model that is proved for phi's generated kernel, and the range of |z| for which it is.

    phi: smooth, with a proved bound of its slope. Raises NotProved where there is none, InputError where phi has no such bound.
    """
    program, slope = phi.program(), phi.slope_bound().lower
    with working_precision():
        bound = arb(fmpq(slope.numerator, slope.denominator)).lower()
        at_zero = evaluate(program, BALL, [BALL.constant(slope * 0)])[0].abs_lower()

        def ulps(low: float, high: float, sign: int) -> float:
            return _ulps(program, low, high, sign, at_zero, bound)

        ends = [0.0, 0.0625, *(i / 8 for i in range(1, 33)), *(i / 2 for i in range(9, int(2 * NARROW) + 1))]
        boxes: list[_Bound] = [(-ulps(a, b, s), a, b, s) for a, b in itertools.pairwise(ends) for s in (1, -1)]
        heapq.heapify(boxes)
        for _ in range(BUDGET):
            worst, low, high, sign = boxes[0]
            if -worst <= GOAL:
                break
            middle = (low + high) / 2
            heapq.heapreplace(boxes, (-ulps(low, middle, sign), low, middle, sign))
            heapq.heappush(boxes, (-ulps(middle, high, sign), middle, high, sign))
        found = -boxes[0][0]
        if not found <= TOO_LARGE:
            raise NotProved(f"activation {phi.name!r}: no bound near |z| = {boxes[0][1]:.4g}")
        wide = np.geomspace(NARROW, LARGEST, 31).tolist()
        for low, high, sign in [(a, b, s) for a, b in itertools.pairwise([NARROW, *wide[1:-1], LARGEST]) for s in (1, -1)]:
            if not ulps(low, high, sign) <= max(found, GOAL):
                return math.nextafter(found, math.inf), NARROW
    return math.nextafter(max(found, GOAL), math.inf), LARGEST


def _ulps(program: Program, low: float, high: float, sign: int, at_zero: Any, bound: Any) -> float:
    """A bound of A over a box; infinity where there is none."""
    worst = ZERO
    try:
        for path, (phi, dphi) in every_path(
            lambda prefix: Path(hull(arb(low), arb(high)), prefix=prefix), lambda path: _run(program, path, sign)
        ):
            p = 1 if phi.p >= 1 else 0
            phi, dphi = phi.to_power(p), dphi.to_power(0)
            if not (phi.t < UNDERFLOW and dphi.t < UNDERFLOW):
                return math.inf
            model = at_zero + bound * path.base.abs_lower()
            value = (phi.e * path.base.abs_upper() ** p / model).abs_upper() if model > 0 else arb.pos_inf()
            if p:
                value = value.min((phi.e / bound).abs_upper())
            worst = worst.max(value).max((dphi.e / bound).abs_upper())
    except NotProved:
        return math.inf
    return math.nextafter(float((worst / UNIT).abs_upper()), math.inf)


def _run(program: Program, path: Path, sign: int) -> tuple[Number, Number]:
    instructions, outputs = as_instructions(program)
    operations, floats = interpreter.assemble(instructions, outputs, inputs=1)
    constants = np.empty(len(floats), dtype=object)
    exact = [item.value for item in program.instructions if item.operation in ("constant", "pi")]
    for place, (stored, meant) in enumerate(zip(floats.tolist(), exact, strict=False)):
        ball = arb.pi() if meant is None else arb(fmpq(meant.numerator, meant.denominator))
        constants[place] = Number(path, ball, e=abs(ball - arb(stored)).abs_upper())
    space: dict[str, Any] = {**vars(interpreter), "el": types.SimpleNamespace(**_elementary(path))}
    for name, value in vars(interpreter).items():
        if hasattr(value, "py_func"):
            space[name] = types.FunctionType(value.py_func.__code__, space)
    inputs = np.empty((1, 1), dtype=object)
    inputs[0, 0] = Number(path, arb(sign), 1)
    workspace = np.empty((len(instructions), 1), dtype=object)
    space["run_block"](operations, constants, inputs, 0, 1, workspace)
    return workspace[outputs[0], 0], workspace[outputs[1], 0]


def _elementary(path: Path) -> dict[str, Any]:
    """The functions of ``elementary`` that keep what they stand for exact when they clip."""
    space = namespace(path, {table: getattr(el, table) for table in TABLES}, {table: approximation(table) for table in TABLES})

    def lifted(function: Callable[[Any], Any], rest: Callable[[Any, Number], Number]) -> Callable[[Any], Any]:
        def run(x: Any) -> Any:
            before, path.saturated = path.saturated, False
            result = function(x)
            if path.saturated:
                first = result[0] if isinstance(result, tuple) else result
                replaced = rest(x, first)
                result = (replaced, *result[1:]) if isinstance(result, tuple) else replaced
            path.saturated = before
            return result

        return run

    def vanishing(x: Any, result: Number) -> Number:
        if isinstance(x, Number) and not x.computed()[1] <= -700:
            raise NotProved("an exponential that is clipped at the upper end")
        return Number(path, hull(ZERO, NEGLIGIBLE), t=NEGLIGIBLE)

    def saturating(_: Any, result: Number) -> Number:
        return Number(path, result.plain() + hull(-NEGLIGIBLE, NEGLIGIBLE), e=result.error(), t=2 * NEGLIGIBLE)

    def refused(_: Any, result: Number) -> Number:
        raise NotProved("a hyperbolic function that is clipped")

    rests = {"exp": vanishing, "tanh_and_slope": saturating, "erf_and_slope": saturating, "sinh": refused, "cosh": refused}
    space.update({name: lifted(space[name], rest) for name, rest in rests.items()})
    space["log"] = lambda x: _log(path, space, x)
    space["any_beyond_limit"] = _within_limit
    return space


def _log(path: Path, space: dict[str, Any], x: Number) -> Number:
    low, high = x.computed()
    if not low >= arb(2) ** -1000:
        raise NotProved("a logarithm near 0")
    first = math.floor(float((low.log() / arb(2).log()).lower()) + 0.5 - 1e-9)
    last = math.floor(float((high.log() / arb(2).log()).upper()) + 0.5 + 1e-9)
    if last - first >= MOST_EXPONENTS:
        raise NotProved("a logarithm over many binades")
    k = float(first + path.choose(last - first + 1))
    scale = arb(2) ** -int(k)
    f = Number(path, x.plain() * scale - 1, e=(x.error() * scale).abs_upper())
    return near_one(space, k, f)


def _within_limit(x: Any, count: int) -> bool:
    """False, as the vector code applies to every element; no proof for what libm does beyond its limit."""
    for number in x[:count]:
        low, high = number.computed()
        if number.linear is None and not (low >= -el.TRIGONOMETRIC_LIMIT and high <= el.TRIGONOMETRIC_LIMIT):
            raise NotProved("an argument beyond the limit of the sine")
    return False
