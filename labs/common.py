"""What every lab shares: arguments, the machine's facts, timing, memory, and a results file that survives a kill.

A lab is one script, `labs/<name>.py`, that measures one chapter's claims on one GPU:

    python labs/<name>.py                        full run; writes labs/results/<name>.local.json (yours, not in git)
    python labs/<name>.py --device cpu --small   the same code on toy sizes, anywhere, in seconds; writes no file
    python labs/<name>.py --out labs/results/<name>.json    publishes: the file that the chapter draws from

Every results file holds, besides the keys that its lab's docstring describes:

    lab        name of the script
    command    how it was run (without --out: it changes no figure)
    date       start of the run, UTC, ISO 8601
    seconds    how long it has run
    complete   false until the last measurement is in; a killed run keeps what it has
    without    only where publish.py wrote the file: keys that a killed run had not finished
    small      true for toy sizes: such figures say nothing about speed
    commit     git commit of the script, from git or from the variable LAB_COMMIT (a copy without .git)
    files      {path: SHA-256} of the script and of the modules beside it that it uses: the commit can be checked
    device     {type, name, driver, capability, multiprocessors, memory_mib, l2_mib, power_limit_w}; null where unknown
    versions   {python, torch, triton, cuda, cudnn}; null where absent

A *figure* is a repeated measurement: {median, low, high, repeats}, where low and high are the 10th and 90th percentile.
"""

import argparse
import hashlib
import itertools
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import torch

try:
    import triton
    import triton.language as tl
    from triton import TritonError

    jit = triton.jit
    REFUSALS = (RuntimeError, TritonError)
except ImportError:  # no GPU: the labs' kernels are read, not run
    triton = tl = None
    REFUSALS = (RuntimeError,)

    def jit(function):
        return function


MIB = 2**20


class Lab:
    """One run of one lab: its device, its size, and the results, written to disk after every change.

    Use it as a context manager: leaving the block without an exception marks the results complete.
    """

    def __init__(self, script: str, description: str, argv: list[str] | None = None):
        path = Path(script).resolve()
        self.name = path.stem
        parser = argparse.ArgumentParser(description=description)
        parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda" if torch.cuda.is_available() else "cpu")
        parser.add_argument("--small", action="store_true", help="toy sizes: checks the code, measures nothing")
        parser.add_argument("--out", type=Path, help=f"results file (full run: labs/results/{self.name}.local.json)")
        options = parser.parse_args(argv)
        if options.device == "cuda" and not torch.cuda.is_available():
            parser.error("no CUDA device here; try --device cpu --small")
        if options.device == "cpu" and not options.small:
            parser.error("a full run needs a GPU; on a CPU add --small")
        if options.device == "cpu":
            torch.set_num_threads(1)  # toys: threads would wait for each other on a busy machine
        self.device: str = options.device
        self.small: bool = options.small
        self.out: Path | None = options.out
        if self.out is None and not self.small:
            self.out = path.parent / "results" / f"{self.name}.local.json"
        self._start = time.monotonic()
        self.results = {
            "lab": self.name,
            "command": f"python labs/{path.name} --device {self.device}" + " --small" * self.small,
            "date": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            "seconds": 0.0,
            "complete": False,
            "small": self.small,
            "commit": commit(path.parent),
            "files": {f"labs/{p.name}": sha256(p) for p in sorted(modules_here() | {path})},
            "device": device_facts(self.device),
            "versions": versions(),
        }

    def __enter__(self) -> "Lab":
        return self

    def __exit__(self, kind, error, trace) -> None:
        self.results["complete"] = kind is None
        self.write()

    def put(self, key: str, value) -> None:
        """Set one result."""
        self.results[key] = value
        self.write()

    def add(self, key: str, row: dict) -> dict:
        """Append one row to a list of results, and say so on the terminal."""
        self.results.setdefault(key, []).append(row)
        self.write()
        print(f"{self.results['seconds']:6.1f}s {key}: {brief(row)}", flush=True)
        return row

    def write(self) -> None:
        """Replace the results file in one step, so that a kill never leaves half of one."""
        self.results["seconds"] = round(time.monotonic() - self._start, 1)
        if self.out is not None:
            self.out.parent.mkdir(parents=True, exist_ok=True)
            draft = self.out.with_suffix(".tmp")
            draft.write_text(dumps(self.results), encoding="utf-8")
            os.replace(draft, self.out)


def dumps(results: dict) -> str:
    """JSON with one line per key and per row of a list, which makes differences readable."""
    lines = []
    for key, value in results.items():
        if isinstance(value, list) and value:
            rows = ",\n".join(f"    {json.dumps(row, ensure_ascii=False, allow_nan=False)}" for row in value)
            lines.append(f"  {json.dumps(key)}: [\n{rows}\n  ]")
        else:
            lines.append(f"  {json.dumps(key)}: {json.dumps(value, ensure_ascii=False, allow_nan=False)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def brief(row: dict) -> str:
    """A row as one line: figures by their median, absent values left out."""
    medians = {k: v["median"] if isinstance(v, dict) and "median" in v else v for k, v in row.items()}
    return " ".join(f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in medians.items() if v is not None)


def modules_here() -> set[Path]:
    """The modules in use that lie beside this one."""
    here = Path(__file__).resolve().parent
    files = {
        Path(module.__file__).resolve() for module in list(sys.modules.values()) if getattr(module, "__file__", None)
    }
    return {file for file in files if file.parent == here}


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def output_of(*command: str, cwd: Path | None = None) -> str | None:
    """What a command prints; None where it is absent or fails."""
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def commit(folder: Path) -> str | None:
    return os.environ.get("LAB_COMMIT") or output_of("git", "rev-parse", "HEAD", cwd=folder)


def device_facts(device: str) -> dict:
    """Name and size of the device, so that a figure is never read without it."""
    facts = dict.fromkeys(
        ["type", "name", "driver", "capability", "multiprocessors", "memory_mib", "l2_mib", "power_limit_w"]
    )
    facts["type"] = device
    if device == "cpu":
        return facts | {"name": platform.processor() or platform.machine()}
    properties = torch.cuda.get_device_properties(0)
    query = output_of("nvidia-smi", "--id=0", "--query-gpu=driver_version,power.limit", "--format=csv,noheader,nounits")
    driver, watts = query.split(", ") if query else (None, None)
    return facts | {
        "name": properties.name,
        "driver": driver,
        "capability": f"{properties.major}.{properties.minor}",
        "multiprocessors": properties.multi_processor_count,
        "memory_mib": properties.total_memory // MIB,
        "l2_mib": properties.L2_cache_size // MIB,
        "power_limit_w": float(watts) if watts and watts.replace(".", "", 1).isdigit() else None,
    }


def versions() -> dict:
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "triton": triton and triton.__version__,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version() if torch.backends.cudnn.is_available() else None,
    }


def figure(samples: list[float]) -> dict:
    """Median and spread of repeated measurements."""
    tenths = statistics.quantiles(samples, n=10, method="inclusive") if len(samples) > 1 else samples
    return {
        "median": significant(statistics.median(samples)),
        "low": significant(tenths[0]),
        "high": significant(tenths[-1]),
        "repeats": len(samples),
    }


def rate(amount: float, milliseconds: dict) -> dict:
    """The figure `amount` per second from a figure of times: the slowest run has the lowest rate."""
    per_second = {"median": "median", "low": "high", "high": "low"}
    rates = {k: significant(amount / (milliseconds[v] / 1e3)) for k, v in per_second.items()}
    return rates | {"repeats": milliseconds["repeats"]}


def significant(value: float) -> float:
    """Five significant digits: more than any measurement here holds."""
    return float(f"{value:.5g}")


def times_ms(
    works: dict[str, Callable[[], object]],
    device: str,
    budget_ms: float = 400,
    repeats: tuple[int, int] = (10, 100),
    rounds: int = 5,
    calls: int = 1,
) -> dict[str, dict]:
    """Time of one call of each work in milliseconds, as figures.

    The works take turns, `rounds` times, forwards and backwards, because a GPU lowers its clocks under load: who comes
    first, or after a light work, would look faster. For the same reason only the second half of a turn's calls counts.
    On a GPU, calls are enqueued with a CUDA event before and after each, and the clocks read at the end of a turn, so
    that the host's own delays stay out. `repeats` bounds the number of calls counted, `budget_ms` decides in between.
    Works that end sooner than the host can launch them are run several `calls` at a time, in a CUDA graph.
    """
    if calls > 1:
        works = {name: in_graph(work, calls, device) for name, work in works.items()}

    def events(work, count: int) -> list[float]:
        marks = [(torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)) for _ in range(count)]
        for start, end in marks:
            start.record()
            work()
            end.record()
        torch.cuda.synchronize()
        return [start.elapsed_time(end) for start, end in marks]

    def host_clock(work, count: int) -> list[float]:
        marks = [time.perf_counter()]
        for _ in range(count):
            work()
            marks.append(time.perf_counter())
        return [(end - start) * 1e3 for start, end in itertools.pairwise(marks)]

    if device == "cpu":
        clock, rounds, repeats = host_clock, 1, (3, 3)
    else:
        clock = events
    counts = {}
    for name, work in works.items():
        once = statistics.median(clock(work, 3)[1:])
        fewest, most = repeats
        counts[name] = math.ceil(min(most, max(fewest, budget_ms / once)) / rounds)
    samples = {name: [] for name in works}
    for turn in range(rounds):
        for name in list(works)[:: -1 if turn % 2 else 1]:
            samples[name] += clock(works[name], 2 * counts[name])[counts[name] :]
    return {name: figure([value / calls for value in values]) for name, values in samples.items()}


def in_graph(work: Callable[[], object], calls: int, device: str) -> Callable[[], object]:
    """So many calls of a work as one; on a GPU captured in a CUDA graph, so that the host launches them at once.

    The work is done once before, everywhere: what would fail in a capture fails on a CPU, too.
    """

    def run():
        for _ in range(calls):
            work()

    if device == "cpu":
        run()
        return run
    aside = torch.cuda.Stream()  # libraries set themselves up here, outside the capture
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        run()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()
    return graph.replay


def time_ms(work: Callable[[], object], device: str, **options) -> dict:
    """Time of one call of one work: see `times_ms`."""
    return times_ms({"work": work}, device, **options)["work"]


def peak_mib(work: Callable[[], object], device: str) -> dict:
    """Device memory of one call: `peak_mib` in all, `extra_mib` above what was allocated before it. Null on a CPU."""
    if device == "cpu":
        return {"peak_mib": None, "extra_mib": None}
    torch.cuda.synchronize()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    kept = work()  # keep the result alive until the peak is read
    torch.cuda.synchronize()
    peak = torch.cuda.max_memory_allocated()
    del kept
    return {"peak_mib": round(peak / MIB, 1), "extra_mib": round((peak - before) / MIB, 1)}


def attempt(measure: Callable[..., dict], *arguments) -> dict:
    """What was measured, or why it could not be: `failed` is null, "out of memory", or what refused these inputs."""
    try:
        return measure(*arguments) | {"failed": None}
    except torch.OutOfMemoryError:
        failed = "out of memory"
    except REFUSALS as error:  # a backend that refuses these inputs, a tile too large for this device
        failed = (str(error) or type(error).__name__).splitlines()[0]
    torch.cuda.empty_cache()
    return {"failed": failed}


def costs(works: dict[str, Callable[[], object]], device: str, **timing) -> dict[str, dict]:
    """Rows {ms, peak_mib, extra_mib, failed}: memory of each work, and time of those that ran, taking turns."""
    absent = dict.fromkeys(["ms", "peak_mib", "extra_mib"])
    rows = {name: absent | attempt(peak_mib, work, device) for name, work in works.items()}
    running = {name: work for name, work in works.items() if not rows[name]["failed"]}
    for name, ms in times_ms(running, device, **timing).items():
        rows[name]["ms"] = ms
    if device == "cuda":
        torch.cuda.empty_cache()  # or the next inputs land inside a large free block, and split it
    return rows


def forward_and_step(work: Callable, inputs: tuple) -> dict[str, Callable[[], object]]:
    """Two works from one: `forward` alone without a graph, and `step`, forward and backward to every input."""
    leaves = tuple(x.detach().requires_grad_() for x in inputs)

    @torch.no_grad()
    def forward():
        return work(*inputs)

    def step():
        out = work(*leaves)
        return torch.autograd.grad(out, leaves, torch.ones_like(out))

    return {"forward": forward, "step": step}


def relative_error(got: torch.Tensor, exact: torch.Tensor) -> float:
    """Frobenius norm of the difference over that of the exact values."""
    return significant(((got.double() - exact).norm() / exact.norm()).item())


def crossover(slope: dict[int, float], flat: dict[int, float]) -> int | None:
    """Length from which on `flat` costs less than `slope`, interpolated on logarithmic axes; null if there is none.

    Both map lengths to costs. The shortest length, if `flat` is cheaper at every one.
    """
    lengths = sorted(slope.keys() & flat.keys())
    gaps = [math.log(slope[n] / flat[n]) for n in lengths]  # positive where `flat` is cheaper
    if not gaps or gaps[-1] <= 0:
        return None
    last = max((i for i, gap in enumerate(gaps) if gap <= 0), default=None)
    if last is None:
        return lengths[0]
    share = gaps[last] / (gaps[last] - gaps[last + 1])
    return round(lengths[last] * (lengths[last + 1] / lengths[last]) ** share)
