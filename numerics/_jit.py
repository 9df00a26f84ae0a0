"""The one place that fixes how kernels are compiled.

No fastmath: contraction would make the bits depend on how a helper was inlined, and with it on whether the disk cache was
warm. ``error_model="numpy"`` because the division checks of the default model block vectorization. numba's disk cache does
not notice changes in symbols of *other* files, so kernels take constants as arguments instead of reading module globals
of another file.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numba

jit: Callable[..., Any] = functools.partial(numba.njit, cache=True, error_model="numpy")
pjit: Callable[..., Any] = functools.partial(numba.njit, cache=True, error_model="numpy", parallel=True)
inline_jit: Callable[..., Any] = functools.partial(numba.njit, cache=True, error_model="numpy", inline="always")
