"""Proofs that the activation kernels keep to the error model of ``numerics.rounding``: here for the hand-written ones.

The model: for |z| <= a range,

    |fl phi(z) - phi(z)| <= A u (|phi(0)| + Lp |z|) + tau,     |fl phi'(z) - phi'(z)| <= A u Lp + tau,     u = 2^-53, tau = 2^-400.

The source of ``numerics.activations.apply`` and of the functions of ``numerics.elementary`` below it is run as it stands (the
Python functions that numba compiles, with other globals) on the abstract numbers of ``kernel_accuracy_numbers``, while z runs
over boxes that cover the range; a box in which A comes out too large is halved. What is trusted: float64 operations, fma
included, round to nearest as IEEE 754 says, numba and LLVM compile what is written (no fast-math), and the following lemmas,
which stand in place of code that works on bits or relies on exact cancellation (the tests compare each with the code, bit by
bit).

- ``_power_of_two(k)`` is 2^k for integers |k| <= 1022; ``y + ROUND - ROUND`` is the nearest integer.
- ``horner(x, table)`` is a chain of fma; its polynomial is within the proved distance (``kernel_accuracy_tables``) of its function.
- ``log1p(x)`` for 0 <= x <= 3/2: with u = fl(1 + x), u - 1 and x - (u - 1) (for x >= 1: u - x and 1 - (u - x)) are exact
  (Sterbenz; Dekker's fast two-sum), so m - 1 + carried is the rounding of f = (1 + x)/2^k - 1, where k = 0 for u < 2^(1/2) (then
  f = x is exact) and else k = 1.
- ``_gaussian(square, rest)``: rest = a^2 - fl(a^2), or half of it, is exact as one fma, barring underflow; the result is
  e^-fl(a^2) (1 - rest), and e^-rest differs from 1 - rest by at most rest^2 e^|rest|/2.
- The signs of ``copysign`` and of the quadrant in ``sine_and_cosine`` are exact; which of s, c is taken does not matter to errors.

That what the variables stand for ends in phi and phi' is algebra, checked at points: tanh = E/(E + 2) and 1/cosh^2 = 2/(E + 2)
(1 + tanh) with E = e^{2|z|} - 1; log(1 + f) = f - s (f - R) with s = f/(2 + f), R = 2 artanh(s)/s - 2; erf = 1 - e^{-a^2} (1 + 2a)
w(a)/(1 + 2a); arctan by its addition theorem; constants in parts stand for ln 2, pi/2 and pi/4. Where an argument is clipped,
what remains of phi is bounded by ``_TAILS``.
"""

from __future__ import annotations

import functools
import itertools
import math
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from flint import arb, fmpq

from numerics import activations as kernels
from numerics import elementary as el
from theorems.activations import ACTIVATIONS, activation
from theorems.arithmetic import BALL, working_precision
from theorems.errors import InputError
from theorems.programs import evaluate
from verify.kernel_accuracy_numbers import UNIT, Number
from verify.kernel_accuracy_paths import ONE, ZERO, NotProved, Path, every_path, hull
from verify.kernel_accuracy_programs import prove_program
from verify.kernel_accuracy_source import UNDERFLOW, namespace
from verify.kernel_accuracy_tables import TABLES, Approximation, approximation, approximation_of

LARGEST = 2.0**500  # z^2 does not overflow
GOAL = 16.0  # numerics.rounding.ACTIVATION_ULPS; boxes are halved until A is below
DEPTH = 12  # halvings
EXPONENTS = 8  # binary exponents in a wide box: the radius of a ball has 30 bits, and z^3 must stay away from 0

#: Ends of the boxes of |z| that are halved, and of the wide ones beyond: up to 2^500 (sin and cos: see _boxes).
_NARROW = (0.0, 0.0625, *(i / 8 for i in range(1, 17)), *(i / 4 for i in range(9, 33)), *(i / 2 for i in range(17, 81)))
_ENDS: dict[str, tuple[float, tuple[float, ...]]] = {
    "identity": (0.5, (LARGEST,)),
    "tanh": (20.0, (354.0, LARGEST)),
    "erf": (27.25, (LARGEST,)),
    "softplus": (40.0, (744.0, LARGEST)),
    "gelu": (38.5, (LARGEST,)),
    "silu": (40.0, (744.0, LARGEST)),
    "sigmoid": (40.0, (744.0, LARGEST)),
    "arctan": (2.5, (LARGEST,)),
    "gaussian_bump": (9.0, (38.5, LARGEST)),
}
#: Away from thresholds, so that nothing is undecided at them.
IDENTITY_POINTS = (0.001, 0.1, 0.3, 0.45, 0.55, 0.75, 1.0625, 1.3, 2.2, 2.7, 3.9, 5.3, 7.1, 12.7, 19.3)
IDENTITY_ACCURACY = arb(2) ** -52  # of the polynomials, whose distance from the function is in the ball
_ONE_SIGN = {"tanh", "erf", "arctan", "gaussian_bump"}  # z enters by |z|, z z and copysign only
_QUARTER = 0.7854  # a little more than pi/4


def _exp(x: Any) -> Any:
    return x.exp()


#: For |z| >= a >= 1: |phi - phi_0| and |phi' - phi_0'| are at most these, phi_0 = 0, 1 (for z > 0) or max(z, 0); see _asymptote.
_TAILS: dict[str, Callable[[Any], tuple[Any, Any]]] = {
    "tanh": lambda a: (2 * _exp(-2 * a), 4 * _exp(-2 * a)),
    "erf": lambda a: (_exp(-a * a), 2 * _exp(-a * a)),
    "softplus": lambda a: (_exp(-a), _exp(-a)),
    "gelu": lambda a: (_exp(-a * a / 2), (1 + a) * _exp(-a * a / 2)),
    "silu": lambda a: (a * _exp(-a), (1 + a) * _exp(-a)),
    "sigmoid": lambda a: (_exp(-a), _exp(-a)),
    "gaussian_bump": lambda a: (_exp(-a * a / 2), a * _exp(-a * a / 2)),
}


@dataclass(frozen=True)
class KernelAccuracy:
    """ulps: the proved A of the error model; largest: the |z| up to which it holds."""

    ulps: float
    largest: float


@dataclass(frozen=True)
class _Box:
    """|z| in [low, high], z of the given sign; or for sin and cos a piece [low, high] of the reduced argument (``reduced``)."""

    low: float
    high: float
    sign: int
    wide: bool = False
    exponent_base: bool = False
    reduced: bool = False


@functools.cache
def proved_accuracy(name: str) -> KernelAccuracy | None:
    """The accuracy proved for the kernel of a built-in activation or of an expression; None where there is no proof."""
    try:
        if name not in kernels.BUILTIN:
            return KernelAccuracy(*prove_program(activation(name)))
        return prove(name, {}) if ACTIVATIONS[name].smooth else None
    except (NotProved, InputError):
        return None


def prove(name: str, tables: Mapping[str, tuple[float, ...]]) -> KernelAccuracy:
    """Prove the accuracy of a built-in kernel, with other coefficients in the place of the named tables of ``elementary``.

    Raises NotProved when a step of the abstract run has no bound.
    """
    with working_precision():
        proof = _Proof(name, {t: approximation_of(t, tables[t]) if t in tables else approximation(t) for t in TABLES}, tables)
        proof.require_identity()
        worst = ZERO
        pending = [(box, 0) for box in _boxes(name)]
        while pending:
            box, depth = pending.pop()
            found = proof.ulps(box)
            if not found <= GOAL and depth < DEPTH and not box.wide:
                middle = (box.low + box.high) / 2
                halves = (_Box(box.low, middle, box.sign), _Box(middle, box.high, box.sign))
                if box.reduced:
                    halves = (_Box(box.low, middle, 1, reduced=True), _Box(middle, box.high, 1, reduced=True))
                pending += [(half, depth + 1) for half in halves]
                continue
            worst = worst.max(found)
        if not worst.is_finite():
            raise NotProved(f"{name}: no finite bound")
        largest = el.TRIGONOMETRIC_LIMIT if name in ("sin", "cos") else LARGEST
        return KernelAccuracy(math.nextafter(float(worst), math.inf), largest)


def _boxes(name: str) -> list[_Box]:
    if name in ("sin", "cos"):
        count = 16
        pieces = [_QUARTER * (2 * i / count - 1) for i in range(count + 1)]
        boxes = [_Box(low, high, 1, reduced=True) for low, high in zip(pieces, pieces[1:], strict=False)]
        plain = [*(i / 8 for i in range(7)), _QUARTER]
        return boxes + [_Box(low, high, sign) for low, high in zip(plain, plain[1:], strict=False) for sign in (1, -1)]
    narrow, wide = _ENDS[name]
    ends = [end for end in _NARROW if end < narrow] + [narrow]
    signs = (1,) if name in _ONE_SIGN else (1, -1)
    boxes = [_Box(low, high, sign) for low, high in zip(ends, ends[1:], strict=False) for sign in signs]
    for low, high in zip((narrow, *wide), wide, strict=False):
        if name == "tanh" and high < LARGEST:
            steps = np.arange(low, high, EXPONENTS * math.log(2) / 2).tolist()
            boxes += [_Box(a, b, 1, wide=True, exponent_base=True) for a, b in itertools.pairwise([*steps, high])]
        else:
            steps = np.geomspace(low, high, 1 + math.ceil(math.log2(high / low) / EXPONENTS)).tolist()
            boxes += [_Box(a, b, sign, wide=True) for a, b in itertools.pairwise([low, *steps[1:-1], high]) for sign in signs]
    return boxes


def _float_ball(low: float, high: float) -> Any:
    return hull(arb(low), arb(high))


class _Cell(list[Any]):
    """A vector of one element, as the loops of ``apply`` see it."""

    size = 1


class _Proof:
    """One activation with its proved constants and the tables in use."""

    def __init__(self, name: str, approximations: Mapping[str, Approximation], tables: Mapping[str, tuple[float, ...]]) -> None:
        record = ACTIVATIONS[name]
        self.name = name
        self.approximations = approximations
        self.tables = {t: tuple(tables.get(t, getattr(el, t))) for t in TABLES}
        at_zero = evaluate(record.program(), BALL, [BALL.constant(Fraction(0))])[0]
        self.at_zero = at_zero.abs_lower()
        slope = record.slope_bound().lower
        self.slope = arb(fmpq(slope.numerator, slope.denominator)).lower()

    def require_identity(self) -> None:
        """At IDENTITY_POINTS, what the variables stand for must be phi and phi' of the catalogue, to IDENTITY_ACCURACY.

        No proof that it is so everywhere (that is the algebra in the module), but analytic functions that differ agree at isolated
        points only. Raises NotProved.
        """
        program = ACTIVATIONS[self.name].program()
        for z in (*IDENTITY_POINTS, *(-z for z in IDENTITY_POINTS)):
            box = _Box(abs(z), abs(z), -1 if z < 0 else 1)
            truth = evaluate(program, BALL, [BALL.constant(Fraction(z))])
            for _, found in self._runs(box):
                for number, exact in zip(found, truth, strict=True):
                    ball = number.plain()
                    if not (ball.overlaps(exact) and (ball - exact).abs_upper() < IDENTITY_ACCURACY):
                        raise NotProved(f"{self.name}: at z = {z!r} the variables stand for another function")

    def ulps(self, box: _Box) -> Any:
        """A bound of A over the box, as an exact ball; infinity where there is none."""
        worst = ZERO
        try:
            for path, (phi, dphi) in self._runs(box):
                worst = worst.max(self._paths_ulps(box, path, phi, dphi))
        except NotProved:
            return arb.pos_inf()
        return worst

    def _runs(self, box: _Box) -> Iterator[tuple[Path, tuple[Number, Number]]]:
        return every_path(lambda prefix: self._path(box, prefix), lambda path: self._run(box, path))

    def _path(self, box: _Box, prefix: list[int]) -> Path:
        path = Path(_float_ball(box.low, box.high), box.wide, box.exponent_base, prefix=prefix)
        if box.reduced:
            path.base, path.reduced, path.covered = ONE, path.base, arb(_QUARTER)
        return path

    def _run(self, box: _Box, path: Path) -> tuple[Number, Number]:
        z = Number(path, arb(box.sign), 1)
        if box.exponent_base:
            z = Number(path, box.sign * path.base)
        if box.reduced:
            z = Number(path, _float_ball(-el.TRIGONOMETRIC_LIMIT, el.TRIGONOMETRIC_LIMIT))
        elementary = namespace(path, self.tables, self.approximations)
        apply = types.FunctionType(kernels.apply.py_func.__code__, {**vars(kernels), "el": types.SimpleNamespace(**elementary)})
        phi, dphi = _Cell([None]), _Cell([None])
        apply(kernels.BUILTIN[self.name], None, None, 0, 0, _Cell([z]), phi, dphi, None)
        return z.wrap(phi[0]), z.wrap(dphi[0])

    def _paths_ulps(self, box: _Box, path: Path, phi: Number, dphi: Number) -> Any:
        size = path.base
        if box.exponent_base:
            size = _float_ball(box.low, box.high)
        elif box.reduced:  # K is not 0: |z| >= pi/4 up to rounding
            size = _float_ball(0.785, el.TRIGONOMETRIC_LIMIT)
        p = 1 if phi.p >= 1 and not (box.exponent_base or box.reduced) else 0
        phi, dphi = phi.to_power(p), dphi.to_power(0)
        value, slope = phi.e, dphi.e
        if path.saturated:
            rest, slope_rest = _TAILS[self.name](arb(size.lower()))
            value = value + (abs(phi.g - _asymptote(self.name, box.sign, p)) + rest / size.lower() ** p).abs_upper()
            slope = slope + (abs(dphi.g - _slope_asymptote(self.name, box.sign)) + slope_rest).abs_upper()
        if not (phi.t < UNDERFLOW and dphi.t < UNDERFLOW):
            return arb.pos_inf()
        model = self.at_zero + self.slope * size.lower()
        relative = (value * size.upper() ** p / model).abs_upper() if model > 0 else arb.pos_inf()
        if p:
            relative = relative.min((value / self.slope).abs_upper())
        return (relative.max((slope / self.slope).abs_upper()) / UNIT).abs_upper()


def _asymptote(name: str, sign: int, p: int) -> Any:
    """phi_0/|z|^p far out (tanh and erf are run for z > 0)."""
    if name in ("softplus", "silu", "gelu"):
        return ONE if sign > 0 and p == 1 else (ZERO if sign < 0 else arb.nan())
    return ONE if name in ("tanh", "erf") or (name == "sigmoid" and sign > 0) else ZERO


def _slope_asymptote(name: str, sign: int) -> Any:
    return ONE if name in ("softplus", "silu", "gelu") and sign > 0 else ZERO
