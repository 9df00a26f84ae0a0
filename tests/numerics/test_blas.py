"""The product inside compiled loops against numpy's, on strided panels."""

import numpy as np
import pytest
import threadpoolctl

from numerics import blas


@pytest.mark.parametrize("beta", [0.0, 1.0, -0.5])
@pytest.mark.parametrize("rows", [1, 7, 40])
def test_products_of_strided_panels(rows, beta):
    columns, inner, alpha = 5, 11, 0.75
    rng = np.random.default_rng(rows)

    def panel(height, width):
        """A window of a larger matrix, so that rows are further apart than they are long."""
        return rng.standard_normal((height + 2, width + 3))[1 : height + 1, 2 : width + 2]

    # A sum of 11 products and one addition, in any order: 13 roundings of terms whose absolute values add up to the scale.
    def check(call, a, b, left, right):
        c = panel(rows, columns)
        expected = alpha * left @ right + beta * c
        scale = np.abs(alpha * left) @ np.abs(right) + np.abs(beta * c)
        call(
            blas.dgemm_address(), rows, columns, inner, alpha, a.ctypes.data, a.strides[0] // 8,
            b.ctypes.data, b.strides[0] // 8, beta, c.ctypes.data, c.strides[0] // 8,
        )  # fmt: skip
        assert (np.abs(c - expected) <= 13 * np.finfo(float).eps * scale).all()
        return c

    a, b = panel(rows, inner), panel(inner, columns)
    with blas.single_threaded_blas():
        check(blas.multiply, a, b, a, b)
        at = panel(inner, rows)
        check(blas.multiply_left_transposed, at, b, at.T, b)
        bt = panel(columns, inner)
        check(blas.multiply_right_transposed, a, bt, a, bt.T)


def test_blas_has_one_thread_inside_and_what_it_had_before_outside():
    def threads():
        return [pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]

    blas.dgemm_address()
    before = threads()
    with blas.single_threaded_blas():
        assert set(threads()) == {1}
    assert threads() == before
