"""Constants of an activation: suprema of its derivatives, and its moments at a Gaussian of variance v."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Any

import sympy

from theorems.activations import ACTIVATIONS, Activation, activation
from theorems.arithmetic import BALL, as_ball, working_precision
from theorems.dual import CLOSED_FORMS, Covariance, DualActivation, dual_activation
from theorems.enclosures import Enclosure
from theorems.errors import InputError
from theorems.grammar import S
from theorems.hermite import expansion
from theorems.programs import evaluate
from verify.tables.keys import Key, positive, text
from verify.tables.kind import Kind, fixed
from verify.tables.records import Entry, Rounding, Value, missing, of_ball

KEYS = (
    Key("activation", text, required=True, shown=True),
    Key("variance", positive, default=1),
)
NORMALIZATION = "u normal with mean 0 and the variance of the inputs; phi as written, not rescaled"
CLOSED = "closed form of a Gaussian integral (theorems.dual), in ball arithmetic"
SERIES = "Hermite series with proved remainder (theorems.hermite), in ball arithmetic"
Formula = tuple[str, str]  # SymPy text, LaTeX
SUPREMUM = "branch and bound over the whole real line (theorems.enclosures)"


def make(case: Mapping[str, Any]) -> Iterator[Entry]:
    """The entries of one activation. Raises InputError for an unknown one."""
    known = _Moments(case["activation"], case["variance"])
    mean, square, slope = known.integrals()
    deviation = (f"{square[0]} - {mean[0]}**2", rf"{square[1]} - \left({mean[1]}\right)^2")
    source = CLOSED if known.dual.closed_form else SERIES

    def entry(name: str, symbol: str, formula: Formula, compute: Callable[[], Value]) -> Entry:
        return Entry(name, symbol, *formula, Rounding.NEAREST, "E phi(u)^2 finite", NORMALIZATION, source, compute)

    for order, name, symbol, bound in (
        (1, "slope_bound", r"\sup|\phi'|", known.slope_bound),
        (2, "curvature_bound", r"\sup|\phi''|", known.curvature_bound),
    ):
        formula = known.supremum(order)
        yield Entry(name, symbol, *formula, Rounding.UP, "phi twice continuously differentiable", NORMALIZATION, SUPREMUM, bound)
    yield entry("at_zero", r"\phi(0)", known.value_at_zero(), lambda: of_ball(known.at_zero))
    yield entry("mean", r"E\phi(u)", mean, lambda: of_ball(known.mean))
    yield entry("mean_square", r"E\phi(u)^2", square, known.mean_square)
    yield entry("variance", r"\mathrm{Var}\,\phi(u)", deviation, lambda: of_ball(known.deviation))
    yield entry("slope_mean_square", r"E\phi'(u)^2", slope, known.slope_mean_square)
    yield entry("gain", r"1/\mathrm{sd}\,\phi(u)", _inverse_root(deviation), lambda: _reciprocal_root(known.deviation))
    root = _inverse_root(square)
    yield entry("second_moment_gain", r"1/\sqrt{E\phi(u)^2}", root, lambda: _reciprocal_root(known.square))


KIND = Kind("activation", "Activations", fixed(KEYS), make)


def _latex(expression: sympy.Basic) -> str:
    return str(sympy.latex(expression))


def _inverse_root(formula: Formula) -> Formula:
    return f"1/sqrt({formula[0]})", rf"\left({formula[1]}\right)^{{-1/2}}"


def _reciprocal_root(x: Any) -> Value:
    with working_precision():
        if x.is_zero():
            return missing("phi(u) does not vary")
        return of_ball(1 / BALL.sqrt(x))


class _Moments:
    """The numbers of one activation, each computed when it is asked for, once."""

    def __init__(self, name: str, variance: Fraction) -> None:
        self.name, self.variance = name, variance
        self.dual: DualActivation = dual_activation(name)

    @functools.cached_property
    def record(self) -> Activation | None:
        """The smooth record; None for relu, abs and leaky_relu."""
        if self.dual.name in ACTIVATIONS:
            found = ACTIVATIONS[self.dual.name]
            return found if found.smooth else None
        return None if self.dual.rough else activation(self.name)

    @functools.cached_property
    def leak(self) -> Fraction:
        """phi(-1) = -leak of a rough activation, read off its form."""
        words = {"relu": Fraction(0), "abs": Fraction(-1)}
        if self.dual.name in words:
            return words[self.dual.name]
        return Fraction(self.dual.name.removeprefix("leaky_relu(").removesuffix(")"))

    @functools.cached_property
    def phi(self) -> sympy.Expr:
        """phi as an expression in s."""
        return self.record.expression if self.record is not None else _rough(self.leak)

    def integrals(self) -> tuple[Formula, Formula, Formula]:
        """E phi(u), E phi(u)^2 and E phi'(u)^2 as texts, built by hand: SymPy would try to judge the sign of an Integral."""
        if self.record is not None:
            slope = self.record.derivative
        else:
            slope = sympy.Heaviside(S) + _number(self.leak) * sympy.Heaviside(-S)
        v = _number(self.variance)
        density = sympy.exp(-(S**2) / (2 * v)) / sympy.sqrt(2 * sympy.pi * v)

        def mean(f: sympy.Expr) -> Formula:
            return (
                f"Integral(({f})*{density}, (s, -oo, oo))",
                rf"\int_{{-\infty}}^{{\infty}} \left({_latex(f)}\right) {_latex(density)}\,ds",
            )

        return mean(self.phi), mean(self.phi**2), mean(slope**2)

    def supremum(self, order: int) -> Formula:
        """sup|phi'| or sup|phi''| as texts."""
        text = "s" if order == 1 else "(s, 2)"
        mark = "d" if order == 1 else "d^2"
        below = "ds" if order == 1 else "ds^2"
        return (
            f"sup(Abs(Derivative({self.phi}, {text})))",
            rf"\sup_s \left|\frac{{{mark}}}{{{below}}} \left({_latex(self.phi)}\right)\right|",
        )

    def value_at_zero(self) -> Formula:
        """phi(0) as texts."""
        value = self.phi.xreplace({S: sympy.S.Zero})
        return str(value), _latex(value)

    def slope_bound(self) -> Value:
        """sup|phi'|; of a rough phi almost everywhere."""
        if self.record is None:
            return _exact(max(Fraction(1), abs(self.leak)), "phi' exists but at 0")
        return _supremum(self.record.slope_bound)

    def curvature_bound(self) -> Value:
        """sup|phi''|."""
        if self.record is None:
            return missing("phi' jumps at 0 and has no Lipschitz constant: such an activation is measured, never certified")
        return _supremum(self.record.curvature_bound)

    @functools.cached_property
    def at_zero(self) -> Any:
        """phi(0)."""
        if self.record is None or self.dual.vanishes_at_zero:
            return as_ball(0)
        with working_precision():
            return BALL.numbers(0) + evaluate(self.record.program(), BALL, [BALL.numbers(0)])[0]

    def _dual(self, form: Callable[[Covariance, Any], Any], same: bool = True) -> Any:
        with working_precision():
            v, none = BALL.numbers(self.variance), BALL.numbers(0)
            pair = Covariance(v, v, v, none, same=True) if same else Covariance(v, v, none, v * v)
            return form(pair, BALL)

    @property
    def half(self) -> Fraction:
        """E phi'(u)^2 of a rough phi, half from each sign of u; E phi(u)^2 is that times the variance."""
        return (1 + self.leak**2) / 2

    @functools.cached_property
    def square(self) -> Any:
        """E phi(u)^2."""
        return self._dual(self.dual.value) if self.record is not None else BALL.numbers(self.half * self.variance)

    def mean_square(self) -> Value:
        """The same, as it is printed."""
        return of_ball(self.square) if self.record is not None else _exact(self.half * self.variance)

    def slope_mean_square(self) -> Value:
        """E phi'(u)^2."""
        return of_ball(self._dual(self.dual.slope)) if self.record is not None else _exact(self.half)

    @functools.cached_property
    def mean(self) -> Any:
        """E phi(u): its size is the root of E phi(u) phi(v) for independent u and v, its sign that of an independent route."""
        if self.dual.parity == -1:
            return as_ball(0)
        with working_precision():
            size = BALL.sqrt(BALL.absolute(self._dual(self.dual.value, same=False)))
            if self.record is None:  # E phi(u) = (1 - leak) E max(u, 0)
                return size if self.leak <= 1 else -size
            if self.dual.degree is not None:
                return _polynomial_mean(self.record.expression, self.variance)
            found = expansion(self.record, BALL.numbers(self.variance)).value.coefficients[0]
            if not self.dual.closed_form:
                return found
            return size if found > 0 else -size if found < 0 else found

    @functools.cached_property
    def deviation(self) -> Any:
        """Var phi(u)."""
        with working_precision():
            return self.square - self.mean * self.mean


def _exact(x: Fraction, note: str = "") -> Value:
    return Value(x, x, note=note)


def _rough(leak: Fraction) -> sympy.Expr:
    return sympy.Abs(S) if leak == -1 else sympy.Max(S, 0) + _number(leak) * sympy.Min(S, 0)


def _number(x: Fraction) -> sympy.Rational:
    return sympy.Rational(x.numerator, x.denominator)


def _polynomial_mean(expression: sympy.Expr, variance: Fraction) -> Any:
    """sum p_j E u^j, E u^j = v^{j/2} (j-1)!! for even j."""
    total = sympy.S.Zero
    for j, p in enumerate(sympy.Poly(expression, S).all_coeffs()[::-1]):
        if j % 2 == 0:
            total += p * _number(variance) ** (j // 2) * sympy.factorial2(j - 1)
    return BALL.numbers(Fraction(int(total.p), int(total.q)))


def _supremum(bound: Callable[[], Enclosure]) -> Value:
    try:
        found = bound()
    except InputError as reason:
        return missing(reason)
    return Value(found.lower, found.upper)


def names() -> tuple[str, ...]:
    """Every activation with a name: of the catalogue, and the closed forms beside it."""
    return tuple(dict.fromkeys((*ACTIVATIONS, *CLOSED_FORMS)))
