"""Linear attention, measured against exact attention: from which length on it is cheaper, forward and in training.

φ(q)ᵀ(Σ φ(k) vᵀ) / φ(q)ᵀ Σ φ(k) with φ(x) = elu(x) + 1 (Katharopoulos et al., 2020, arXiv:2006.16236), without a mask by
associativity, with a causal mask chunk by chunk (Yang et al., 2024, arXiv:2312.06635). The number of tokens and the
width stay the same at every length: batch = tokens / n, heads = width / d. bfloat16.

    python labs/linear-attention.py                        on one GPU, about two minutes
    python labs/linear-attention.py --device cpu --small   toy sizes, in seconds

Results, besides the keys that common.py describes (a *figure* is {median, low, high, repeats}):

    setup      {tokens, width, chunk, dtype}
    costs      rows {impl, causal, pass, n, d, batch, heads, ms: figure, peak_mib, extra_mib, failed}: pass forward
               (no graph) or step (forward and backward to q, k, v); the recurrence only up to n = 1024
    errors     rows {impl, causal, n, d, error}: ‖O − O₆₄‖ / ‖O₆₄‖ against the same formula in float64
    crossover  rows {impl, causal, pass, d, length}: from this length on the implementation takes less time than flash
               (interpolated between measured lengths on logarithmic axes); null if flash is faster at the longest

impl       flash: exact attention, scaled_dot_product_attention with its flash backend. linear, chunked, recurrent:
           plain PyTorch, no kernel of ours. linear_compiled: the same function through torch.compile, which fuses
           what surrounds the matrix products. Hand-written kernels, as in the second paper, are faster than all these
recurrent  one token at a time, as the formula for decoding reads: in training it keeps a d × d state for each token
"""

from __future__ import annotations

import itertools

import torch
from common import Lab, costs, crossover, forward_and_step, relative_error
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

TIMING = {"budget_ms": 60, "repeats": (2, 20), "rounds": 2}


def phi(x):
    return F.elu(x) + 1


def linear(q, k, v):
    """Every query sees every key; q, k, v: (batch, heads, n, d)."""
    q, k = phi(q), phi(k)
    state = k.mT @ v  # (batch, heads, d, d): all that is kept of the keys and values
    total = k.sum(-2)[..., None]  # (batch, heads, d, 1)
    return (q @ state) / (q @ total)


def chunked(q, k, v, size: int = 128):
    """A query sees its own chunk through a mask, and what came before through the sum of the chunks' states."""
    q, k, v = (x.unflatten(2, (-1, size)) for x in (phi(q), phi(k), v))  # (batch, heads, chunks, size, d)
    states = (k.mT @ v).float()  # (batch, heads, chunks, d, d)
    totals = k.sum(-2).float()[..., None]  # (batch, heads, chunks, d, 1)
    before = (states.cumsum(2) - states).to(q.dtype)  # of all earlier chunks
    total = (totals.cumsum(2) - totals).to(q.dtype)
    scores = (q @ k.mT).tril()  # (batch, heads, chunks, size, size)
    out = (scores @ v + q @ before) / (scores.sum(-1, keepdim=True) + q @ total)
    return out.flatten(2, 3)


def recurrent(q, k, v):
    """S ← S + φ(k) vᵀ, z ← z + φ(k), one token after the other."""
    q, k = phi(q), phi(k)
    state = torch.zeros(
        *q.shape[:2], q.shape[3], v.shape[3], device=q.device, dtype=torch.promote_types(q.dtype, torch.float32)
    )
    total = torch.zeros_like(state[..., :1])  # (batch, heads, d, 1)
    out = []
    for q_t, k_t, v_t in zip(*(x.to(state.dtype).unbind(2) for x in (q, k, v)), strict=True):  # (batch, heads, d)
        state = state + k_t[..., None] * v_t[..., None, :]
        total = total + k_t[..., None]
        query = q_t[..., None, :]  # (batch, heads, 1, d)
        out.append((query @ state) / (query @ total))
    return torch.cat(out, 2).to(q.dtype)


def masked(q, k, v):
    """Causal linear attention as its definition reads, with all n² products: the reference."""
    scores = (phi(q) @ phi(k).mT).tril()
    return scores @ v / scores.sum(-1, keepdim=True)


def flash(causal: bool):
    def attention(q, k, v):
        with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
            return F.scaled_dot_product_attention(q, k, v, is_causal=causal)

    return attention


def implementations(lab: Lab, size: int) -> dict[tuple[str, bool], object]:
    """Name and mask of each implementation."""

    def in_chunks(q, k, v):
        return chunked(q, k, v, size)

    found = {("flash", False): flash(False), ("linear", False): linear, ("flash", True): flash(True),
             ("chunked", True): in_chunks, ("recurrent", True): recurrent}  # fmt: skip
    if lab.device == "cuda":
        found["linear_compiled", False] = torch.compile(linear, dynamic=True)
    return found


def random_inputs(batch: int, heads: int, n: int, d: int, device: str):
    return tuple(torch.randn(batch, heads, n, d, device=device, dtype=torch.bfloat16) for _ in range(3))


def measure_errors(lab: Lab, works: dict, n: int, dims: list[int]) -> None:
    for d in dims:
        inputs = random_inputs(2, 4, n, d, lab.device)
        doubles = [x.double() for x in inputs]
        exact = {False: linear(*doubles), True: masked(*doubles)}
        with torch.no_grad():
            for (impl, causal), work in works.items():
                if impl != "flash":
                    lab.add("errors", {"impl": impl, "causal": causal, "n": n, "d": d,
                                       "error": relative_error(work(*inputs), exact[causal])})  # fmt: skip


def measure_costs(lab: Lab, works: dict, tokens: int, width: int, lengths: list[int], dims: list[int]) -> None:
    for d, n in itertools.product(dims, lengths):
        case = {"n": n, "d": d, "batch": tokens // n, "heads": width // d}
        inputs = random_inputs(tokens // n, width // d, n, d, lab.device)
        calls = {(*key, stage): call for key, work in works.items() if key[0] != "recurrent" or n <= 1024
                 for stage, call in forward_and_step(work, inputs).items()}  # fmt: skip
        for (impl, causal, stage), row in costs(calls, lab.device, **TIMING).items():
            lab.add("costs", {"impl": impl, "causal": causal, "pass": stage} | case | row)


def summarise(lab: Lab, works: dict, dims: list[int]) -> None:
    def times(impl, causal, stage, d) -> dict[int, float]:
        return {row["n"]: row["ms"]["median"] for row in lab.results["costs"] if row["ms"]
                and (row["impl"], row["causal"], row["pass"], row["d"]) == (impl, causal, stage, d)}  # fmt: skip

    for d, stage, (impl, causal) in itertools.product(dims, ["forward", "step"], works):
        if impl != "flash":
            length = crossover(times("flash", causal, stage, d), times(impl, causal, stage, d))
            lab.add("crossover", {"impl": impl, "causal": causal, "pass": stage, "d": d, "length": length})


def main(argv: list[str] | None = None) -> dict:
    lab = Lab(__file__, __doc__.splitlines()[0], argv)
    tokens, width, size, lengths, dims = 2**17, 512, 128, [2**i for i in range(9, 18)], [64, 128]
    if lab.small:
        tokens, width, size, lengths, dims = 128, 32, 16, [32, 64], [16]
    torch.manual_seed(0)
    works = implementations(lab, size)
    with lab:
        lab.put("setup", {"tokens": tokens, "width": width, "chunk": size, "dtype": "bfloat16"})
        measure_errors(lab, works, lengths[0], dims)
        measure_costs(lab, works, tokens, width, lengths, dims)
        summarise(lab, works, dims)
    return lab.results


if __name__ == "__main__":
    main()
