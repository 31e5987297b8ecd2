"""The prerequisite graph as a picture: which arrows to draw, and where everything stands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Graph = Mapping[str, Sequence[str]]
"""Chapter id -> ids that it requires; every id is a key, requirements come before what needs them."""


def ancestors(graph: Graph) -> dict[str, set[str]]:
    """Everything that each chapter rests on, near and far."""
    known: dict[str, set[str]] = {}

    def visit(node: str) -> set[str]:
        if node not in known:
            known[node] = set()
            known[node] = set(graph[node]).union(*(visit(need) for need in graph[node]))
        return known[node]

    for node in graph:
        visit(node)
    return known


def reduced(graph: Graph) -> dict[str, list[str]]:
    """The same order with as few arrows as possible: a requirement that follows from another one is dropped."""
    above = ancestors(graph)
    return {
        node: [need for need in needs if not any(need in above[other] for other in needs if other != need)]
        for node, needs in graph.items()
    }


def route(graph: Graph, goal: str) -> list[str]:
    """What to read to reach `goal`, in the order of `graph`, with the goal last."""
    needed = ancestors(graph)[goal]
    return [*(node for node in graph if node in needed), goal]


@dataclass(frozen=True, slots=True)
class Placed:
    """A chapter's place in the picture: its layer from the top, and its place from 0 to 1 across."""

    layer: int
    across: float


def place(graph: Graph, sweeps: int = 8, widest: int = 8) -> dict[str, Placed]:
    """Layers by longest path, the order inside a layer by the mean of the neighbours' places (Sugiyama's heuristic).

    Deterministic: ties keep the order of `graph`. A layer of more than `widest` chapters takes several lines.
    """
    above = reduced(graph)
    below: dict[str, list[str]] = {node: [] for node in graph}
    layer: dict[str, int] = {}

    def depth(node: str) -> int:
        if node not in layer:
            layer[node] = 1 + max(map(depth, above[node]), default=-1)
        return layer[node]

    for node, needs in above.items():
        depth(node)
        for need in needs:
            below[need].append(node)
    # What nothing stands above moves down to just over what needs it, so that its arrows stay short.
    for node in graph:
        if not above[node] and below[node]:
            layer[node] = min(layer[other] for other in below[node]) - 1
    rows: list[list[str]] = [[] for _ in range(max(layer.values(), default=-1) + 1)]
    for node in graph:
        rows[layer[node]].append(node)
    across = {node: (n + 0.5) / len(row) for row in rows for n, node in enumerate(row)}
    for sweep in range(sweeps):
        neighbours = above if sweep % 2 == 0 else below
        for row in rows if sweep % 2 == 0 else reversed(rows):
            mean = {
                node: sum(across[m] for m in neighbours[node]) / len(neighbours[node])
                if neighbours[node]
                else across[node]
                for node in row
            }
            row.sort(key=mean.__getitem__)
            for n, node in enumerate(row):
                across[node] = (n + 0.5) / len(row)
    lines = [row[n : n + widest] for row in rows for n in range(0, len(row), widest)]
    return {node: Placed(y, (n + 0.5) / len(line)) for y, line in enumerate(lines) for n, node in enumerate(line)}
