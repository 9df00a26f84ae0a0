"""Matrix products inside compiled parallel loops: scipy's dgemm, called by its address.

Multithreaded BLAS next to numba's threads is slow (two pools of spinning workers), so the parallel loop is outside and every
product inside it runs on one thread: ``single_threaded_blas`` sees to that. The address comes from the capsule that
``scipy.linalg.cython_blas`` publishes; it is an argument of the kernels, because it differs from process to process and the
kernels are cached on disk.
"""

from __future__ import annotations

import functools
from typing import Any

import numba.extending
import threadpoolctl
from llvmlite import ir
from numba import types
from numba.core import cgutils

from numerics._jit import jit
from numerics.errors import NumericsError

intrinsic: Any = numba.extending.intrinsic

NO_TRANSPOSE, TRANSPOSE = ord("N"), ord("T")


@functools.cache
def dgemm_address() -> int:
    """Where scipy's dgemm is in this process; NumericsError if scipy does not publish it in the expected form."""
    try:
        import scipy.linalg.cython_blas as cython_blas

        signature = str(cython_blas.__pyx_capi__["dgemm"])
        address = int(numba.extending.get_cython_function_address("scipy.linalg.cython_blas", "dgemm"))
    except (ImportError, AttributeError, KeyError, ValueError) as error:
        raise NumericsError(f"scipy.linalg.cython_blas.dgemm is needed and was not found: {error}") from error
    if signature.count("int *") != 6:
        raise NumericsError(f"scipy.linalg.cython_blas.dgemm must take 32-bit integers, its signature is {signature}")
    return address


@functools.cache
def _controller() -> threadpoolctl.ThreadpoolController:
    dgemm_address()  # the library must be loaded before the controller looks for it
    return threadpoolctl.ThreadpoolController()


def single_threaded_blas() -> Any:
    """A context manager inside which BLAS uses the calling thread alone."""
    return _controller().limit(limits=1, user_api="blas")


@intrinsic
def _dgemm(
    typing: Any, address: Any, transpose_a: Any, transpose_b: Any, m: Any, n: Any, k: Any, alpha: Any,
    a: Any, lda: Any, b: Any, ldb: Any, beta: Any, c: Any, ldc: Any,
) -> Any:  # fmt: skip
    """Fortran's DGEMM: column-major C = alpha op(A) op(B) + beta C; matrices and the routine are given by their addresses."""
    kinds = [types.intp] * 6 + [types.float64] + [types.intp] * 4 + [types.float64] + [types.intp] * 2
    byte, integer, real = ir.IntType(8), ir.IntType(32), ir.DoubleType()
    # How each argument is passed: as a pointer to a character, an integer or a real, or as the matrix itself.
    passed = [byte, byte, integer, integer, integer, real, None, integer, None, integer, real, None, integer]

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointers = []
        for value, kind in zip(arguments[1:], passed, strict=True):
            if kind is None:
                pointers.append(builder.inttoptr(value, real.as_pointer()))
                continue
            slot = cgutils.alloca_once(builder, kind)
            builder.store(value if kind is real else builder.trunc(value, kind), slot)
            pointers.append(slot)
        routine = ir.FunctionType(ir.VoidType(), [pointer.type for pointer in pointers])
        builder.call(builder.inttoptr(arguments[0], routine.as_pointer()), pointers)
        return context.get_dummy_value()

    return types.none(*kinds), code


@jit
def multiply(address, rows, columns, inner, alpha, a, lda, b, ldb, beta, c, ldc):  # type: ignore[no-untyped-def]
    """Row-major C = alpha A B + beta C with A (rows, inner), B (inner, columns), C (rows, columns).

    a, b, c are addresses (``array.ctypes.data + 8 * offset``), lda, ldb, ldc the distances between rows, in elements.
    """
    _dgemm(address, NO_TRANSPOSE, NO_TRANSPOSE, columns, rows, inner, alpha, b, ldb, a, lda, beta, c, ldc)


@jit
def multiply_left_transposed(address, rows, columns, inner, alpha, a, lda, b, ldb, beta, c, ldc):  # type: ignore[no-untyped-def]
    """Row-major C = alpha A^T B + beta C with A (inner, rows), B (inner, columns), C (rows, columns)."""
    _dgemm(address, NO_TRANSPOSE, TRANSPOSE, columns, rows, inner, alpha, b, ldb, a, lda, beta, c, ldc)


@jit
def multiply_right_transposed(address, rows, columns, inner, alpha, a, lda, b, ldb, beta, c, ldc):  # type: ignore[no-untyped-def]
    """Row-major C = alpha A B^T + beta C with A (rows, inner), B (columns, inner), C (rows, columns)."""
    _dgemm(address, TRANSPOSE, NO_TRANSPOSE, columns, rows, inner, alpha, b, ldb, a, lda, beta, c, ldc)
