"""What a loss says about itself: its expression, and proved constants L and mu and minimizers."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import sympy

from theorems.enclosures import Enclosure, NotEnclosed, Unbounded, range_over_line, require_smooth
from theorems.errors import InputError
from theorems.exact import exactly
from theorems.grammar import S, T, Y
from theorems.losses.roots import enclosed_minimum, enclosed_root
from theorems.programs import Program, compile_program
from theorems.rewriting import bounded_form, overflow_free

# A loss that is no function of y - t has its curvature enclosed for each distinct target.
MAX_DISTINCT_TARGETS = 64

SQUARE = (Y - T) ** 2 / 2


@dataclass(frozen=True)
class LossConstants:
    """Enclosures of the PL constant mu and the smoothness constant L of loss(., t), uniform in t."""

    mu: Enclosure
    smoothness: Enclosure


@dataclass(frozen=True)
class Loss:
    """A loss of a prediction y and a target t; the loss of a sample is the sum over its outputs.

    ``name``, the catalogue name, or the user's text. ``expression``, in the real symbols ``y`` and ``t``, the ridge put in.
    ``ridge``, the coefficient of the ridge as the exact rational it is. ``allowed_targets``, the only ones there are; empty for
    every real number. ``declared``, constants known in closed form (tests prove them again). ``refusal``, why mu or L is
    missing, or empty. ``minimizer_is_target``, whether y = t minimizes. ``weighted``, whether it wants weights of samples, which
    belong to the measure nu and not to the expression. ``note``, one line for readers.
    """

    name: str
    expression: sympy.Expr
    ridge: Fraction = Fraction(0)
    allowed_targets: tuple[int, ...] = ()
    declared: LossConstants | None = None
    refusal: str = ""
    minimizer_is_target: bool = False
    weighted: bool = False
    note: str = ""

    @property
    def is_square(self) -> bool:
        """Whether it is (y - t)^2/2."""
        return bool(self.expression == SQUARE)

    @property
    def derivative(self) -> sympy.Expr:
        """The derivative in y."""
        return sympy.diff(self.expression, Y)

    @property
    def curvature(self) -> sympy.Expr:
        """The second derivative in y."""
        return sympy.diff(self.expression, Y, 2)

    def check_targets(self, targets: Iterable[float]) -> None:
        """Raise InputError naming the first target that is not finite or not allowed."""
        allowed = set(self.allowed_targets)
        for target in targets:
            value = exactly(target)
            if allowed and value not in allowed:
                wanted = " or ".join(f"{choice:+d}" for choice in self.allowed_targets)
                raise InputError(f"targets of the loss {self.name!r} must be {wanted}, got {target!r}")

    def constants(self, targets: Iterable[float]) -> LossConstants:
        """Return enclosures of mu = inf l'' and L = sup |l''| over all y and over the given targets.

        A loss with l'' >= mu > 0 is mu-strongly convex, hence mu-PL: |l'|^2 >= 2 mu (l - inf l). For a loss of y - t alone the
        targets do not matter; otherwise each distinct one is treated as the rational number it is.

        Raises InputError with the reason when L or mu is missing, a target is not allowed, or there are too many.

        Source: docs/theory.md, section D.
        """
        targets = tuple(targets)
        self.check_targets(targets)
        if self.refusal:
            raise InputError(self.refusal)
        if self.declared is not None:
            return self.declared
        return _constants(self, self._distinct(targets))

    def minimizer(self, target: float) -> Enclosure:
        """Return an enclosure of argmin_y loss(y, target), exact or of relative width below 2^-60.

        Raises InputError as ``constants`` does.
        """
        value = exactly(target)
        self.check_targets([target])
        if self.minimizer_is_target or self.derivative.subs(Y, T) == 0:
            self.constants([target])
            return Enclosure.exact(value)
        return enclosed_root(self._at(self.derivative, value), self._mu([target]), value)

    def minimum(self, target: float) -> Enclosure:
        """Return an enclosure of min_y loss(y, target); raises InputError as ``constants`` does."""
        place = self.minimizer(target)
        return enclosed_minimum(self._at(self.expression, exactly(target)), self._mu([target]), place)

    def program(self) -> Program:
        """Return the program with inputs (y, t) and outputs loss, loss', loss'', in forms evaluated without overflow."""
        outputs = [overflow_free(self.expression), bounded_form(self.derivative), bounded_form(self.curvature)]
        return compile_program(outputs, [Y, T])

    def _mu(self, targets: list[float]) -> Fraction:
        return self.constants(targets).mu.lower

    def _at(self, expression: sympy.Expr, target: Fraction) -> Program:
        return compile_program([bounded_form(_with_target(expression, target, self.name))], [Y])

    def _distinct(self, targets: tuple[float, ...]) -> tuple[Fraction, ...]:
        """Return the targets that matter for the curvature, sorted: none when it depends on y - t only."""
        if not _shifted(self.curvature).has(T) and not _shifted(_not_polynomial(self.expression)).has(T):
            return ()
        distinct = tuple(sorted({exactly(target) for target in targets}))
        if not distinct:
            raise InputError(f"targets must hold at least one number for the loss {self.name!r}, got none")
        if len(distinct) > MAX_DISTINCT_TARGETS:
            raise InputError(
                f"targets of the loss {self.name!r}, which is no function of y - t, must have at most "
                f"{MAX_DISTINCT_TARGETS} distinct values, got {len(distinct)}"
            )
        return distinct


def _shifted(expression: sympy.Expr) -> sympy.Expr:
    """Return the expression at y = t + s."""
    return expression.subs(Y, T + S)


def _not_polynomial(expression: sympy.Expr) -> sympy.Expr:
    """Return the sum of the terms that are not polynomials in y and t; the others are smooth for every target."""
    return sympy.Add(*(term for term in sympy.Add.make_args(expression) if not term.is_polynomial(Y, T)))


def _with_target(expression: sympy.Expr, target: Fraction, name: str) -> sympy.Expr:
    at_target = expression.subs(T, sympy.Rational(target.numerator, target.denominator))
    if at_target.has(sympy.nan, sympy.zoo, sympy.oo, -sympy.oo, sympy.I):
        raise InputError(f"the loss {name!r} is not defined for the target {float(target):g}")
    return at_target


@functools.lru_cache(maxsize=256)
def _constants(loss: Loss, targets: tuple[Fraction, ...]) -> LossConstants:
    if targets:
        cases = [(_with_target(loss.expression, t, loss.name), _with_target(loss.curvature, t, loss.name), Y) for t in targets]
    else:
        cases = [(_shifted(_not_polynomial(loss.expression)), _shifted(loss.curvature), S)]
    infima, suprema = [], []
    for expression, curvature, symbol in cases:
        infimum, supremum = _curvature_range(loss, expression, curvature, symbol)
        infima.append(infimum)
        suprema.append(supremum)
    mu = Enclosure(min(e.lower for e in infima), min(e.upper for e in infima))
    if mu.lower <= 0:
        raise InputError(_not_convex(loss, mu))
    return LossConstants(mu, Enclosure(max(e.lower for e in suprema), max(e.upper for e in suprema)))


def _curvature_range(
    loss: Loss, expression: sympy.Expr, curvature: sympy.Expr, symbol: sympy.Symbol
) -> tuple[Enclosure, Enclosure]:
    try:
        require_smooth(expression, symbol)
        return range_over_line(curvature, symbol)
    except Unbounded as reason:
        raise Unbounded(f"loss {loss.name!r} has no smoothness constant L, because l'' is unbounded: {reason}") from None
    except NotEnclosed as reason:
        raise NotEnclosed(f"loss {loss.name!r} is not certified, because no bounds of l'' are proved: {reason}") from None


def _not_convex(loss: Loss, mu: Enclosure) -> str:
    size = f"inf l'' lies in {mu}"
    return (
        f"loss {loss.name!r} is not certified, because it is not shown to be Polyak-Lojasiewicz: a positive lower bound mu of its "
        f"curvature l'' in y is needed, and {size}; adding a ridge such as + y**2/20 raises l'' by 1/10"
    )
