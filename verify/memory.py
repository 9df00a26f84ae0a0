"""How much memory there is, how much a run needs, and the refusal to start one that would not fit."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from numerics.network import Architecture
from verify.errors import ProblemError

_DOUBLE = 8
# While the nearest optimum is sought: theta_0, the certified weights, the last of the run and its limit; the iterate, the best so
# far, two differences, a product with DF^* and what makes it. Fewer are held while the certification step is sought (theta_0,
# theta, the checkpoint, two weights that enclose it and those tried), and when certificate.npz is made.
_WEIGHT_COPIES = 11
_INPUT_COPIES = 4  # the inputs, and while they are standardized or norms of their differences taken up to three more
_KEPT_KERNELS = 3  # K_0, that of the present mark and their difference, beside what a snapshot or a drift works with
_STEP_COLUMNS = 96  # numbers held for every step at most, beside those of the layers: the record, and the intervals of a claim
_OVERHEAD = 2**25  # bytes: kernels compiled, code and small objects made on the way, and what the allocator keeps
_UNTHINKABLE = 2**44  # where the arrays counted first take this many bytes, the others are not asked for: sizes would overflow

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


_ASK: ContextVar[Callable[[int], None] | None] = ContextVar("who shares this machine's memory out", default=None)


@contextmanager
def shared_memory(ask: Callable[[int], None]) -> Iterator[None]:
    """Within, ``require_memory`` calls ``ask(bytes)`` first, which returns when these bytes may be taken.

    Several runs at once each find all memory available before any of them has taken it; who runs them shares it out.
    """
    token = _ASK.set(ask)
    try:
        yield
    finally:
        _ASK.reset(token)


def resident_memory(process: int, root: Path = Path("/")) -> int:
    """Return the number of bytes of a process that are in memory, 0 where the operating system does not tell."""
    pages = " ".join(_lines(root / f"proc/{process}/statm")).split()[1:2]
    return sum(size for text in pages for size in _integer(text, os.sysconf("SC_PAGE_SIZE")))


def require_memory(needed: int, what: str) -> None:
    """Raise ProblemError, naming both amounts, when ``needed`` bytes for ``what`` are more than there are.

    Where memory is shared out (``shared_memory``), waits for its share first.
    """
    ask = _ASK.get()
    if ask is not None:
        ask(needed)
    available = available_memory()
    if needed > available:
        raise ProblemError(f"{what} would need about {readable(needed)} of memory, but only {readable(available)} is available")


def required_memory(architecture: Architecture, points: int, steps: int = 0, rigorous: bool = False) -> int:
    """Return about how many bytes training and certifying need at their peak: an upper estimate of the arrays held at one time.

    With P parameters, n points, d inputs, k outputs, L layers and float64 throughout: 11 P (weights) + 4 n (d + k) (data)
    + 3 (nk)^2 (kernels kept) + (96 + 4 L) steps (the record of the run and its checks) + 32 MiB + the largest of what a snapshot, a
    drift and the training steps work with, as ``numerics`` says. Python integers, so that no size overflows.
    """
    outputs = architecture.outputs
    numbers = _WEIGHT_COPIES * architecture.parameters
    numbers += _INPUT_COPIES * points * (architecture.sizes[0] + outputs)
    numbers += _KEPT_KERNELS * (points * outputs) ** 2
    numbers += (_STEP_COLUMNS + 4 * architecture.layers) * steps
    held = _DOUBLE * numbers + _OVERHEAD
    return held if held > _UNTHINKABLE else held + _work(architecture, points, rigorous)


def _work(architecture: Architecture, points: int, rigorous: bool) -> int:
    """The most bytes that one measurement or training step works with; all of them are given back before the next."""
    # Imported here: who only asks how much memory there is should not wait for the compiler.
    from numerics.enclosed import enclosed_bytes
    from numerics.snapshots import drift_bytes, snapshot_bytes
    from numerics.training import workspace_bytes

    frozen = [
        (below + 1) * size
        for size, below, trained in zip(architecture.sizes[1:], architecture.sizes, architecture.trained, strict=False)
        if not trained
    ]
    return max(
        snapshot_bytes(architecture, points),
        drift_bytes(architecture, points),
        workspace_bytes(architecture, points),
        enclosed_bytes(architecture, points) if rigorous else 0,
        2 * _DOUBLE * max(frozen, default=0),  # how far a layer that is not trained is from the reference
    )


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
