"""Mixed precision, measured: matrix products in five formats, a training step, and a run that loss scaling saves.

After Micikevicius et al. (2018, arXiv:1710.03740): half-precision products beside float32 master weights, with the loss
scaled so that small gradients stay above what float16 can hold (2^-24; below half of that they become zero).

    python labs/mixed-precision.py                        on one GPU, under two minutes
    python labs/mixed-precision.py --device cpu --small   toy sizes, in seconds

Results, besides the keys that common.py describes (a *figure* is {median, low, high, repeats}):

    setup      {step: {layers, d, heads, length, batch, vocabulary, parameters}, training: {the same, steps, lr},
               entropy}: the two models, and the nats a token that no model of the training data can get below
    products   rows {format, n, ms: figure, tflops: figure, error, failed}: square products of normal matrices, formats
               as in products.py; error: ‖C − C₆₄‖ / ‖C₆₄‖ against float64 on the unrounded operands, rounding included
    steps      rows {recipe, ms: figure, tokens_per_s: figure, peak_mib, weights_mib, gradients_mib, optimizer_mib,
               bytes_per_parameter, failed}: one step of Adam, forward to update; weights, gradients and Adam's moments
               by the size of their tensors, bytes_per_parameter: all three over the number of parameters
    training   rows {recipe, divisor, scaler, losses, final, zeros, skipped, scales}: losses every `every` steps, final:
               the mean of the last 20; zeros: share of gradient entries that are exactly zero at step 10 (embedding
               rows of tokens that a batch lacks are left out); skipped: the steps that the scaler skipped because a
               gradient overflowed; scales: its scale at the same steps as losses. A loss that is not finite is null,
               and ends the run
    every      how many steps lie between two losses

recipe     fp32, tf32: everything in float32, products as in products.py. bf16, fp16: autocast over float32 weights.
           bf16_pure, fp16_pure: weights, gradients and Adam's moments in that dtype, which is not mixed precision
divisor    the loss is divided by this before the backward pass, as gradient accumulation over so many micro-batches
           does. Adam (ε = 1e-15 here) would not notice: its steps do not depend on the scale of the gradients
scaler     null: no loss scaling. default: torch.amp.GradScaler as it comes (from 2^16, doubled after 2000 good steps).
           eager: from 2^24, doubled after 25 good steps, so that its search shows in a short run
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import torch
from common import MIB, Lab, attempt, costs, rate, significant
from gpt import GPT
from products import compare, float32_products
from torch.nn import functional as F

AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}
PURE = {"bf16_pure": torch.bfloat16, "fp16_pure": torch.float16}
SCALERS = {"default": {}, "eager": {"init_scale": 2.0**24, "growth_interval": 25}}


class Model(NamedTuple):
    layers: int
    d: int
    heads: int
    length: int
    batch: int
    vocabulary: int

    def facts(self, device: str) -> dict:
        return self._asdict() | {"parameters": sum(p.numel() for p in self.make("fp32", device).parameters())}

    def make(self, recipe: str, device: str) -> GPT:
        with torch.device(device):
            model = GPT(self.vocabulary, self.length, self.layers, self.d, self.heads)
        return model.to(PURE.get(recipe, torch.float32))


class Source:
    """A Markov chain: after each token, four others with probabilities 1/2, 1/4, 1/8, 1/8, so 1.75 bits a token."""

    entropy = 1.75 * math.log(2)

    def __init__(self, model: Model, device: str):
        self.shape, self.device = (model.batch, model.length + 1), device
        self.generator = torch.Generator().manual_seed(0)
        self.next = torch.randint(model.vocabulary, (model.vocabulary, 4), generator=self.generator)
        # four equal successors would be one: make them differ
        self.next = (self.next[:, :1] + torch.tensor([0, 1, 3, 7])) % model.vocabulary

    def batch(self) -> torch.Tensor:
        batch, length = self.shape
        which = torch.multinomial(torch.tensor([0.5, 0.25, 0.125, 0.125]), batch * length, True,
                                  generator=self.generator).view(batch, length)  # fmt: skip
        tokens = torch.empty(batch, length, dtype=torch.long)
        tokens[:, 0] = torch.randint(len(self.next), (batch,), generator=self.generator)
        for i in range(1, length):
            tokens[:, i] = self.next[tokens[:, i - 1], which[:, i]]
        return tokens.to(self.device)


class Trainer:
    """A model, Adam, and one of the recipes."""

    def __init__(self, shape: Model, recipe: str, device: str, lr: float = 1e-3, divisor: int = 1, scaler: str = ""):
        torch.manual_seed(0)
        self.recipe, self.device, self.divisor = recipe, device, divisor
        self.model = shape.make(recipe, device)
        self.adam = torch.optim.Adam(self.model.parameters(), lr=lr, eps=1e-15 if recipe not in PURE else 1e-8,
                                     fused=device == "cuda")  # fmt: skip
        options = SCALERS.get(scaler, {})
        self.scaler = torch.amp.GradScaler(device, enabled=bool(scaler), **options)

    def gradients(self, tokens) -> torch.Tensor:
        """Forward and backward; tokens: (batch, length + 1). The undivided loss."""
        self.adam.zero_grad()
        kind = AUTOCAST.get(self.recipe)
        with (float32_products("high" if self.recipe == "tf32" else "highest"),
              torch.autocast(self.device, kind or torch.bfloat16, enabled=kind is not None)):  # fmt: skip
            logits = self.model(tokens[:, :-1])
            loss = F.cross_entropy(logits.float().flatten(0, 1), tokens[:, 1:].flatten())
            self.scaler.scale(loss / self.divisor).backward()
        return loss.detach()

    def update(self) -> None:
        self.scaler.step(self.adam)
        self.scaler.update()

    def step(self, tokens) -> torch.Tensor:
        loss = self.gradients(tokens)
        self.update()
        return loss

    def bytes(self) -> dict[str, int]:
        """Of what outlives a step."""
        weights = list(self.model.parameters())
        moments = [x for state in self.adam.state.values() for x in state.values() if x.dim()]
        return {"weights": nbytes(weights), "gradients": nbytes([p.grad for p in weights]),
                "optimizer": nbytes(moments)}  # fmt: skip


def nbytes(tensors) -> int:
    return sum(x.nbytes for x in tensors)


def measure_products(lab: Lab) -> None:
    sizes = [1024, 2048, 4096, 8192] if not lab.small else [32, 64]
    for row in compare(sizes, lab.device, exact=True, budget_ms=200, repeats=(5, 100)):
        lab.add("products", row)


def measure_steps(lab: Lab, shape: Model) -> None:
    """Time and memory of one training step, one recipe at a time, each from an empty device."""
    recipes = {"fp32": "", "tf32": "", "bf16": "", "fp16": "default", "bf16_pure": ""}
    tokens = Source(shape, lab.device).batch()
    parameters = lab.results["setup"]["step"]["parameters"]
    for recipe, scaler in recipes.items():

        def measure(recipe=recipe, scaler=scaler) -> dict:
            trainer = Trainer(shape, recipe, lab.device, scaler=scaler)
            trainer.step(tokens)  # Adam's moments are there before the measurement
            work = functools.partial(trainer.step, tokens)
            found = costs({recipe: work}, lab.device, budget_ms=600, repeats=(6, 30), rounds=3)[recipe]
            trainer.gradients(tokens)
            sizes = trainer.bytes()
            mib = {f"{name}_mib": round(size / MIB, 1) for name, size in sizes.items()}
            return {"ms": found["ms"], "tokens_per_s": found["ms"] and rate(tokens[:, 1:].numel(), found["ms"]),
                    "peak_mib": found["peak_mib"], **mib,
                    "bytes_per_parameter": significant(sum(sizes.values()) / parameters)}  # fmt: skip

        lab.add("steps", {"recipe": recipe} | attempt(measure))


def train(lab: Lab, shape: Model, batches: list, every: int, lr: float, recipe: str, divisor: int, scaler: str) -> None:
    trainer = Trainer(shape, recipe, lab.device, lr, divisor, scaler)
    losses, scales, skipped, zeros = [], [], [], None
    for i, tokens in enumerate(batches):
        losses.append(trainer.gradients(tokens))
        if i == 10:
            zeros = zero_share(trainer.model)
        scales.append(trainer.scaler.get_scale() if scaler else None)
        trainer.update()
        if scaler and trainer.scaler.get_scale() < scales[-1]:
            skipped.append(i)
    losses = torch.stack(losses).tolist()
    end = next((i for i, loss in enumerate(losses) if not math.isfinite(loss)), None)
    final = None if end is not None else significant(sum(losses[-20:]) / len(losses[-20:]))
    shown = [significant(x) for x in losses[: end or len(losses)][::every]] + [None] * (end is not None)
    lab.add("training", {"recipe": recipe, "divisor": divisor, "scaler": scaler or None, "final": final,
                         "zeros": zeros, "skipped": skipped, "losses": shown,
                         "scales": scales[::every] if scaler else None})  # fmt: skip


def zero_share(model: GPT) -> float:
    """Share of zeros among the gradients; rows of the embedding whose tokens did not occur are not counted."""
    gradients = [p.grad for name, p in model.named_parameters() if name != "token.weight"]
    embedding = model.token.weight.grad
    gradients.append(embedding[embedding.any(-1)])
    return significant(sum((g == 0).sum().item() for g in gradients) / sum(g.numel() for g in gradients))


def measure_training(lab: Lab, shape: Model, steps: int, every: int, lr: float) -> None:
    source = Source(shape, lab.device)
    batches = [source.batch() for _ in range(steps)]  # every run sees the same
    many = 4096
    runs = [("fp32", 1, ""), ("fp32", many, ""), ("tf32", 1, ""), ("bf16", 1, ""), ("bf16", many, ""), ("fp16", 1, ""),
            ("fp16", 64, ""), ("fp16", many, ""), ("fp16", many, "default"), ("fp16", many, "eager"),
            ("fp16", 1, "default"), ("bf16_pure", 1, ""), ("fp16_pure", 1, "")]  # fmt: skip
    for run in runs:
        train(lab, shape, batches, every, lr, *run)


def main(argv: list[str] | None = None) -> dict:
    lab = Lab(__file__, __doc__.splitlines()[0], argv)
    step, training, steps, every = Model(12, 1024, 16, 1024, 16, 32768), Model(4, 256, 4, 256, 64, 512), 300, 5
    if lab.small:
        step, training, steps, every = Model(1, 32, 2, 16, 2, 64), Model(2, 32, 2, 16, 16, 64), 20, 5
    torch.manual_seed(0)
    with lab:
        lr = 1e-3
        models = {"step": step.facts(lab.device), "training": training.facts(lab.device) | {"steps": steps, "lr": lr}}
        lab.put("setup", models | {"entropy": significant(Source.entropy)})
        lab.put("every", every)
        measure_products(lab)
        measure_steps(lab, step)
        measure_training(lab, training, steps, every, lr)
    return lab.results


if __name__ == "__main__":
    main()
