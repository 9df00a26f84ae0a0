"""How much memory there is, how much a run needs, and the refusal to start one that would not fit."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from numerics.network import Architecture
from verify.errors import ProblemError

_DOUBLE = 8
_WEIGHT_COPIES = 4  # theta, theta_0, the checkpoint the certificate is made from, and the gradient or its work space
_SIGNAL_COPIES = 4  # h_l, phi'(z_l), delta_l and one work array, of shape (n, m_l)
_KERNEL_COPIES = 4  # K_0, K_k, their difference and the work space of the eigenvalue routine, of shape (nk, nk)
_RECORDED_COLUMNS = 12  # numbers kept for every step: residual, loss, gradient norm, path, displacements, error bounds
_PANEL = 4096  # a single hidden layer is processed in panels of this many neurons; its signals are never all held

UNKNOWN = sys.maxsize
"""What :func:`available_memory` returns where the operating system does not tell: the check is then not made."""


def available_memory(root: Path = Path("/")) -> int:
    """Return the number of bytes this process can still use without swapping.

    The smallest of: what the kernel says is available (``/proc/meminfo``, MemAvailable), what is left below the limit of
    every control group around this process (versions 1 and 2; file cache counts as free), and what is left below the
    limit on its address space (``ulimit -v``). Elsewhere than on Linux: the physical memory. ``root`` is where the file
    system begins, for tests.
    """
    found = [*_kernel(root), *_control_groups(root), *_address_space(root)]
    if not found:
        found = list(_physical())
    return max(0, min(found, default=UNKNOWN))


def require_memory(needed: int, what: str) -> None:
    """Raise ProblemError, naming both amounts, when ``needed`` bytes for ``what`` are more than there are."""
    available = available_memory()
    if needed > available:
        raise ProblemError(f"{what} would need about {readable(needed)} of memory, but only {readable(available)} is available")


def required_memory(architecture: Architecture, points: int, steps: int = 0) -> int:
    """Return about how many bytes training and certifying need: a count of the arrays that must exist at one time.

    With P parameters, n points, k outputs, hidden widths m_l and float64 throughout:
    4 P (weights at the start, now, at the certification step, and a gradient) + 2 n (d + k) (data)
    + 4 n sum_l m_l (signals; with one hidden layer a panel of at most 4096 neurons, since its signals are recomputed panel
    by panel) + n k max_l m_l (backward signals of every output, for the kernel) + 4 (nk)^2 (kernels)
    + 12 steps (the record of the run). Python integers, so no size overflows.
    """
    hidden = architecture.sizes[1:-1]
    if len(hidden) == 1:
        hidden = (min(hidden[0], _PANEL),)
    outputs = architecture.outputs
    numbers = _WEIGHT_COPIES * architecture.parameters
    numbers += 2 * points * (architecture.sizes[0] + outputs)
    numbers += points * (_SIGNAL_COPIES * sum(hidden) + outputs * max(hidden, default=0))
    numbers += _KERNEL_COPIES * (points * outputs) ** 2
    numbers += _RECORDED_COLUMNS * steps
    return _DOUBLE * numbers


def readable(size: int) -> str:
    """Return a number of bytes in the unit people would use, such as ``1.5 GiB``."""
    unit = "bytes"
    scale = 1
    for name in ("KiB", "MiB", "GiB", "TiB", "PiB", "EiB"):
        if size < 1024 * scale:
            break
        scale, unit = 1024 * scale, name
    if scale == 1:
        return f"{size} bytes"
    if size >= 10000 * scale:  # beyond exbibytes only the order of magnitude is of interest
        return f"more than {10000:,} {unit}"
    return f"{size / scale:.3g} {unit}" if size < 1000 * scale else f"{size // scale:,} {unit}"


def _kernel(root: Path) -> Iterator[int]:
    """MemAvailable, which is given in kibibytes."""
    for line in _lines(root / "proc/meminfo"):
        name, _, rest = line.partition(":")
        if name == "MemAvailable" and rest.split()[:1]:
            yield from _integer(rest.split()[0], 1024)


def _control_groups(root: Path) -> Iterator[int]:
    """What is left below each memory limit on the way from this process's control group to the root."""
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        if controllers == "":
            base, limit, usage = root / "sys/fs/cgroup", "memory.max", "memory.current"
        elif "memory" in controllers.split(","):
            base, limit, usage = root / "sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes"
        else:
            continue
        # Inside a container the named folder may not be visible; then the mount itself is this group.
        parts = [part for part in path.split("/") if part not in ("", "..")]
        for depth in range(len(parts), -1, -1):
            yield from _below_limit(base.joinpath(*parts[:depth]), limit, usage)


def _below_limit(group: Path, limit: str, usage: str) -> Iterator[int]:
    """The limit of one control group less its usage, file cache that can be dropped not counted as used."""
    most, used = (list(_integer(" ".join(_lines(group / name)))) for name in (limit, usage))
    if most and used:  # no limit reads "max" in version 2 and an integer near 2^63 in version 1
        cache = [
            size
            for line in _lines(group / "memory.stat")
            if line.split()[:1] in (["inactive_file"], ["total_inactive_file"])
            for size in _integer(line.split()[-1])
        ]
        yield most[0] - max(0, used[0] - max(cache, default=0))


def _address_space(root: Path) -> Iterator[int]:
    """What is left below ``ulimit -v``."""
    try:
        import resource  # only on Unix
    except ImportError:
        return
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    pages = " ".join(_lines(root / "proc/self/statm")).split()[:1]
    if limit != resource.RLIM_INFINITY and pages:
        for used in _integer(pages[0], os.sysconf("SC_PAGE_SIZE")):
            yield limit - used


def _physical() -> Iterator[int]:
    """The physical memory, where the C library knows it."""
    try:
        yield os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return


def _lines(path: Path) -> list[str]:
    """The lines of a small file of the kernel's, none when it is not there."""
    try:
        return path.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return []


def _integer(text: str, unit: int = 1) -> Iterator[int]:
    """The integer in a text times its unit, or nothing when it is none."""
    if text.strip().isdecimal():
        yield int(text) * unit
