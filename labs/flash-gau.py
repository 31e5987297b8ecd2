"""FLASH and the gated attention unit, measured: a training step against Transformer blocks, old and new.

Two gated attention units (Hua et al., 2022, arXiv:2202.10447; e = 2d, s = 128) have about the parameters of one block
of multi-head attention and a 4-fold network. The paper's baseline kept its scores in memory; today's does not. All
layers are causal, without relative position bias or RoPE; the number of tokens is the same at every length.

    python labs/flash-gau.py                        on one GPU, about a minute
    python labs/flash-gau.py --device cpu --small   toy sizes, in seconds

Results, besides the keys that common.py describes (a *figure* is {median, low, high, repeats}):

    setup      {tokens, d, e, s, heads, chunk, blocks, dtype, parameters: {impl: count}}: the stacks that are compared,
               `blocks` Transformer blocks or twice as many units
    steps      rows {impl, n, batch, ms: figure, tokens_per_s: figure, peak_mib, extra_mib, failed}: forward and
               backward to all parameters, no optimizer
    speedups   rows {impl, n, over_flash, over_materialised}: time of mha_flash or mha_materialised over that of the
               implementation; null where one of the two is missing
    crossover  rows {impl, reference, length}: from this length on the implementation takes less time than the
               reference; null if the reference is faster at the longest

impl       mha_flash: attention by scaled_dot_product_attention. mha_materialised: scores in memory, softmax, PyTorch.
           gau: quadratic gated attention units (FLASH-Quad), scores in memory, one head. flash_gau: FLASH, quadratic
           inside chunks, linear between them. All in plain PyTorch but for the library's attention; bfloat16 weights
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import torch
from common import Lab, costs, crossover, rate
from gpt import Block
from torch import nn
from torch.nn import functional as F

TIMING = {"budget_ms": 200, "repeats": (4, 20), "rounds": 2}


class Shape(NamedTuple):
    tokens: int
    d: int
    heads: int
    s: int
    chunk: int
    blocks: int


class GAU(nn.Module):
    """x + W_o(u ⊙ A v), u, v = silu(W x): (n, e), A = relu²(q kᵀ / n), q and k cheap maps of one (n, s) projection."""

    def __init__(self, d: int, s: int, maps: int = 2):
        super().__init__()
        self.e, self.s = 2 * d, s
        self.norm = nn.LayerNorm(d)
        self.into, self.out = nn.Linear(d, 2 * self.e + s), nn.Linear(self.e, d)
        self.gamma, self.beta = nn.Parameter(torch.randn(maps, s) * 0.02 + 1), nn.Parameter(torch.zeros(maps, s))

    def project(self, x):
        """u, v: (batch, n, e); the maps of z, each (batch, n, s)."""
        u, v, z = F.silu(self.into(self.norm(x))).split([self.e, self.e, self.s], -1)
        return u, v, (z[..., None, :] * self.gamma + self.beta).unbind(-2)

    def forward(self, x):
        u, v, (q, k) = self.project(x)
        return x + self.out(u * quadratic(q, k, v))


def quadratic(q, k, v):
    """relu²(q kᵀ / n) v below the diagonal; q, k: (..., n, s), v: (..., n, e)."""
    return (F.relu(q @ k.mT / q.shape[-2]).square()).tril() @ v


class FLASH(GAU):
    """Mixed chunk attention: the quadratic part sees its own chunk, the linear part what came before."""

    def __init__(self, d: int, s: int, chunk: int):
        super().__init__(d, s, maps=4)
        self.chunk = chunk

    def forward(self, x):
        u, v, maps = self.project(x)
        q, k, lin_q, lin_k, v = (y.unflatten(1, (-1, self.chunk)) for y in (*maps, v))  # (batch, chunks, chunk, ·)
        states = (lin_k.mT @ v).float() / x.shape[1]  # (batch, chunks, s, e)
        before = (states.cumsum(1) - states).to(x.dtype)
        mixed = quadratic(q, k, v) + lin_q @ before
        return x + self.out(u * mixed.flatten(1, 2))


def stacks(shape: Shape, device: str) -> dict[str, nn.Sequential]:
    makers = {
        "mha_flash": lambda: [Block(shape.d, shape.heads)],
        "mha_materialised": lambda: [Block(shape.d, shape.heads, materialised=True)],
        "gau": lambda: [GAU(shape.d, shape.s) for _ in range(2)],
        "flash_gau": lambda: [FLASH(shape.d, shape.s, shape.chunk) for _ in range(2)],
    }
    with torch.device(device):
        found = {
            impl: nn.Sequential(*(layer for _ in range(shape.blocks) for layer in make()))
            for impl, make in makers.items()
        }
    return {impl: stack.to(torch.bfloat16) for impl, stack in found.items()}


def step(stack: nn.Sequential, x):
    out = stack(x)
    return torch.autograd.grad(out, list(stack.parameters()), torch.ones_like(out))


def measure(lab: Lab, shape: Shape, lengths: list[int], works: dict[str, nn.Sequential]) -> None:
    for n in lengths:
        x = torch.randn(shape.tokens // n, n, shape.d, device=lab.device, dtype=torch.bfloat16)
        calls = {impl: functools.partial(step, stack, x) for impl, stack in works.items()}
        for impl, row in costs(calls, lab.device, **TIMING).items():
            speed = row["ms"] and rate(shape.tokens, row["ms"])
            lab.add("steps", {"impl": impl, "n": n, "batch": len(x)} | row | {"tokens_per_s": speed})


def summarise(lab: Lab, lengths: list[int], works: dict[str, nn.Sequential]) -> None:
    times = {impl: {row["n"]: row["ms"]["median"] for row in lab.results["steps"] if row["impl"] == impl and row["ms"]}
             for impl in works}  # fmt: skip

    def over(reference: str, impl: str, n: int) -> float | None:
        above, below = times[reference].get(n), times[impl].get(n)
        return round(above / below, 3) if above and below else None

    for impl in ("gau", "flash_gau"):
        for n in lengths:
            lab.add("speedups", {"impl": impl, "n": n, "over_flash": over("mha_flash", impl, n),
                                 "over_materialised": over("mha_materialised", impl, n)})  # fmt: skip
        for reference in ("mha_flash", "mha_materialised"):
            lab.add("crossover", {"impl": impl, "reference": reference,
                                  "length": crossover(times[reference], times[impl])})  # fmt: skip


def main(argv: list[str] | None = None) -> dict:
    lab = Lab(__file__, __doc__.splitlines()[0], argv)
    shape, lengths = Shape(2**15, 768, 12, 128, 256, 4), [2**i for i in range(9, 15)]
    if lab.small:
        shape, lengths = Shape(64, 32, 2, 8, 16, 1), [16, 32]
    torch.manual_seed(0)
    works = stacks(shape, lab.device)
    with lab:
        counts = {impl: sum(p.numel() for p in stack.parameters()) for impl, stack in works.items()}
        lab.put("setup", shape._asdict() | {"e": 2 * shape.d, "dtype": "bfloat16", "parameters": counts})
        measure(lab, shape, lengths, works)
        summarise(lab, lengths, works)
    return lab.results


if __name__ == "__main__":
    main()
