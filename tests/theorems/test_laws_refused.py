"""What the laws refuse: each with one sentence that names the argument, what was wanted and the value."""

from __future__ import annotations

import math

import numpy as np
import pytest
import sympy

from theorems.errors import InputError
from theorems.laws import affine, cube, empirical, gaussian, law_maker, mixture, sphere, student, student_coordinates

D = sympy.Symbol("d", integer=True, positive=True)
NU = sympy.Symbol("nu", positive=True)
A = sympy.Symbol("a", positive=True)

BAD = [
    (lambda: gaussian(0), "dimension must be an integer of at least 1"),
    (lambda: gaussian(2.0), "dimension must be an integer"),
    (lambda: gaussian(True), "dimension must be an integer"),
    (lambda: gaussian(sympy.Symbol("d")), "declared integer and positive"),
    (lambda: gaussian(2, -1), "covariance must be a positive number"),
    (lambda: gaussian(2, float("nan")), "covariance: a number must be finite"),
    (lambda: gaussian(2, sympy.Symbol("v")), "covariance must be a positive number"),
    (lambda: gaussian(2, sympy.Float("0.1") * A), "holds no floating-point number, got"),
    (lambda: gaussian(2, [[1, 2], [2, 1]]), "positive semidefinite"),
    (lambda: gaussian(2, [[1, 2], [0, 1]]), "symmetric"),
    (lambda: gaussian(2, [[1, 0, 0], [0, 1, 0], [0, 0, 1]]), "covariance must be 2 x 2"),
    (lambda: gaussian(2, [[1, 0], [0]]), "rows of one length"),
    (lambda: gaussian(2, [[1, "0"], [0, 1]]), r"covariance\[0\]\[1\]: a number must be"),
    (lambda: gaussian(2, "identity"), "covariance must be a sequence of rows"),
    (lambda: gaussian(2, 1, [1]), "mean must have 2 entries"),
    (lambda: gaussian(2, 1, [1, math.inf]), r"mean\[1\]: a number must be finite"),
    (lambda: gaussian(2, 1, 5), "mean must be a sequence of numbers"),
    (lambda: gaussian(2, A, [1, 2]), "covariance must be a number where a mean is given"),
    (lambda: gaussian(D, [[1]]), "dimension must be a number"),
    (lambda: gaussian(300, np.eye(300)), "at most 256"),
    (lambda: sphere(2, 0), "radius must be a positive number"),
    (lambda: sphere(2, "1"), "radius: a number must be"),
    (lambda: cube(2, -3), "half_width must be a positive number"),
    (lambda: cube(2, sympy.oo), "half_width must be"),
    (lambda: student(2, 2), "degrees_of_freedom must be a number greater than 2"),
    (lambda: student(2, sympy.sqrt(7)), "degrees_of_freedom must be a number greater than 2"),
    (lambda: student(2, None), "degrees_of_freedom: a number must be"),
    (lambda: student_coordinates(2, -1), "degrees_of_freedom must be a positive number"),
    (lambda: mixture([1], []), "laws must be a sequence of at least one law"),
    (lambda: mixture([1], ["gaussian"]), "laws must be a sequence"),
    (lambda: mixture([1, 1], [gaussian(2)]), "weights must have one entry for each of the 1 laws, got 2"),
    (lambda: mixture([1, 0], [gaussian(2), gaussian(2)]), r"weights must be positive, got 0 at \[1\]"),
    (lambda: mixture([1, 1], [gaussian(2), gaussian(3)]), "laws must have one dimension, got 2 and 3"),
    (lambda: empirical([]), "points must be a sequence of rows of numbers, got none"),
    (lambda: empirical([[]]), r"points\[0\] must be a sequence of numbers, got none"),
    (lambda: empirical([1, 2]), r"points\[0\] must be a sequence of numbers, got 1"),
    (lambda: empirical(np.float64(3)), "points must be a sequence of rows"),
    (lambda: empirical(np.array(3.0)), "points must be a sequence of rows"),
    (lambda: empirical([[1, math.nan]]), r"points\[0\]\[1\]: a number must be finite"),
    (lambda: empirical([[1], [2]], [1]), "weights must have one entry for each of the 2 points, got 1"),
    (lambda: empirical([[1], [2]], [1, -1]), "weights must be at least 0"),
    (lambda: empirical([[1], [2]], [0, 0]), "weights must not all be 0"),
    (lambda: affine("gaussian", 2), "law must be a law, got 'gaussian'"),
    (lambda: affine(gaussian(2), 0), "matrix must be a positive number"),
    (lambda: affine(gaussian(2), [[1, 2, 3]]), "matrix must have 2 columns, the dimension of the law, got 3"),
    (lambda: affine(gaussian(2), [[1, 2]], [1, 2]), "shift must have 1 entries"),
    (lambda: affine(gaussian(D), [[1, 2]]), "a matrix needs a number for the dimension of the law 'gaussian', got d"),
    (lambda: affine(gaussian(D), 2, [1]), "a shift needs a number for the dimension"),
    (lambda: affine(gaussian(2), A, [1, 2]), "matrix must be a matrix or a number where a shift is given, got a"),
    (lambda: affine(affine(gaussian(2), A), [[1, 2]]), "needs a rational number for the scale"),
    (lambda: gaussian(2).even_moment(-1), "must be an integer from 0 to 64, got -1"),
    (lambda: gaussian(2).even_moment(1.0), "must be an integer from 0 to 64, got 1.0"),
    (lambda: gaussian(2).even_moment(True), "must be an integer from 0 to 64, got True"),
    (lambda: gaussian(2).even_moment(65), "must be an integer from 0 to 64, got 65"),
    (
        lambda: student_coordinates(D, NU).even_moment(17),
        r"with a symbol in the law of the coordinates is computed up to order 32 only",
    ),
    (lambda: law_maker("gausian"), "did you mean 'gaussian'"),
    (lambda: law_maker(None), "law must be one of"),
]


@pytest.mark.parametrize(("make", "message"), BAD, ids=[message for _, message in BAD])
def test_bad_input_is_one_sentence(make, message):
    with pytest.raises(InputError, match=message) as error:
        make()
    assert "\n" not in str(error.value)
