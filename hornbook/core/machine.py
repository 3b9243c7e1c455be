"""What this machine is and how fast it multiplies: measured, not believed.

A `Machine` is a value that others are given; nothing here is global but the allocator's setting.
Imports torch only when it measures.
"""

import contextlib
import ctypes
import importlib.metadata
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from hornbook.core.config import Config
from hornbook.core.errors import HornbookError, unknown
from hornbook.core.isolation import program
from hornbook.core.threads import own, threads, use

DType = Literal["float32", "bfloat16"]


class Machine(Config):
    """device: torch's name ("cpu", "cuda"). rates: measured matrix products, FLOP/s by type.

    threads: of torch on the CPU. compiler: whether torch.compile can build kernels here.
    """

    device: str
    name: str
    threads: int = Field(ge=1)
    rates: dict[DType, float]
    compiler: bool

    @property
    def dtype(self) -> DType:
        """The type in which matrix products are clearly faster; float32 unless it is 1.2 times."""
        faster = self.rates["bfloat16"] > 1.2 * self.rates["float32"]
        return "bfloat16" if faster else "float32"


def measure_machine(device: str | None = None) -> Machine:
    """Look at this machine and time matrix products on it (about a second).

    device: "cpu", "cuda" or None for the best there is. Raises as `pick_device` does.
    """
    import torch

    device = pick_device(device)
    keep_freed_memory()
    use(min(own(), threads()))
    rates: dict[DType, float] = {
        "float32": _matmul_rate(device, "float32"),
        "bfloat16": _matmul_rate(device, "bfloat16"),
    }
    return Machine(
        device=device,
        name=torch.cuda.get_device_name() if device == "cuda" else cpu_name(),
        threads=torch.get_num_threads(),
        rates=rates,
        compiler=device == "cuda" or program(os.environ.get("CXX", "g++")) is not None,
    )


def pick_device(device: str | None) -> str:
    """ "cpu" or "cuda": the one asked for, or the best there is.

    Raises UsageError for another name and HornbookError for one that is not here.
    """
    import torch

    if device is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device not in ("cpu", "cuda"):
        raise unknown("device", device, ("cpu", "cuda"))
    if device == "cuda" and not torch.cuda.is_available():
        raise HornbookError("This machine has no GPU that torch can use; leave --device out.")
    return device


def _matmul_rate(device: str, dtype: DType) -> float:
    """FLOP/s of a square product of the best of a few tries, large enough to fill the machine."""
    import torch

    size = 8192 if device == "cuda" else 1024
    matrix = torch.randn(size, size, device=device, dtype=getattr(torch, dtype))

    def product() -> None:
        matrix @ matrix
        if device == "cuda":
            torch.cuda.synchronize()

    return 2 * size**3 / fastest(product, tries=5)


def memory_rate(device: str) -> float:
    """Bytes a second that can be read from memory, by the sum of 256 MiB (on a GPU of 1 GiB)."""
    import torch

    size = 2**28 if device == "cuda" else 2**26
    numbers = torch.ones(size, device=device)

    def read() -> None:
        numbers.sum().item()

    return 4 * size / fastest(read, tries=5)


def fastest(work: Callable[[], object], tries: int) -> float:
    """Seconds of the fastest of `tries` calls, after one that is not counted."""
    work()
    seconds = []
    for _ in range(tries):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def sustained(work: Callable[[], object], seconds: float = 1.0, tries: int = 3) -> float:
    """Seconds of a call, the mean over so long, after one that is not counted.

    Beside other programs the fastest call is one that was left alone, and no measure of the rest.
    """
    work()
    began, count = time.monotonic(), 0
    while count < tries or time.monotonic() - began < seconds:
        work()
        count += 1
    return (time.monotonic() - began) / count


def keep_freed_memory() -> None:
    """Let glibc reuse large blocks instead of returning each to the system.

    Training frees and allocates tensors of megabytes at every step; taking them from the system
    anew costs a page fault for every 4 KiB, a third of the loss's time (docs/log.md).
    """
    if _has_glibc():
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt.argtypes = (ctypes.c_int, ctypes.c_int)
        m_trim_threshold, m_mmap_max = -1, -4  # <malloc.h>
        libc.mallopt(m_mmap_max, 0)
        libc.mallopt(m_trim_threshold, 2**31 - 1)


def return_freed_memory() -> None:
    """Give the system back what glibc keeps of freed memory: after a model was read, say."""
    if _has_glibc():
        libc = ctypes.CDLL("libc.so.6")
        libc.malloc_trim.argtypes = (ctypes.c_size_t,)
        libc.malloc_trim(0)


def _has_glibc() -> bool:
    return sys.platform == "linux" and platform.libc_ver()[0] == "glibc"


def cpu_name() -> str:
    """The processor's name as it says itself."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:  # noqa: PTH123
            names = (
                line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")
            )
            return next(names)
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def cpu_flags() -> frozenset[str]:
    """What the processor can, in Linux's words; none where that is not told.

    Of ARM those of its vectors only, with all of the system's bits beside them.
    """
    if platform.machine() not in ("aarch64", "arm64"):
        return _told_flags()
    if sys.platform == "darwin":
        return frozenset({"asimd", *(name for name, of in _MAC_NAMES.items() if _sysctl(of))})
    libc = ctypes.CDLL(None)
    libc.getauxval.argtypes, libc.getauxval.restype = (ctypes.c_ulong,), ctypes.c_ulong
    told = {kind: int(libc.getauxval(kind)) for kind in (_HWCAP, _HWCAP2)}
    names = {name for name, (kind, bit) in _ARM_BITS.items() if told[kind] >> bit & 1}
    return frozenset(names | {f"{kind}:{bits:x}" for kind, bits in told.items()})


_HWCAP, _HWCAP2 = 16, 26  # <sys/auxv.h>
_ARM_BITS = {"asimd": (_HWCAP, 1), "asimddp": (_HWCAP, 20), "i8mm": (_HWCAP2, 13)}  # <asm/hwcap.h>
_MAC_NAMES = {"asimddp": b"hw.optional.arm.FEAT_DotProd", "i8mm": b"hw.optional.arm.FEAT_I8MM"}


def _told_flags() -> frozenset[str]:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:  # noqa: PTH123
            flags = next((line for line in lines if line.startswith("flags")), "")
    except OSError:
        return frozenset()
    return frozenset(flags.partition(":")[2].split())


def _sysctl(name: bytes) -> int:
    """A number that macOS tells; 0 for what it does not know."""
    found, size = ctypes.c_int(0), ctypes.c_size_t(ctypes.sizeof(ctypes.c_int))
    by_name = ctypes.CDLL(None).sysctlbyname
    by_name(name, ctypes.byref(found), ctypes.byref(size), None, ctypes.c_size_t(0))
    return found.value


def has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 itself: matrices, or vectors of AVX-512."""
    return not cpu_flags().isdisjoint({"amx_bf16", "avx512_bf16"})


def may_have_gpu() -> bool:
    """Whether torch has to be asked for a GPU; False where no driver of one is there."""
    drivers = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
    return sys.platform != "linux" or any(Path(driver).exists() for driver in drivers)


def memory_bytes() -> int:
    """What this process may use of the machine's memory: all of it, or its control group's part."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")] if _has_sysconf() else []
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):
            limits.append(int(Path(path).read_text(encoding="ascii")))
    return min(limits, default=2**40)  # a terabyte where the system does not say


def _has_sysconf() -> bool:
    return hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names


def peak_memory_bytes(device: str = "cpu") -> int:
    """The most memory this process has held so far: resident on the CPU, allocated on a GPU."""
    if device == "cuda":
        import torch

        return torch.cuda.max_memory_allocated()
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def versions() -> dict[str, str]:
    """Versions of what decides results, for run folders and benchmarks."""
    names = ("hornbook", "torch", "tokenizers", "safetensors", "gguf", "numpy", "pyarrow")
    found: dict[str, str] = {"python": platform.python_version()}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def describe(machine: Machine) -> dict[str, Any]:
    """The machine as plain data for people: rates in GFLOP/s."""
    rates: dict[str, str] = {
        str(dtype): f"{rate / 1e9:,.0f} GFLOP/s" for dtype, rate in machine.rates.items()
    }
    return {"name": machine.name, "device": machine.device, "threads": machine.threads} | rates
