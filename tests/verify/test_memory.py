"""Memory: what the operating system says is left, what a run needs, and the refusal that names both."""

from __future__ import annotations

from pathlib import Path

import pytest

from numerics.network import Architecture
from verify import memory
from verify.errors import ProblemError

GIB = 2**30


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="ascii")
    return root


MEMINFO = {"proc/meminfo": f"MemTotal: {8 * 2**20} kB\nMemAvailable:   {6 * 2**20} kB\n"}


def test_without_limits_it_is_what_the_kernel_calls_available(tmp_path: Path) -> None:
    assert memory.available_memory(tree(tmp_path, MEMINFO)) == 6 * GIB


def test_the_tightest_control_group_of_version_2_counts_and_its_cache_is_free(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        MEMINFO
        | {
            "proc/self/cgroup": "0::/outer/inner\n",
            "sys/fs/cgroup/outer/memory.max": f"{2 * GIB}\n",
            "sys/fs/cgroup/outer/memory.current": f"{GIB}\n",
            "sys/fs/cgroup/outer/memory.stat": f"anon 5\ninactive_file {GIB // 4}\n",
            "sys/fs/cgroup/outer/inner/memory.max": "max\n",
            "sys/fs/cgroup/outer/inner/memory.current": "7\n",
        },
    )
    assert memory.available_memory(root) == 2 * GIB - GIB + GIB // 4


def test_control_groups_of_version_1_and_folders_that_a_container_does_not_show(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        MEMINFO
        | {
            "proc/self/cgroup": "5:cpu,cpuacct:/x\n4:memory:/docker/0123\n0::/\nnonsense\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{3 * GIB}\n",
            "sys/fs/cgroup/memory/memory.usage_in_bytes": f"{4 * GIB}\n",
        },
    )
    assert memory.available_memory(root) == 0


def test_without_any_of_these_files_the_physical_memory_counts(tmp_path: Path) -> None:
    assert memory.available_memory(tmp_path) >= 2**27


def test_this_machine_has_some_memory_and_not_all_that_could_be_named() -> None:
    available = memory.available_memory()
    assert 0 < available <= memory.UNKNOWN
    memory.require_memory(1, "nearly nothing")


def test_too_much_is_refused_with_both_amounts() -> None:
    with pytest.raises(ProblemError) as caught:
        memory.require_memory(2**55, "the kernel of 1000 points")
    message = str(caught.value)
    assert message.startswith("the kernel of 1000 points would need about 32 PiB of memory, but only ")
    assert message.endswith(" is available")
    with pytest.raises(ProblemError, match=r"more than 10,000 EiB"):
        memory.require_memory(10**400, "something absurd")


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1024, "1 KiB"),
        (1536 * 2**20, "1.5 GiB"),
        (1020 * 2**30, "1,020 GiB"),
        (2**40, "1 TiB"),
        (5000 * 2**60, "5,000 EiB"),
    ],
)
def test_sizes_are_readable(size: int, text: str) -> None:
    assert memory.readable(size) == text


def test_required_memory_is_a_small_multiple_of_the_weights_for_a_wide_shallow_network() -> None:
    wide = Architecture((64, 10**6, 1), 1.0, 0.0, 1.0, (True, True))
    weights = 8 * wide.parameters
    assert 3 * weights <= memory.required_memory(wide, points=2000) <= 6 * weights


def test_required_memory_counts_weights_signals_kernels_and_the_record() -> None:
    deep = Architecture((10, 200, 300, 3), 1.0, 0.1, 1.0, (True, True, True))
    base = memory.required_memory(deep, points=50)
    assert base >= 8 * (3 * deep.parameters + 50 * (200 + 300) + (50 * 3) ** 2)
    assert memory.required_memory(deep, points=50, steps=10**6) >= base + 8 * 4 * 10**6
    assert memory.required_memory(deep, points=51) > base
    huge = Architecture((10, 2**62, 2**62, 3), 1.0, 0.1, 1.0, (True, True, True))
    assert memory.required_memory(huge, points=50) > 2**124
