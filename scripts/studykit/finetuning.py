"""One small task for every way of fine-tuning: the GPT that read the Python manual shall read it in CAPITALS.

A capital letter was rare in the first training, so the model has to learn that `THE` is to be read as `the`; what it
knows of words and grammar stays of use. Every method starts from the same weights and sees the same windows.

    model = finetuning.lora(gpt.load("target"), rank=4)
    losses = finetuning.tune(model, finetuning.RATES["lora"])
    finetuning.score(model)                   # (nats on capitals, nats on the manual as it was), on held-out text

A method takes a GPT, freezes what it does not train and returns what to call: tokens (batch, n) -> logits. The GPT that
went in must not be used otherwise afterwards.
"""

import functools
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from studykit import gpt, pretraining

STEPS, ROWS, LENGTH = 100, 8, 128
"""The budget: steps, and windows a step of so many tokens each."""
HELD_OUT = 40 * 256
"""Tokens on which a model is judged."""
MAPS = ("q", "k", "v", "out", "up", "down")
"""The linear maps of a block."""
RATES = {"full": 3e-3, "adapters": 3e-2, "lora": 1e-2, "prefix": 1.0, "prompt": 1.0}
"""For each method the best learning rate of 1e-3, 3e-3, 1e-2, …, 3, by the loss on capitals."""


class Texts(NamedTuple):
    """Tokens: to learn from, and held-out ones in capitals and as they were."""

    training: Tensor
    capitals: Tensor
    manual: Tensor


@functools.cache
def texts() -> Texts:
    """Training and held-out text are split as in the first training, so nobody has seen the held-out paragraphs."""
    training, validation = pretraining.split(pretraining.text())
    encode = gpt.tokenizer.encode
    return Texts(encode(training.upper()), encode(validation.upper())[:HELD_OUT], encode(validation)[:HELD_OUT])


def windows(steps: int = STEPS, seed: int = 0):
    """The (ROWS, LENGTH + 1) windows of each step, the same for every method."""
    training, generator = texts().training, torch.Generator().manual_seed(seed)
    for _ in range(steps):
        starts = torch.randint(len(training) - LENGTH, (ROWS, 1), generator=generator)
        yield training[starts + torch.arange(LENGTH + 1)]


def loss(model: nn.Module, window: Tensor) -> Tensor:
    """Mean -ln p of each token of a window (batch, n + 1) but the first."""
    return F.cross_entropy(model(window[:, :-1]).flatten(0, 1), window[:, 1:].flatten())


def trained(model: nn.Module) -> list[nn.Parameter]:
    """The parameters that `tune` changes."""
    return [p for p in model.parameters() if p.requires_grad]


def tune(model: nn.Module, rate: float, steps: int = STEPS, seed: int = 0) -> list[float]:
    """Train what is not frozen: AdamW, ten steps of warm-up, then a straight line to zero. The loss of each step."""
    parameters, losses = trained(model), []
    optimizer = torch.optim.AdamW(parameters, betas=(0.9, 0.98), weight_decay=0.0)
    for step, window in enumerate(windows(steps, seed)):
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1.0, (step + 1) / 10) * (1 - step / steps)
        found = loss(model, window)
        optimizer.zero_grad()
        found.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        losses.append(found.item())
    return losses


class Score(NamedTuple):
    """Mean -ln p on held-out text, nats a character."""

    capitals: float
    manual: float


@torch.no_grad()
def score(model: nn.Module, window: int = 256) -> Score:
    """How well a model reads capitals, and how well it still reads the manual."""
    return Score(*(
        torch.stack([loss(model, rows) for rows in tokens.view(-1, window).split(ROWS)]).mean().item()
        for tokens in texts()[1:]
    ))  # fmt: skip


def freeze(model: nn.Module) -> nn.Module:
    """No parameter of the model wants a gradient; the model."""
    return model.requires_grad_(False)


class Adapter(nn.Module):
    """y + W_up GELU(W_down y), which changes nothing at first (Houlsby et al., 2019, arXiv:1902.00751)."""

    def __init__(self, d: int, width: int):
        super().__init__()
        self.down, self.up = nn.Linear(d, width), nn.Linear(width, d)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, y: Tensor) -> Tensor:
        """y: (..., d)."""
        return y + self.up(F.gelu(self.down(y)))


def adapters(model: gpt.GPT, width: int = 8) -> gpt.GPT:
    """An Adapter behind the attention and behind the network of every block, before what they came from is added."""
    d = freeze(model).head.in_features
    for block in model.blocks:
        block.attention.out = nn.Sequential(block.attention.out, Adapter(d, width))
        block.down = nn.Sequential(block.down, Adapter(d, width))
    return model


class LoRA(nn.Module):
    """W x + (alpha / rank) B A x with B = 0 at first (Hu et al., 2021, arXiv:2106.09685)."""

    def __init__(self, base: nn.Linear, rank: int, alpha: float):
        super().__init__()
        self.base, self.scale = base, alpha / rank
        self.a = nn.Parameter(torch.randn(rank, base.in_features) / base.in_features**0.5)
        self.b = nn.Parameter(torch.zeros(base.out_features, rank))

    def forward(self, x: Tensor) -> Tensor:
        """x: (..., in_features) -> (..., out_features)."""
        return self.base(x) + self.scale * (x @ self.a.T @ self.b.T)


def lora(model: gpt.GPT, rank: int = 4, alpha: float = 16.0, maps: tuple[str, ...] = MAPS) -> gpt.GPT:
    """A LoRA beside the linear maps of these names in every block."""
    freeze(model)
    for block in model.blocks:
        for owner in (block.attention, block):
            for name in maps:
                if isinstance(getattr(owner, name, None), nn.Linear):
                    setattr(owner, name, LoRA(getattr(owner, name), rank, alpha))
    return model


class Prefix(nn.Module):
    """Learned keys and values in front of every layer's own (Li and Liang, 2021, arXiv:2101.00190).

    keys, values: (layers, heads, length, d / heads), at first those of the first `length` tokens to learn from.
    """

    def __init__(self, model: gpt.GPT, length: int = 8):
        super().__init__()
        self.model, cache = freeze(model), gpt.Cache()
        model(texts().training[None, :length], cache=cache)
        self.keys = nn.Parameter(torch.cat(cache.keys))
        self.values = nn.Parameter(torch.cat(cache.values))

    def forward(self, tokens: Tensor) -> Tensor:
        """tokens: (batch, n), at positions 0 to n - 1."""
        batch, n = tokens.shape
        keys, values = ([x.expand(batch, -1, -1, -1) for x in part] for part in (self.keys, self.values))
        return self.model(tokens, cache=gpt.Cache(keys, values), positions=torch.arange(n))


class Prompt(nn.Module):
    """Learned embeddings in front of those of the tokens (Lester et al., 2021, arXiv:2104.08691).

    prompt: (length, d), at first the embeddings of the first `length` tokens to learn from.
    """

    def __init__(self, model: gpt.GPT, length: int = 8):
        super().__init__()
        self.model = freeze(model)
        self.prompt = nn.Parameter(model.token.weight[texts().training[:length]].clone())
        model.token = _Table(model.token.weight, self.prompt)

    def forward(self, tokens: Tensor) -> Tensor:
        """tokens: (batch, n), at positions from `length` on."""
        length = len(self.prompt)
        virtual = torch.arange(length).expand(len(tokens), -1) + len(gpt.tokenizer)
        return self.model(torch.cat([virtual, tokens], 1))[:, length:]


class _Table(nn.Module):
    """An embedding with more rows than it had."""

    def __init__(self, *parts: Tensor):
        super().__init__()
        self.parts = parts

    def forward(self, tokens: Tensor) -> Tensor:
        return F.embedding(tokens, torch.cat(self.parts))
