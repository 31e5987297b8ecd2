"""Decoding in steps of fixed shape over a cache of fixed size, so that a CUDA graph can hold a whole step.

A batch of sequences lies in `text` (batch, slots). The keys and values of the first `start` tokens of a sequence are in
the cache; the token at `start` is known and not yet fed. One step feeds that token together with guesses of what
follows, asks the model what it would have chosen after each, keeps the guesses that agree and the model's own choice
after them, and moves `start` on. Without guesses this is plain decoding. Sequences of a batch advance at their own
pace; one that has all its tokens stands still, and the batch is done when all have.

What is masked is never read: a rejected guess stays in its slot of the cache until another token overwrites it.
"""

from __future__ import annotations

import copy
import itertools
import time

import torch
from common import figure, in_graph, significant
from gpt import GPT
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel


class Tree:
    """Nodes fed in one step. `parents`: of each node an earlier node, of node 0, the root, -1.

    depth (nodes,); above (nodes, nodes): whether the column is the row's ancestor or the row itself;
    path (nodes, deepest + 1): the nodes from the root to this one, which then repeats.
    """

    def __init__(self, parents: list[int], device: str):
        paths = [[0]]
        for node, parent in enumerate(parents[1:], 1):
            paths.append([*paths[parent], node])
        self.nodes, self.deepest = len(parents), max(map(len, paths)) - 1
        above = torch.zeros(self.nodes, self.nodes, dtype=torch.bool)
        for node, path in enumerate(paths):
            above[node, path] = True
        ends = torch.tensor([[True, False]]).expand(self.nodes, 2)
        table = torch.cat([ends[:, :1], above, ends[:, 1:]], 1)  # what a node sees: all before, its path, nothing after
        self.parents = torch.tensor([max(parent, 0) for parent in parents], device=device)
        self.depth = torch.tensor([len(path) - 1 for path in paths], device=device)
        self.path = torch.tensor([path + path[-1:] * (self.deepest + 1 - len(path)) for path in paths], device=device)
        self.above = above.float().to(device)
        self.table = torch.zeros(table.shape).masked_fill(~table, -torch.inf).to(device)

    def mask(self, start: torch.Tensor, slots: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        """What is added to the scores, (batch, 1, nodes, slots); start: (batch,), slots: 0, 1, ..."""
        column = (slots - start[:, None]).clamp_(-1, self.nodes) + 1  # (batch, slots)
        return self.table.to(dtype)[:, column].transpose(0, 1).unsqueeze(1).contiguous()


def chain(nodes: int, device: str) -> Tree:
    return Tree(list(range(-1, nodes - 1)), device)


class Static:
    """A GPT with a cache for `batch` sequences of `slots` tokens. `branches`: blocks that each follow the last one.

    A call feeds tokens (batch, nodes) into the slots from start (batch,) on, and returns what its last blocks give,
    (batch, nodes, branches or 1, d).
    """

    def __init__(self, model: GPT, batch: int, slots: int, dtype: torch.dtype, branches=()):
        model = copy.deepcopy(model).to(dtype).eval()
        self.model, self.branches, self.slots = model, copy.deepcopy(branches).to(dtype) if branches else (), slots
        device = model.token.weight.device
        layers = len(model.blocks) + len(self.branches)
        self.cache = torch.zeros(layers, 2, batch * slots, model.token.weight.shape[1], dtype=dtype, device=device)
        self.head = model.head.weight.float()  # so that two logits are seldom equal
        self.every_slot = torch.arange(slots, device=device)
        self.row = torch.arange(batch, device=device)[:, None] * slots
        self.prompt_tree = None

    @torch.no_grad()
    def __call__(self, tokens: torch.Tensor, start: torch.Tensor, tree: Tree) -> torch.Tensor:
        model = self.model
        places = (self.row + start[:, None] + self.every_slot[: tree.nodes]).flatten()
        mask = tree.mask(start, self.every_slot, self.cache.dtype)
        x = model.token(tokens) + model.position(start[:, None] + tree.depth)
        with sdpa_kernel([SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]):
            for layer, block in enumerate(model.blocks):
                x = self.block(layer, block, x, places, mask)
            ends = [self.block(len(model.blocks) + i, block, x, places, mask) for i, block in enumerate(self.branches)]
        return torch.stack(ends or [x], 2)

    def block(self, layer: int, block, x, places, mask):
        """As gpt.Block, with the keys and values of all slots; x: (batch, nodes, d)."""
        (batch, nodes, d), heads = x.shape, block.attention.heads
        qkv = block.attention.qkv(block.norm1(x)).view(batch * nodes, 3, d)
        self.cache[layer].index_copy_(1, places, qkv[:, 1:].transpose(0, 1))
        q = qkv[:, 0].view(batch, nodes, heads, -1).transpose(1, 2)
        k, v = self.cache[layer].view(2, batch, self.slots, heads, -1).transpose(2, 3)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask.expand(-1, heads, -1, -1))
        x = x + block.attention.out(mixed.transpose(1, 2).reshape(batch, nodes, d))
        return x + block.down(F.gelu(block.up(block.norm2(x))))

    @torch.no_grad()
    def logits(self, x: torch.Tensor) -> torch.Tensor:
        """(..., vocabulary) in float32, from what the last block gives."""
        return F.linear(self.model.norm(x).float(), self.head)

    def prefill(self, prompts: torch.Tensor) -> torch.Tensor:
        """Feed prompts (batch, length) from slot 0 on; what the last blocks give at the last token."""
        if self.prompt_tree is None or self.prompt_tree.nodes != prompts.shape[1]:
            self.prompt_tree = chain(prompts.shape[1], str(prompts.device))
        return self(prompts, torch.zeros_like(prompts[:, 0]), self.prompt_tree)[:, -1]

    def gather(self, start: torch.Tensor, path: torch.Tensor) -> None:
        """Move the keys and values of a path, (batch, nodes) offsets from start, to the slots from start on."""
        source = (self.row + start[:, None] + path).flatten()
        places = (self.row + start[:, None] + self.every_slot[: path.shape[1]]).flatten()
        self.cache.index_copy_(2, places, self.cache.index_select(2, source))


def draw(probabilities: torch.Tensor) -> torch.Tensor:
    """One sample of each row (..., vocabulary), which need not sum to 1: the Gumbel-max trick without logarithms."""
    return (probabilities / torch.empty_like(probabilities).exponential_()).argmax(-1)


def choose(logits: torch.Tensor, temperature: float, top_p: float = 1.0) -> torch.Tensor:
    """A token for each row (..., vocabulary); temperature 0: the most probable."""
    if not temperature:
        return logits.argmax(-1)
    p = (logits / temperature).softmax(-1)
    if top_p < 1:
        ordered, order = p.sort(-1, descending=True)
        outside = ordered.cumsum(-1) - ordered >= top_p  # the likelier ones reach top_p without it
        p = torch.zeros_like(p).scatter(-1, order, ordered.masked_fill(outside, 0))
    return draw(p)


class Decoder:
    """Carries `batch` sequences `new` tokens on. Subclasses say what one step does.

    histogram[i]: how many steps of a sequence that still wanted tokens kept i guesses.
    """

    def __init__(self, target: Static, models: list[Static], new: int, guesses: int, device: str):
        batch = len(target.row)
        self.target, self.models, self.new, self.guesses, self.device = target, models, new, guesses, device
        self.text = torch.zeros(batch, target.slots, dtype=torch.long, device=device)
        self.start = torch.zeros(batch, dtype=torch.long, device=device)
        self.limit = torch.zeros((), dtype=torch.long, device=device)
        self.histogram = torch.zeros(guesses + 1, dtype=torch.long, device=device)
        self.replay = None

    def step(self) -> None:
        raise NotImplementedError

    def prefilled(self, features: torch.Tensor) -> None:
        """Told what the target gives at the last token but one of the prompts: (batch, branches, d)."""

    def advance(self, accepted: torch.Tensor, tokens: torch.Tensor) -> None:
        """tokens: (batch, guesses + 1) after the one at start, of which accepted + 1 are kept; accepted: (batch,)."""
        active = (self.start < self.limit).long()
        places = self.start[:, None] + 1 + self.target.every_slot[: tokens.shape[1]]
        self.text.scatter_(1, places, tokens)
        self.histogram.scatter_add_(0, accepted, active)
        self.start.add_((accepted + 1) * active)

    def reset(self, prompts: torch.Tensor, seed: int = 0) -> None:
        torch.manual_seed(seed)
        length = prompts.shape[1]
        self.text[:, :length] = prompts
        self.start.fill_(length - 1)
        self.limit.fill_(length - 1 + self.new)
        features = [model.prefill(prompts[:, :-1]) for model in self.models]
        self.prefilled(features[0])

    @torch.no_grad()
    def capture(self) -> None:
        """Make `replay`: one step, as a CUDA graph where there is one; amid the slots, so a draft can look back."""
        self.start.fill_(self.target.slots // 2)
        self.replay = in_graph(torch.no_grad()(self.step), 1, self.device)

    def run(self, prompts: torch.Tensor, seed: int = 0) -> int:
        """Decode until every sequence has its tokens; how many steps it took."""
        self.reset(prompts, seed)
        steps = 0
        while (self.start < self.limit).any():
            self.replay()
            steps += 1
        return steps

    def seconds(self, prompts: torch.Tensor, steps: int, seed: int = 0) -> float:
        """Time of so many steps, the prompts' own left out."""
        self.reset(prompts, seed)
        if self.device == "cpu":
            begin = time.perf_counter()
            for _ in range(steps):
                self.replay()
            return time.perf_counter() - begin
        first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize()
        first.record()
        for _ in range(steps):
            self.replay()
        last.record()
        torch.cuda.synchronize()
        return first.elapsed_time(last) / 1e3


class Plain(Decoder):
    """One token a step."""

    def __init__(self, target: Static, new: int, device: str, temperature: float = 0.0, top_p: float = 1.0):
        super().__init__(target, [target], new, 0, device)
        self.temperature, self.top_p, self.tree = temperature, top_p, chain(1, device)

    def step(self) -> None:
        features = self.target(self.text.gather(1, self.start[:, None]), self.start, self.tree)
        tokens = choose(self.target.logits(features[:, :, 0]), self.temperature, self.top_p)
        self.advance(torch.zeros_like(self.start), tokens)


class TreeDecoder(Decoder):
    """Greedy decoding with a tree of guesses: node i guesses the rank[i]-th choice of the guesser of its depth.

    `guess`: from what the target's last blocks give at a token, (batch, branches, d), the choices for the tokens after
    the next one, (batch, guessers, choices), the likeliest first.
    """

    def __init__(self, target: Static, new: int, tree: Tree, rank: list[int], guess, device: str):
        super().__init__(target, [target], new, tree.deepest, device)
        self.tree, self.guess = tree, guess
        self.rank = torch.tensor(rank[1:], device=device, dtype=torch.long)
        self.chained = tree.nodes == tree.deepest + 1
        self.choices = guess(torch.zeros_like(target.model.position.weight[:1, None]).expand(
            len(target.row), max(1, len(target.branches)), -1))  # fmt: skip

    def prefilled(self, features: torch.Tensor) -> None:
        self.choices.copy_(self.guess(features))

    def step(self) -> None:
        tree, rows = self.tree, torch.arange(len(self.start), device=self.device)
        guesses = self.choices[:, tree.depth[1:] - 1, self.rank]  # (batch, nodes - 1)
        tokens = torch.cat([self.text.gather(1, self.start[:, None]), guesses], 1)
        features = self.target(tokens, self.start, tree)
        best = self.target.logits(features[:, :, 0]).argmax(-1)  # (batch, nodes)
        wrong = (tokens != best[:, tree.parents]).float()
        wrong[:, 0] = 0
        kept = wrong @ tree.above.T == 0  # no node on the way from the root is wrong
        last = (kept * (tree.depth + 1)).argmax(1)  # (batch,): the deepest
        path = tree.path[last]  # (batch, deepest + 1)
        if not self.chained:
            self.target.gather(self.start, path)
        self.choices.copy_(self.guess(features[rows, last]))
        self.advance(tree.depth[last], best.gather(1, path))


def race(decoders: dict[str, Decoder], groups: list[torch.Tensor], repeats: int) -> dict[str, dict]:
    """Decode all groups of prompts with each decoder, in turns: {steps, seconds, histogram, texts} of each.

    The first round counts the steps that each group needs, which the timed rounds then replay without asking the device
    whether it is done. A sampling decoder draws the same tokens again, because its seed is that of the group.
    """
    found = {}
    for name, decoder in decoders.items():
        decoder.capture()
        decoder.histogram.zero_()
        steps, texts = [], []
        for seed, prompts in enumerate(groups):
            steps.append(decoder.run(prompts, seed))
            texts.append(decoder.text[:, : prompts.shape[1] + decoder.new].clone())
        histogram = decoder.histogram.tolist()
        found[name] = {"steps": steps, "seconds": [], "histogram": histogram, "texts": torch.cat(texts)}
    for turn in range(repeats):
        for name in list(decoders)[:: -1 if turn % 2 else 1]:
            row = found[name]
            times = [decoders[name].seconds(*group, seed)
                     for seed, group in enumerate(zip(groups, row["steps"], strict=True))]  # fmt: skip
            row["seconds"].append(sum(times))
    return found


def pace(row: dict, plain: dict) -> dict:
    """From two results of `race`: tokens a step, its time, and the speed-up over plain decoding.

    {tokens_per_step, step_ms: figure, plain_ms: figure, speedup: figure, steady}. speedup: by the wall clock, until
    the last sequence of a batch has its tokens. steady: tokens a step of the sequences that still want some, over what
    a step costs in plain steps; what a server sees that fills the place of a sequence that is done.
    """
    step = figure([1e3 * seconds / sum(row["steps"]) for seconds in row["seconds"]])
    plain_step = figure([1e3 * seconds / sum(plain["steps"]) for seconds in plain["seconds"]])
    plain_seconds = figure(plain["seconds"])["median"]
    tokens = kept(row["histogram"]) / sum(row["histogram"]) + 1
    return {"tokens_per_step": significant(tokens), "step_ms": step, "plain_ms": plain_step,
            "speedup": figure([plain_seconds / seconds for seconds in row["seconds"]]),
            "steady": significant(tokens * plain_step["median"] / step["median"])}  # fmt: skip


def kept(histogram: list[int]) -> int:
    """Guesses that were kept in all."""
    return sum(i * count for i, count in enumerate(histogram))


def acceptance(histogram: list[int]) -> list[float | None]:
    """Share of the guesses of each depth that were kept, of those whose predecessors were."""
    reached = [sum(histogram[i:]) for i in range(len(histogram))]
    return [significant(b / a) if a else None for a, b in itertools.pairwise(reached)]


def differing(texts: torch.Tensor, others: torch.Tensor) -> int:
    """How many sequences are not the same."""
    return int((texts != others).any(1).sum())
