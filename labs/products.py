"""Matrix products in the number formats of a GPU, for the labs that compare them.

fp32     float32 operands, and no tensor cores
tf32     float32 operands, rounded to 10 mantissa bits inside the tensor cores
bf16, fp16   operands and result of 16 bits, sums in float32
fp8      operands in E4M3 with one scale for each tensor, result in bfloat16, sums in the tensor cores' fast mode
"""

from collections.abc import Callable, Iterable
from contextlib import contextmanager

import torch
from common import attempt, rate, relative_error, times_ms

FORMATS = ["fp32", "tf32", "bf16", "fp16", "fp8"]
E4M3_MAX = torch.finfo(torch.float8_e4m3fn).max  # 448


@contextmanager
def float32_products(precision: str):
    """`highest`: float32 products stay float32. `high`: they run as tf32 where the device can."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def to_fp8(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """x scaled so that its largest entry just fits, and the factor that undoes it."""
    factor = x.abs().amax().float() / E4M3_MAX
    return (x / factor).to(torch.float8_e4m3fn), factor


def product(form: str, a: torch.Tensor, b: torch.Tensor) -> Callable[[], torch.Tensor]:
    """The work a @ b in one format; a: (m, k), b: (k, n), float32. The operands are converted here, not in the work."""
    if form in ("fp32", "tf32"):
        precision = "highest" if form == "fp32" else "high"

        def work():
            with float32_products(precision):
                return a @ b

        return work
    if form == "fp8":
        x, x_factor = to_fp8(a)
        y, y_factor = to_fp8(b)
        y = y.T.contiguous().T  # the second operand by columns, as the tensor cores read it
        return lambda: torch._scaled_mm(
            x, y, scale_a=x_factor, scale_b=y_factor, out_dtype=torch.bfloat16, use_fast_accum=True
        )
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}[form]
    x, y = a.to(dtype), b.to(dtype)
    return lambda: x @ y


def compare(sizes: Iterable[int], device: str, exact: bool = False, **timing) -> Iterable[dict]:
    """Rows {format, n, ms, tflops, failed} for square products; with `exact`, also `error`: against float64."""
    for n in sizes:
        a, b = (torch.randn(n, n, device=device) for _ in range(2))
        works = {form: product(form, a, b) for form in FORMATS}
        found = {form: attempt(lambda work=work: {"out": work()}) for form, work in works.items()}
        ran = {form: work for form, work in works.items() if not found[form]["failed"]}
        times = times_ms(ran, device, calls=8 if n <= 2048 else 1, **timing)
        reference = a.double() @ b.double() if exact else None
        for form in FORMATS:
            ms = times.get(form)
            row = {"format": form, "n": n, "ms": ms, "tflops": ms and rate(2 * n**3 / 1e12, ms)}
            if exact:
                row["error"] = relative_error(found[form]["out"], reference) if ms else None
            yield row | {"failed": found[form]["failed"]}
