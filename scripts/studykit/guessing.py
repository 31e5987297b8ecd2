"""Heads that guess further tokens, and decoding that checks a tree of guesses in one pass (Cai et al., 2024).

    model = gpt.load("target")
    heads, losses = guessing.learn(model)                           three heads, in seconds; the model stays as it is
    tree = guessing.Tree([(0,), (1,), (0, 0), (0, 0, 0)])           paths of ranks: 0 is a head's first choice
    run = guessing.decode(model, heads, tree, "The ", 40, guessing.greedy)
    run.tokens / run.target_passes                                  tokens a pass; plain decoding has 1

The heads may be anything that turns the vector (d,) under the model's own head into logits (count, vocabulary).
"""

import heapq
import itertools
from collections import namedtuple
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from studykit import gpt, pretraining

WINDOW = 256
"""Tokens that a head sees behind one another in training."""


class Heads(nn.Module):
    """`count` heads beside the model's own: head k guesses the token k places after the model's next one.

    Each is a residual block with SiLU, which changes nothing at first, and a copy of the model's output matrix.
    """

    def __init__(self, model: gpt.GPT, count: int):
        super().__init__()
        d = model.head.in_features
        self.inner = nn.Parameter(torch.zeros(count, d, d))
        self.out = nn.Parameter(model.head.weight.detach().T.repeat(count, 1, 1))  # (count, d, vocabulary)

    def forward(self, x: Tensor) -> Tensor:
        """x: (..., d), what the model's head reads. Logits (count, ..., vocabulary)."""
        flat = x.reshape(-1, x.shape[-1])
        logits = (flat + F.silu(flat @ self.inner)) @ self.out  # (count, all places, vocabulary)
        return logits.view(len(logits), *x.shape[:-1], -1)


@torch.no_grad()
def states(model: gpt.GPT, tokens: Tensor) -> Tensor:
    """Vectors (rows, n, d) of the windows (rows, n), computed once: they do not change while heads learn."""
    return torch.cat([model.hidden(rows) for rows in tokens.split(8)])


def windows(tokens: Tensor, rows: int, seed: int = 0) -> Tensor:
    """(rows, WINDOW), cut from tokens (n,) at places drawn without overlap."""
    places = torch.randperm(len(tokens) // WINDOW, generator=torch.Generator().manual_seed(seed))[:rows]
    return tokens[places[:, None] * WINDOW + torch.arange(WINDOW)]


def learn(
    model: gpt.GPT, count: int = 3, steps: int = 300, rows: int = 512, rate: float = 2e-2, seed: int = 0
) -> tuple[Heads, list[float]]:
    """Heads trained on the text that trained the model, which is frozen; and the loss of each step.

    The loss of head k counts 0.8^k. A step sees 8 of `rows` windows.
    """
    text = windows(gpt.tokenizer.encode(pretraining.split(pretraining.text())[0]), rows, seed)
    x, heads, n = states(model, text), Heads(model, count), WINDOW - 1 - count
    right = torch.stack([text[:, 1 + k : 1 + k + n] for k in range(1, count + 1)])  # (count, rows, n)
    weight = 0.8 ** torch.arange(1, count + 1)
    optimizer, losses = torch.optim.Adam(heads.parameters()), []
    generator = torch.Generator().manual_seed(seed)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate * (1 - step / steps)
        some = torch.randint(len(x), (8,), generator=generator)
        logits = heads(x[some, :n])  # (count, 8, n, vocabulary)
        each = F.cross_entropy(logits.flatten(0, 2), right[:, some].flatten(), reduction="none")
        loss = weight @ each.view(count, -1).mean(1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return heads.requires_grad_(False), losses


@torch.no_grad()
def accuracies(model: gpt.GPT, heads: Heads, tokens: Tensor, ranks: int = 10, skip: int = 0) -> Tensor:
    """(count + 1, ranks): how often each choice is the token in tokens (rows, n); row 0 is the model's own head.

    Guesses for the first `skip` + 1 tokens are not counted.
    """
    x = states(model, tokens)
    logits = torch.cat([model.head(x)[None], heads(x)])  # (count + 1, rows, n, vocabulary)
    n = tokens.shape[1] - len(logits)
    right = torch.stack([tokens[:, skip + 1 + k : 1 + k + n] for k in range(len(logits))])
    return (logits[:, :, skip:n].topk(ranks).indices == right[..., None]).double().mean((1, 2))


class Tree:
    """Candidates that share their beginnings. A node is the path of ranks that leads to it; the root is ().

    paths: the nodes, root first, parents before children. parents, depth, rank: (nodes,), of the root -1, 0, -1.
    mask: (nodes, nodes), True where a row's node is a column's or comes after it on its path.
    """

    def __init__(self, paths: Iterable[tuple[int, ...]]):
        self.paths = sorted({(), *paths}, key=lambda path: (len(path), path))
        place = {path: n for n, path in enumerate(self.paths)}
        self.parents = torch.tensor([-1, *(place[path[:-1]] for path in self.paths[1:])])
        self.depth = torch.tensor([len(path) for path in self.paths])
        self.rank = torch.tensor([-1, *(path[-1] for path in self.paths[1:])])
        self.mask = torch.tensor([[row[: len(column)] == column for column in self.paths] for row in self.paths])

    def __len__(self) -> int:
        return len(self.paths)


def cartesian(*widths: int) -> Tree:
    """Every combination of the first widths[k] choices of head k + 1."""
    some = [itertools.product(*map(range, widths[:depth])) for depth in range(1, len(widths) + 1)]
    return Tree(itertools.chain(*some))


def grow(table, nodes: int) -> Tree:
    """The root and the `nodes` guesses with the largest products of accuracies on their paths.

    table: (count, ranks), of the heads without the model's own; not increasing along a row.
    """
    table, paths = [list(map(float, row)) for row in table], []
    waiting = [(-table[0][0], (0,))]
    while len(paths) < nodes:
        value, path = heapq.heappop(waiting)
        paths.append(path)
        *rest, last = path
        row = table[len(rest)]
        if last + 1 < len(row) and row[last]:
            heapq.heappush(waiting, (value / row[last] * row[last + 1], (*rest, last + 1)))
        if len(path) < len(table):
            heapq.heappush(waiting, (value * table[len(path)][0], (*path, 0)))
    return Tree(paths)


def expected(table, tree: Tree) -> float:
    """Tokens a pass if the accuracies in table (count, ranks) were independent: 1 + the sum of products on paths."""
    return 1.0 + sum(
        float(torch.tensor([float(table[k][rank]) for k, rank in enumerate(path)]).prod()) for path in tree.paths[1:]
    )


def plain(logits: Tensor) -> Tensor:
    """The model's probabilities as they are."""
    return logits.softmax(-1)


def greedy(logits: Tensor) -> Tensor:
    """All probability on the first choice."""
    return F.one_hot(logits.argmax(-1), logits.shape[-1]).to(logits.dtype)


def match(tokens: Tensor, p: Tensor, tree: Tree, generator) -> tuple[list[int], Tensor]:
    """Draw from the model and walk down the tree as long as it holds what was drawn: the law stays the model's.

    tokens: (nodes,); p: (nodes, vocabulary), of the token after each node. Returns the nodes kept, root first, and
    the token (1,) after them.
    """
    kept = [0]
    while True:
        drawn = torch.multinomial(p[kept[-1]], 1, generator=generator)
        child = ((tree.parents == kept[-1]) & (tokens == drawn)).nonzero()
        if not len(child):
            return kept, drawn
        kept.append(int(child[0]))


def typical(eps: float = 0.09, delta: float = 0.3) -> Callable:
    """Typical acceptance: a guess stays if its probability is above min(eps, delta exp(-entropy)).

    Of the longest paths the most probable one wins; the token after it is the model's first choice. Not lossless.
    """

    def choose(tokens: Tensor, p: Tensor, tree: Tree, generator=None) -> tuple[list[int], Tensor]:
        bar = (delta * (p * p.clamp(min=1e-30).log()).sum(-1).exp()).clamp(max=eps)  # (nodes,)
        score = {0: (0, 0.0)}  # of the nodes kept: depth, log p of the path
        for n in range(1, len(tree)):
            parent = int(tree.parents[n])
            if parent in score and p[parent, tokens[n]] > bar[parent]:
                score[n] = (score[parent][0] + 1, score[parent][1] + float(p[parent, tokens[n]].log()))
        kept = [max(score, key=score.get)]
        while kept[0]:
            kept.insert(0, int(tree.parents[kept[0]]))
        return kept, p[kept[-1]].argmax(-1, keepdim=True)

    return choose


def keep(cache: gpt.Cache, n: int, nodes: list[int]) -> None:
    """Of what follows the first n tokens in the cache, only `nodes` stay, in this order."""
    rows = torch.cat([torch.arange(n), n + torch.tensor(nodes)])
    cache.keys = [k[:, :, rows] for k in cache.keys]
    cache.values = [v[:, :, rows] for v in cache.values]


Run = namedtuple("Run", "text target_passes draft_passes tokens read rounds cache")
"""The text with its prompt; passes of the model and of the heads; new tokens; tokens read after the prompt; how many
tokens each round gave; the model's cache, which holds all tokens but the last."""


@torch.no_grad()
def decode(
    model: gpt.GPT,
    heads: Callable[[Tensor], Tensor],
    tree: Tree,
    prompt: str,
    n: int,
    law: Callable[[Tensor], Tensor],
    generator: torch.Generator | None = None,
    choose: Callable = match,
) -> Run:
    """Continue the prompt by n tokens; with a tree that is only its root this is plain decoding.

    law: logits -> probabilities (`plain`, `greedy`). choose: which nodes stay (`match`, `typical()`).
    """
    ids, cache = gpt.tokenizer.encode(prompt), gpt.Cache()
    end, rounds, read, width = len(ids) + n, [], 0, int(tree.rank.max()) + 1
    x = model.hidden(ids[None], cache)[0, -1]  # (d,)
    ids = torch.cat([ids, torch.multinomial(law(model.head(x)), 1, generator=generator)])
    while len(ids) < end:
        seen, tokens = len(cache), ids[-1:]  # the root has been written, not read
        if width:
            guesses = heads(x).topk(width).indices  # (count, width)
            tokens = torch.cat([tokens, guesses[tree.depth[1:] - 1, tree.rank[1:]]])  # (nodes,)
        mask = torch.cat([torch.ones(len(tree), seen, dtype=torch.bool), tree.mask], 1)
        out = model.hidden(tokens[None], cache, seen + tree.depth, mask)[0]  # (nodes, d)
        kept, after = choose(tokens, law(model.head(out)), tree, generator)
        fresh = torch.cat([tokens[kept[1:]], after])[: end - len(ids)]
        kept = kept[: len(fresh)]
        keep(cache, seen, kept)
        ids, x = torch.cat([ids, fresh]), out[kept[-1]]
        rounds.append(len(fresh))
        read += len(tokens)
    return Run(gpt.tokenizer.decode(ids), 1 + len(rounds), len(rounds), n, read, rounds, cache)
