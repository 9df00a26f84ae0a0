"""Memory: what the operating system says is left, what a run needs, and the refusal that names both."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from numerics.network import Architecture
from numerics.snapshots import drift_bytes
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


def test_this_machine_has_some_memory_and_its_amount_is_known() -> None:
    assert 0 < memory.available_memory() < memory.UNKNOWN
    memory.require_memory(1, "nearly nothing")


def test_too_much_is_refused_with_both_amounts() -> None:
    with pytest.raises(ProblemError) as caught:
        memory.require_memory(2**55, "the kernel of 1000 points")
    message = str(caught.value)
    assert message.startswith("the kernel of 1000 points would need about 32 PiB of memory, but only ")
    assert message.endswith(" is available")
    with pytest.raises(ProblemError, match=r"more than 10,000 EiB"):
        memory.require_memory(10**400, "something absurd")


def test_where_memory_is_shared_out_it_is_asked_for_first() -> None:
    asked: list[int] = []
    with memory.shared_memory(asked.append):
        memory.require_memory(7, "something small")
        with pytest.raises(ProblemError, match="something large would need about 32 PiB"):
            memory.require_memory(2**55, "something large")
    memory.require_memory(8, "something small")
    assert asked == [7, 2**55]


def test_what_a_process_holds(tmp_path: Path) -> None:
    assert memory.resident_memory(os.getpid()) > 2**20
    page = os.sysconf("SC_PAGE_SIZE")
    assert memory.resident_memory(5, tree(tmp_path, {"proc/5/statm": "900 30 20 1 0 80 0\n"})) == 30 * page
    assert memory.resident_memory(6, tmp_path) == 0


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


# What a process of its own uses at its peak, beyond what the same kernels take on a tiny problem. VmHWM is the peak of this program
# alone; ru_maxrss, taken where there is no /proc, may be inherited from the parent.
MEASURE = """
import sys
from pathlib import Path
from verify.memory import required_memory
from verify.problem import problem_from_mapping
from verify.verification import verify

def peak():
    status = Path("/proc/self/status")
    if status.exists():
        return 1024 * int(status.read_text().partition("VmHWM:")[2].split()[0])
    import resource
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

def run(points, dimension, width, steps):
    # A linear network is certified at the start, so that drifts are measured at every mark, and this step never ends the run early.
    network = {"hidden": [width], "activation": "identity", "trained": [1]}
    data = {"source": "gaussian", "points": points, "dimension": dimension}
    return verify(problem_from_mapping({"data": data, "network": network, "training": {"steps": steps, "step_size": 1e-4}}))

run(4, 8, 8, 2)
before = peak()
sizes = [int(text) for text in sys.argv[1:]]
found = run(*sizes)
print(peak() - before, required_memory(found.setup.architecture, sizes[0], sizes[3]), len(found.run.drifts))
"""


@pytest.mark.parametrize(
    "sizes",
    [
        pytest.param((800, 900, 300, 2), id="kernels", marks=pytest.mark.validate),
        pytest.param((16, 400, 8000, 8), id="weights", marks=pytest.mark.validate),
        pytest.param((4, 8, 8, 200_000), id="record"),
    ],
)
def test_required_memory_is_an_upper_bound_of_what_a_run_takes_and_not_far_above(sizes: tuple[int, ...]) -> None:
    command = [sys.executable, "-c", MEASURE, *map(str, sizes)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    measured, required, drifts = map(int, done.stdout.split())
    assert drifts > 0
    assert measured <= required <= 4 * measured


def test_what_drift_needs_at_many_points_is_counted() -> None:
    """Without its work space, 3000 points and 1000 neurons would seem to need 0.4 GiB."""
    architecture = Architecture((64, 1000, 1), 1.0, 0.0, 1.0, (True, True))
    assert drift_bytes(architecture, 3000) < memory.required_memory(architecture, points=3000) < 2 * drift_bytes(architecture, 3000)


def test_sizes_that_no_integer_type_holds_are_counted_too() -> None:
    huge = Architecture((10, 2**62, 2**62, 3), 1.0, 0.1, 1.0, (True, True, True))
    assert memory.required_memory(huge, points=50) > 2**124
