"""Performer, measured: how much faster than exact attention, from which length on, and how far from it.

Positive orthogonal random features (FAVOR+; Choromanski et al., 2021, arXiv:2009.14794): exp(q·k) is the mean over
w ~ N(0, I) of exp(w·q − |q|²/2) exp(w·k − |k|²/2), estimated with m vectors w, orthogonal in blocks of d. No mask.

    python labs/performer.py                        on one GPU, about a minute
    python labs/performer.py --device cpu --small   toy sizes, in seconds

Results, besides the keys that common.py describes (a *figure* is {median, low, high, repeats}):

    setup      {tokens, width, d, features, dtype}: costs are measured with so many random features
    costs      rows {impl, pass, n, batch, heads, ms: figure, peak_mib, extra_mib, failed}: pass forward (no graph) or
               step (forward and backward to q, k, v); tokens and width are the same at every length
    crossover  rows {impl, pass, length}: from this length on the implementation takes less time than flash; null if
               flash is faster at the longest
    errors     rows {impl, inputs, m, n, error: figure}: ‖O − Ô‖ / ‖O‖ of the outputs, O in float64, Ô in float32 over
               several draws of the random features. orthogonal: FAVOR+. iid: independent vectors. uniform: the mean of
               all values, which needs no attention (m = 0): an estimate that does worse knows nothing of the scores
    kernel     rows {m, d, rmse: figure, predicted}: root mean square error of the estimate of exp(q·k) with independent
               features for unit vectors q, k, and its formula, the root of the mean of exp(|q+k|²) exp(2q·k)
               (1 − exp(−|q+k|²)) / m over the same pairs

impl       flash: exact, scaled_dot_product_attention with its flash backend. performer: plain PyTorch, no kernel of
           ours. performer_compiled: the same function through torch.compile
inputs     v ~ N(0, 1). unit: q, k of length d^(1/4), so that scores q·k/√d lie in [−1, 1]. half, normal, sharp: q and k
           normal with deviation 1/2, 1, 2, so that the scores have deviation 1/4, 1, 4
"""

from __future__ import annotations

import functools
import itertools
import math

import torch
from common import Lab, costs, crossover, figure, forward_and_step, relative_error, significant
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

TIMING = {"budget_ms": 80, "repeats": (3, 20), "rounds": 3}
INPUTS = {"unit": 1.0, "half": 0.5, "normal": 1.0, "sharp": 2.0}


def orthogonal(m: int, d: int, device: str):
    """m rows of length d, orthogonal in blocks of d, each as long as a normal vector."""
    blocks = torch.randn(math.ceil(m / d), d, d, device=device)
    q, r = torch.linalg.qr(blocks)
    q = q * r.diagonal(dim1=-2, dim2=-1).sign()[:, None, :]  # or the directions are not uniform
    lengths = torch.randn(m, d, device=device).norm(dim=-1, keepdim=True)
    return q.mT.reshape(-1, d)[:m] * lengths


def iid(m: int, d: int, device: str):
    return torch.randn(m, d, device=device)


def positive(x, w, over: tuple[int, ...]):
    """exp(w·x − |x|²/2) up to a factor, the same along the dimensions `over`, that keeps the exponents below zero.

    x: (batch, heads, n, d), w: (m, d). The factor cancels in the normalised output.
    """
    x = x * x.shape[-1] ** -0.25  # scores are q·k / √d
    exponent = (x @ w.mT).float() - x.float().square().sum(-1, keepdim=True) / 2  # (batch, heads, n, m)
    return (exponent - exponent.amax(over, keepdim=True).detach()).exp().to(x.dtype)


def performer(q, k, v, w):
    """q, k, v: (batch, heads, n, d), w: (m, d)."""
    q, k = positive(q, w, (-1,)), positive(k, w, (-2, -1))  # a factor for each query, one for all keys of a head
    state = k.mT @ v  # (batch, heads, m, d)
    total = k.sum(-2)[..., None]  # (batch, heads, m, 1)
    return (q @ state) / (q @ total)


def flash(q, k, v):
    with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
        return F.scaled_dot_product_attention(q, k, v)


def measure_costs(lab: Lab, tokens: int, width: int, d: int, m: int, lengths: list[int]) -> None:
    w = orthogonal(m, d, lab.device).to(torch.bfloat16)
    works = {"flash": flash, "performer": functools.partial(performer, w=w)}
    if lab.device == "cuda":
        works["performer_compiled"] = functools.partial(torch.compile(performer, dynamic=True), w=w)
    times = {}
    for n in lengths:
        shape = (tokens // n, width // d, n, d)
        inputs = tuple(torch.randn(shape, device=lab.device, dtype=torch.bfloat16) for _ in range(3))
        calls = {(impl, stage): call for impl, work in works.items()
                 for stage, call in forward_and_step(work, inputs).items()}  # fmt: skip
        for (impl, stage), row in costs(calls, lab.device, **TIMING).items():
            lab.add("costs", {"impl": impl, "pass": stage, "n": n, "batch": shape[0], "heads": shape[1]} | row)
            if row["ms"]:
                times.setdefault((impl, stage), {})[n] = row["ms"]["median"]
    for impl, stage in itertools.product(works, ["forward", "step"]):
        if impl != "flash":
            length = crossover(times["flash", stage], times.get((impl, stage), {}))
            lab.add("crossover", {"impl": impl, "pass": stage, "length": length})


def measure_errors(lab: Lab, d: int, lengths: list[int], features: list[int], draws: int) -> None:
    """Errors of outputs: how many features it takes, and for which scores no number is enough."""
    heads = 8
    for n, (inputs, spread) in itertools.product(lengths, INPUTS.items()):
        q, k, v = torch.randn(3, 1, heads, n, d, device=lab.device)
        if inputs == "unit":
            q, k = (F.normalize(x, dim=-1) * d**0.25 for x in (q, k))
        q, k = q * spread, k * spread
        exact = torch.cat([F.scaled_dot_product_attention(*(x[:, h : h + 1].double() for x in (q, k, v)))
                           for h in range(heads)], 1)  # fmt: skip
        uniform = relative_error(v.mean(-2, keepdim=True).expand_as(v), exact)
        lab.add("errors", {"impl": "uniform", "inputs": inputs, "m": 0, "n": n, "error": figure([uniform])})
        for m, draw in itertools.product(features, [orthogonal, iid]):
            found = [relative_error(performer(q, k, v, draw(m, d, lab.device)), exact) for _ in range(draws)]
            lab.add("errors", {"impl": draw.__name__, "inputs": inputs, "m": m, "n": n, "error": figure(found)})


def measure_kernel(lab: Lab, features: list[int], draws: int, d: int = 16) -> None:
    """The estimate of one exponential, before any attention, against the formula of its variance."""
    q, k = F.normalize(torch.randn(2, 256, d, device=lab.device, dtype=torch.float64), dim=-1)
    kernel, length = (q * k).sum(-1).exp(), (q + k).square().sum(-1)
    variance = (length.exp() * kernel.square() * (1 - (-length).exp())).mean().item()
    for m in features:
        errors = []
        for _ in range(draws):
            w = iid(m, d, lab.device).double()
            estimate = (torch.exp(q @ w.mT - 0.5) * torch.exp(k @ w.mT - 0.5)).mean(-1)  # |q|² = |k|² = 1
            errors.append((estimate - kernel).square().mean().sqrt().item())
        lab.add("kernel", {"m": m, "d": d, "rmse": figure(errors), "predicted": significant(math.sqrt(variance / m))})


def main(argv: list[str] | None = None) -> dict:
    lab = Lab(__file__, __doc__.splitlines()[0], argv)
    tokens, width, d, m = 2**16, 1024, 64, 256
    lengths, at, features, draws = [2**i for i in range(10, 17)], [1024, 4096], [2**i for i in range(4, 13)], 10
    if lab.small:
        tokens, width, d, m = 128, 32, 16, 32
        lengths, at, features, draws = [32, 64], [64], [16, 256], 3
    torch.manual_seed(0)
    with lab:
        lab.put("setup", {"tokens": tokens, "width": width, "d": d, "features": m, "dtype": "bfloat16"})
        measure_costs(lab, tokens, width, d, m, lengths)
        with torch.no_grad():
            measure_errors(lab, d, at, features, draws)
            measure_kernel(lab, features, draws)
    return lab.results


if __name__ == "__main__":
    main()
