"""Claims: the book's headline sentences, each with evidence that can fail."""

import json
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path

import nbformat

from studyguide.book import outputs
from studyguide.book.cells import Cell, asserts_something
from studyguide.book.chapter import Chapter, Claim
from studyguide.problem import Problem

TAG = "claim-"


@dataclass(frozen=True, slots=True)
class Evidence:
    """A claim with what was measured for it."""

    claim: Claim
    value: str = ""
    """The last line that its cell printed."""
    where: str = ""
    """For labs: device and date of the measurement."""


def cells_of(claim: Claim, cells: list[Cell]) -> list[Cell]:
    """The cells tagged as evidence of `claim`."""
    return [cell for cell in cells if TAG + claim.id in cell.tags]


def check(chapter: Chapter, cells: list[Cell], keys: Container[str]) -> list[Problem]:
    """What is wrong with a chapter's claims: no evidence, evidence that cannot fail, a tag or citation of nothing.

    `keys`: the BibTeX keys of the book.
    """
    name, problems = str(chapter.path), []
    known = {TAG + claim.id for claim in chapter.claims}
    for cell in cells:
        for tag in cell.tags:
            if tag.startswith(TAG) and tag not in known:
                message = f"cell {cell.number} is tagged `{tag}`, but no claim has this id; add it or remove the tag"
                problems.append(Problem(name, cell.line, "unknown-claim", message))
    for claim in chapter.claims:
        if claim.cite and claim.cite not in keys:
            message = f"claim `{claim.id}` cites `{claim.cite}`, which no references.bib has; add the entry"
            problems.append(Problem(name, claim.line, "unknown-citation", message))
        if claim.evidence == "cited":
            continue
        tagged = cells_of(claim, cells)
        if len(tagged) != 1:
            message = f"claim `{claim.id}` needs exactly one cell tagged `{TAG}{claim.id}`; it has {len(tagged)}"
            problems.append(Problem(name, claim.line, "claim-without-evidence", message))
        elif not asserts_something(tagged[0].tree()):
            message = f"the cell of claim `{claim.id}` asserts nothing that can fail; add an `assert`"
            problems.append(Problem(name, tagged[0].line, "claim-without-assertion", message))
    return problems


def evidence(chapter: Chapter, cells: list[Cell], frozen: nbformat.NotebookNode | None, book: Path) -> list[Evidence]:
    """Every claim of the chapter with the value that its cell measured, read from the frozen outputs."""
    done = [cell for cell in frozen.cells if cell.cell_type == "code"] if frozen is not None else []
    result = []
    for claim in chapter.claims:
        tagged = cells_of(claim, cells)
        value = outputs.measured(done[tagged[0].number - 1]) if tagged and len(done) >= tagged[0].number else ""
        where = _lab(frozen, book) if claim.evidence == "lab" else ""
        result.append(Evidence(claim, value, where))
    return result


def _lab(frozen: nbformat.NotebookNode | None, book: Path) -> str:
    """Device and date of the lab results that the chapter read."""
    if frozen is None:
        return ""
    names = [n for n in outputs.Key.from_json(frozen.metadata[outputs.META]).files if n.startswith("labs/results/")]
    facts = [json.loads((book / name).read_text(encoding="utf-8")) for name in names]
    return "；".join(f"{fact['device']['name']}，{fact['date'][:10]}" for fact in facts)
