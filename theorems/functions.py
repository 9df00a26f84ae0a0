"""Arithmetics whose "numbers" are functions of one real variable: what Taylor jets and tails have in common.

A program run over such an arithmetic describes a whole function at once: its values and derivatives on an interval
(``theorems.jets``) or its behavior on a half-line (``theorems.tails``). Both are undefined where an operation is, and say so
by raising; the search over the line decides whether to look closer or to give up with that reason.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from fractions import Fraction
from typing import Any, NoReturn

from theorems.ball_arithmetic import working_precision
from theorems.errors import InputError


class NotEnclosed(InputError):
    """A range over the line could not be proved; the message says where and why. The function may still be bounded."""


class Unbounded(InputError):
    """The function is unbounded on the line, proved; the message says how it grows."""


class Undefined(ArithmeticError):
    """An operation whose argument cannot be separated from zero, where the operation is not smooth.

    ``distance``, how far the middle of the argument is from zero: the search looks closer where it is smallest.
    """

    def __init__(self, message: str, argument: Any) -> None:
        super().__init__(message)
        self.distance = abs(float(argument.mid())) if argument.is_finite() else 0.0


class FunctionArithmetic(ABC):
    """The operations of a program that are the same for every description of a function of one variable."""

    def context(self) -> AbstractContextManager[Any]:
        return working_precision()

    def numbers(self, values: Any) -> Any:
        return values

    @abstractmethod
    def constant(self, value: Fraction) -> Any: ...

    @abstractmethod
    def add(self, x: Any, y: Any) -> Any: ...

    @abstractmethod
    def multiply(self, x: Any, y: Any) -> Any: ...

    @abstractmethod
    def power(self, x: Any, exponent: int) -> Any: ...

    def subtract(self, x: Any, y: Any) -> Any:
        return self.add(x, self.multiply(self.constant(Fraction(-1)), y))

    def divide(self, x: Any, y: Any) -> Any:
        return self.multiply(x, self.power(y, -1))

    def absolute(self, x: Any) -> NoReturn:
        raise NotEnclosed("abs is not differentiable where its argument is zero, so nothing containing it is certified")

    def maximum(self, x: Any, y: Any) -> NoReturn:
        raise NotEnclosed("a maximum is not differentiable where its arguments cross, so nothing containing it is certified")

    def minimum(self, x: Any, y: Any) -> NoReturn:
        raise NotEnclosed("a minimum is not differentiable where its arguments cross, so nothing containing it is certified")

    def maximum_over(self, array: Any, axis: int | None = None) -> NoReturn:
        raise InputError(f"maximum_over is not defined for functions, got {array!r}, axis={axis}")

    def largest_eigenvalue(self, matrix: Any) -> NoReturn:
        raise InputError(f"largest_eigenvalue is not defined for functions, got {matrix!r}")
