"""Gradient checkpointing, measured: memory and time over the number of segments, on a chain and on GPT blocks.

The rule k = √n (Chen et al., 2016, arXiv:1604.06174) counts a segment's input and a layer's activations as one unit
each: the *chain* is such a case. A transformer block keeps some 34 bytes an element where its input takes 2
(Korthikanti et al., 2022, arXiv:2205.05198), and the best segment is another: the *stack* shows which.

    python labs/gradient-checkpointing.py                        on one GPU, about a minute
    python labs/gradient-checkpointing.py --device cpu --small   toy sizes, in seconds; no memory figures

Results, besides the keys that common.py describes (a *figure* is {median, low, high, repeats}):

    setup      {chain: {layers, mib}, stack: {layers, d, heads, length, batch, dtype, parameters}, core: the same}
    chain      rows {every, segments, ms: figure, peak_mib, extra_mib, units, sqrt, failed}: `layers` times tanh, which
               keeps its output, on a tensor of `mib`; every: layers in a segment, null for no checkpoints; units:
               extra_mib over mib; sqrt: whether segments is the square root of layers
    stack      rows {variant, every, segments, ms: figure, peak_mib, extra_mib, predicted_mib, same, worst, failed}: one
               step (forward and backward, no optimizer) of a stack of GPT blocks, bfloat16, attention by
               scaled_dot_product_attention. variant: none; segments; products (selective: results of matrix products
               and of attention are kept, everything else is computed again). same: gradients equal those of a run
               without checkpoints bit for bit, both with deterministic algorithms; worst: their largest relative
               difference. Times and memory are those of the usual algorithms
    model      {boundary_mib, layer_mib, grad_mib, best_every}: one block's input; what one block keeps (the slope of
               `none` between one block and all); the gradients of all parameters; the divisor of the number of layers
               with the least segments·boundary + every·layer. predicted_mib = that sum + gradients, for the stack
    repeatable whether two runs without checkpoints, with the usual algorithms, give the same gradients bit for bit:
               the backward pass of flash attention adds in whatever order its blocks end
    core       rows {variant, ms: figure, peak_mib, extra_mib, kept_mib, formula_mib, failed}: a stack with materialised
               scores and dropout 0.1, as in Korthikanti et al. variant: none; core (only the core of attention is
               computed again, their selective recomputation); segments (every block). kept_mib: extra_mib after the
               forward pass alone; formula_mib: s·b·h·(34 + 5·a·s/h) bytes a layer for none, 34·s·b·h for core,
               2·s·b·h for segments
    batch      rows {variant, every, fits, fails, peak_mib}: the largest batch of the stack found to fit into the
               device's memory, and the smallest found not to; null where none failed
"""

from __future__ import annotations

import functools
import math
import os
from contextlib import contextmanager
from typing import NamedTuple

import torch
from common import MIB, Lab, attempt, costs, peak_mib, significant
from gpt import Block
from torch.utils.checkpoint import CheckpointPolicy, checkpoint, create_selective_checkpoint_contexts

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # deterministic algorithms ask for it
TIMING = {"budget_ms": 100, "repeats": (4, 20), "rounds": 2}


class Shape(NamedTuple):
    layers: int
    d: int
    heads: int
    length: int
    batch: int


def segmented(layers, every: int | None, x, **options):
    """Run the layers over x; with `every`, so many at a time are one segment, computed again in the backward pass."""
    if every is None:
        for layer in layers:
            x = layer(x)
        return x
    for start in range(0, len(layers), every):
        run = functools.partial(segmented, layers[start : start + every], None)
        x = checkpoint(run, x, use_reentrant=False, **options)
    return x


KEPT = {"mm", "addmm", "bmm", "_scaled_dot_product_flash_attention", "_scaled_dot_product_cudnn_attention",
        "_scaled_dot_product_efficient_attention", "_scaled_dot_product_flash_attention_for_cpu"}  # fmt: skip


def keep_products(context, operator, *args, **kwargs):
    kept = operator.overloadpacket.__name__ in KEPT
    return CheckpointPolicy.MUST_SAVE if kept else CheckpointPolicy.PREFER_RECOMPUTE


def again(core, *inputs):
    return checkpoint(core, *inputs, use_reentrant=False)


def forward(layers, variant: str, every: int | None, x):
    if variant == "products":
        return segmented(
            layers, 1, x, context_fn=functools.partial(create_selective_checkpoint_contexts, keep_products)
        )
    if variant == "core":
        for layer in layers:
            x = layer(x, run=again)
        return x
    return segmented(layers, every, x)


def step(layers, variant: str, every: int | None, x):
    """Forward and backward; gradients of all parameters."""
    out = forward(layers, variant, every, x)
    return torch.autograd.grad(out.float().square().mean(), list(layers.parameters()))


def make(shape: Shape, device: str, **options) -> tuple[torch.nn.ModuleList, torch.Tensor]:
    torch.manual_seed(0)
    with torch.device(device):
        layers = torch.nn.ModuleList(Block(shape.d, shape.heads, **options) for _ in range(shape.layers))
        x = torch.randn(shape.batch, shape.length, shape.d)
    return layers.to(torch.bfloat16), x.to(torch.bfloat16).requires_grad_()


def divisors(n: int) -> list[int]:
    return [k for k in range(1, n + 1) if n % k == 0]


def measure_chain(lab: Lab, layers: int, mib: float) -> None:
    x = torch.randn(int(mib * MIB) // 4, device=lab.device, requires_grad=True)

    def run(every):
        out = segmented([torch.tanh] * layers, every, x)
        return torch.autograd.grad(out, x, torch.ones_like(out))

    works = {every: functools.partial(run, every) for every in [None, *divisors(layers)]}
    for every, row in costs(works, lab.device, **TIMING).items():
        segments = every and layers // every
        units = row["extra_mib"] and significant(row["extra_mib"] / mib)
        lab.add("chain", {"every": every, "segments": segments} | row
                | {"units": units, "sqrt": segments == math.isqrt(layers)})  # fmt: skip


def kept_mib(layers, variant: str, every: int | None, x, device: str) -> float | None:
    """Memory that is still taken when the forward pass has ended."""
    if device == "cpu":
        return None
    torch.cuda.empty_cache()
    before = torch.cuda.memory_allocated()
    out = forward(layers, variant, every, x)
    torch.cuda.synchronize()
    kept = torch.cuda.memory_allocated() - before - out.nbytes
    return round(kept / MIB, 1)


@contextmanager
def deterministic():
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


def difference(got, expected) -> dict:
    worst = max(((a - b).float().norm() / b.float().norm()).item() for a, b in zip(got, expected, strict=True))
    return {"same": all(map(torch.equal, got, expected)), "worst": significant(worst)}


def measure_stack(lab: Lab, shape: Shape) -> None:
    layers, x = make(shape, lab.device)
    n = shape.layers
    variants = [("none", None), *(("segments", every) for every in divisors(n)), ("products", None)]
    works = {variant: functools.partial(step, layers, *variant, x) for variant in variants}
    expected = step(layers, "none", None, x)
    lab.put("repeatable", difference(step(layers, "none", None, x), expected)["same"])
    with deterministic():
        expected = step(layers, "none", None, x)
        compared = {variant: difference(work(), expected) for variant, work in works.items()}
    del expected
    boundary = x.nbytes / MIB
    gradients = sum(p.nbytes for p in layers.parameters()) / MIB
    one, all_of_them = (kept_mib(some, "none", None, x, lab.device) for some in (layers[:1], layers))
    layer = (all_of_them - one) / (n - 1) if all_of_them else None
    predict = {every: n // every * boundary + every * layer for every in divisors(n)} if layer else {}
    lab.put("model", {"boundary_mib": boundary, "layer_mib": layer and round(layer, 1), "grad_mib": round(gradients, 1),
                      "best_every": min(predict, key=predict.get, default=None)})  # fmt: skip
    if layer:
        predict[None] = n * layer
    for (variant, every), row in costs(works, lab.device, **TIMING).items():
        expected = predict.get(every) if variant != "products" else None
        row |= {"predicted_mib": expected and round(expected + gradients, 1)} | compared[variant, every]
        lab.add("stack", {"variant": variant, "every": every, "segments": every and n // every} | row)


def measure_core(lab: Lab, shape: Shape) -> None:
    """Where the scores are kept, they are most of the memory, and cheap to compute again."""
    layers, x = make(shape, lab.device, materialised=True, dropout=0.1)
    unit = x.numel() / MIB  # s·b·h
    bytes_of = {"none": 34 + 5 * shape.heads * shape.length / shape.d, "core": 34, "segments": 2}
    works = {v: functools.partial(step, layers, v, 1 if v == "segments" else None, x) for v in bytes_of}
    for variant, row in costs(works, lab.device, **TIMING).items():
        every = 1 if variant == "segments" else None
        kept = attempt(lambda v=variant, k=every: {"kept_mib": kept_mib(layers, v, k, x, lab.device)})
        lab.add("core", {"variant": variant} | row | {"kept_mib": kept.get("kept_mib"),
                "formula_mib": round(shape.layers * bytes_of[variant] * unit, 1)})  # fmt: skip


def measure_batch(lab: Lab, shape: Shape) -> None:
    """The largest batch: guessed from the memory of two smaller ones, then tried around the guess; null on a CPU."""
    room = lab.results["device"]["memory_mib"]

    def peak(variant: str, every: int | None, batch: int) -> dict:
        layers, x = make(shape._replace(batch=batch), lab.device)
        return attempt(peak_mib, functools.partial(step, layers, variant, every, x), lab.device)

    for variant, every in [("none", None), ("products", None), ("segments", 1)]:
        row = {"variant": variant, "every": every, "fits": None, "fails": None, "peak_mib": None}
        if lab.device == "cpu":
            lab.add("batch", row)
            continue
        small, large = (peak(variant, every, size * shape.batch)["peak_mib"] for size in (1, 3))
        guess = shape.batch * (3 + 2 * (room - large) / (large - small))
        for share in (1.02, 0.99, 0.97, 0.95, 0.9, 0.8):
            batch = int(guess * share)
            found = peak(variant, every, batch)
            if not found["failed"]:
                row |= {"fits": batch, "peak_mib": found["peak_mib"]}
                break
            row["fails"] = batch
        lab.add("batch", row)


def main(argv: list[str] | None = None) -> dict:
    lab = Lab(__file__, __doc__.splitlines()[0], argv)
    chain, stack, core = (144, 256), Shape(24, 1024, 16, 2048, 16), Shape(24, 1024, 16, 2048, 4)
    if lab.small:
        chain, stack, core = (9, 1 / 64), Shape(4, 32, 2, 16, 2), Shape(2, 32, 2, 16, 2)
    count = sum(p.numel() for p in Block(stack.d, stack.heads).parameters())
    with lab:
        facts = [shape._asdict() | {"dtype": "bfloat16", "parameters": shape.layers * count} for shape in (stack, core)]
        lab.put("setup", {"chain": {"layers": chain[0], "mib": chain[1]}, "stack": facts[0], "core": facts[1]})
        measure_chain(lab, *chain)
        measure_stack(lab, stack)
        measure_core(lab, core)
        measure_batch(lab, stack)
    return lab.results


if __name__ == "__main__":
    main()
