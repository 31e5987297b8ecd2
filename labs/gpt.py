"""A GPT as the labs train it: pre-norm blocks of causal attention and a 4-fold GELU network (Radford et al., 2019)."""

import math

import torch
from torch import nn
from torch.nn import functional as F


class Attention(nn.Module):
    """Multi-head causal attention. `materialised`: scores for every pair of positions, as before FlashAttention."""

    def __init__(self, d: int, heads: int, materialised: bool = False, dropout: float = 0.0):
        super().__init__()
        self.heads, self.materialised, self.dropout = heads, materialised, dropout
        self.qkv = nn.Linear(d, 3 * d)
        self.out = nn.Linear(d, d)

    def core(self, q, k, v):
        """softmax(Q Kᵀ / √d) V; q, k, v: (batch, heads, n, d)."""
        if not self.materialised:
            return F.scaled_dot_product_attention(q, k, v, is_causal=True, dropout_p=self.dropout)
        n = q.shape[-2]
        above = torch.ones(n, n, dtype=torch.bool, device=q.device).triu_(1)
        scores = (q / math.sqrt(q.shape[-1])) @ k.mT  # (batch, heads, n, n)
        weights = scores.masked_fill(above, -math.inf).softmax(-1)
        return F.dropout(weights, self.dropout) @ v

    def forward(self, x, run=lambda core, *inputs: core(*inputs)):
        """x: (batch, n, d). `run` calls the core of the attention: a place for a checkpoint."""
        batch, n, d = x.shape
        q, k, v = self.qkv(x).view(batch, n, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        mixed = run(self.core, q, k, v)  # (batch, heads, n, d / heads)
        return self.out(mixed.transpose(1, 2).reshape(batch, n, d))


class Block(nn.Module):
    """x + attention(norm(x)), then x + network(norm(x)); x: (batch, n, d)."""

    def __init__(self, d: int, heads: int, materialised: bool = False, dropout: float = 0.0):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.attention = Attention(d, heads, materialised, dropout)
        self.up, self.down = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, **options):
        x = x + self.dropout(self.attention(self.norm1(x), **options))
        return x + self.dropout(self.down(F.gelu(self.up(self.norm2(x)))))


class GPT(nn.Module):
    """Logits (batch, n, vocabulary) for tokens (batch, n)."""

    def __init__(self, vocabulary: int, length: int, layers: int, d: int, heads: int):
        super().__init__()
        self.token, self.position = nn.Embedding(vocabulary, d), nn.Embedding(length, d)
        self.blocks = nn.Sequential(*(Block(d, heads) for _ in range(layers)))
        self.norm = nn.LayerNorm(d)
        self.head = nn.Linear(d, vocabulary, bias=False)
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.normal_(parameter, std=0.02)

    def forward(self, tokens):
        x = self.token(tokens) + self.position.weight[: tokens.shape[1]]
        return self.head(self.norm(self.blocks(x)))
