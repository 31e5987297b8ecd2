"""Where the memory of training goes, measured: states and activations of one model against the ledger.

A model of 1.2 billion weights in bfloat16 with Adam in mixed precision: 16 bytes a weight (Rajbhandari et al., 2020,
arXiv:1910.02054), and activations that grow with the number of tokens. What stages of ZeRO save on several GPUs is in
zero-stages.py.

    python labs/zero-memory-accounting.py                        on one GPU, about a minute
    python labs/zero-memory-accounting.py --device cpu --small   toy sizes, in seconds; no memory figures

Results, besides the keys that common.py describes (a *figure* is {median, low, high, repeats}):

    setup      {model: {layers, d, heads, kv_heads, hidden, vocabulary, parameters}, dtype}
    memory     rows {recipe, batch, n} and the keys that finetune.py describes
    states     rows {recipe, bytes_per_parameter, predicted}: weights, gradients and optimizer over all parameters of
               the model, by the tensors' sizes and by the ledger
    timeline   rows {recipe, batch, n, at, mib}: device memory allocated, without what the libraries take beforehand,
               at the start of the step, at the end of each layer's forward ("forward 1" …) and backward ("backward
               16" … "backward 2"), and at the end of forward, backward, update and zero_grad
    slope      rows {recipe, mib_per_token, predicted}: growth of peak_mib over the number of tokens, between the two
               cases with the most tokens; null on a CPU
"""

from __future__ import annotations

import torch
from common import Lab, attempt, significant
from finetune import Trainer, base_bytes, clean, compare, random_tokens
from ledger import RECIPES, in_mib
from llama import ONE_BILLION, TOY, Shape

NAMES = ["full", "full_checkpoints", "lora_all"]


def timeline(shape: Shape, name: str, batch: int, n: int, device: str) -> list[tuple[str, float | None]]:
    """What is allocated as a step goes on. Layers that are computed again are not heard a second time."""
    clean(device)
    before, points = base_bytes(device), []
    trainer, tokens = Trainer(shape, RECIPES[name], device), random_tokens(shape, batch, n, device)
    trainer.step(tokens)
    clean(device)

    def note(at: str) -> None:
        points.append((at, in_mib(torch.cuda.memory_allocated() - before) if device == "cuda" else None))

    def hear(i: int):
        def forward(block, inputs, out):
            if not any(at == "forward" for at, _ in points):
                note(f"forward {i}")
                if out.requires_grad:
                    out.register_hook(lambda gradient: note(f"backward {i + 1}"))  # the layers above have ended

        return forward

    handles = [block.register_forward_hook(hear(i)) for i, block in enumerate(trainer.model.blocks, 1)]
    note("start")
    trainer.step(tokens, note)
    for handle in handles:
        handle.remove()
    return [(at, mib) for at, mib in points if at != f"backward {shape.layers + 1}"]


def summarise(lab: Lab, shape: Shape) -> None:
    for name in NAMES:
        rows = [row for row in lab.results["memory"] if row["recipe"] == name and not row["failed"]]
        rows.sort(key=lambda row: row["batch"] * row["n"])
        if not rows:
            continue
        parts = ("weights", "gradients", "optimizer")
        bytes_of = sum(rows[0][f"{part}_mib"] for part in parts), sum(rows[0]["predicted_mib"][part] for part in parts)
        held, predicted = (significant(mib * 2**20 / shape.parameters()) for mib in bytes_of)
        lab.add("states", {"recipe": name, "bytes_per_parameter": held, "predicted": predicted})
        slope = {"recipe": name, "mib_per_token": None, "predicted": None}
        high = rows[-1]
        fewer = [row for row in rows if row["batch"] * row["n"] < high["batch"] * high["n"]]
        if fewer:
            low = fewer[-1]
            more = high["batch"] * high["n"] - low["batch"] * low["n"]
            grown = high["peak_mib"] and high["peak_mib"] - low["peak_mib"]
            expected = high["predicted_mib"]["peak"] - low["predicted_mib"]["peak"]
            slope |= {"mib_per_token": grown and significant(grown / more), "predicted": significant(expected / more)}
        lab.add("slope", slope)


def main(argv: list[str] | None = None) -> dict:
    lab = Lab(__file__, __doc__.splitlines()[0], argv)
    shape, cases = ONE_BILLION, [(1, 512), (1, 2048), (4, 2048), (8, 2048), (1, 16384)]
    if lab.small:
        shape, cases = TOY, [(1, 8), (2, 16)]
    torch.manual_seed(0)
    with lab:
        lab.put("setup", {"model": shape._asdict() | {"parameters": shape.parameters()}, "dtype": "bfloat16"})
        for batch, n in cases:
            for name in NAMES:
                compare(lab, "memory", {"recipe": name}, shape, RECIPES[name], batch, n)
        batch, n = cases[len(cases) // 2]
        for name in NAMES:
            found = attempt(lambda name=name: {"points": timeline(shape, name, batch, n, lab.device)})
            for at, mib in found.get("points", []):
                lab.add("timeline", {"recipe": name, "batch": batch, "n": n, "at": at, "mib": mib})
            clean(lab.device)
        summarise(lab, shape)
    return lab.results


if __name__ == "__main__":
    main()
