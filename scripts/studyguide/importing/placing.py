"""Placing: the chapter of the curriculum that an article is nearest to, from the terms that it uses."""

import math
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass

from studyguide.book.curriculum import Concept, Curriculum, PlannedChapter

UNSORTED = "unsorted"
"""Id of the part that takes what fits nowhere."""
UNSORTED_TITLE = "未归类"
THRESHOLD = 0.27
"""Below this score an article fits nowhere: fewer than about two terms of one chapter, however often they occur."""
_READ = 6000
"""Characters of an article that placing looks at."""
_HALF = 8.0
"""Sum of term weights that gives the score 0.5."""
_SHORT, _LENGTH = 400, 0.3
"""Characters up to which a text is short; how fast evidence loses worth beyond."""
_TITLE, _TAG = 3, 2
"""How often a term of the title, of a tag, counts."""
_TELLING = 0.8
"""Terms less specific than this (模块, 秩, PI) do not make a text require the chapter that defines them."""
_BUILT_ON = 0.5
"""A chapter that requires another is that likely to use a given term of it, so the term tells less."""
_NEIGHBOURS = 0.2
"""Share of what speaks for the other chapters of a part that speaks for each of it."""
_OFTEN = 4
"""More occurrences of a term than this say no more."""
_HINT, _SUBJECT = 0.2, 1.5
"""Share of a term's weight that a word of it has, that the term a chapter's title begins with has."""

_UNIT = re.compile(r"[A-Za-z][A-Za-z0-9_+]*|[0-9]+[A-Za-z0-9_]*|[\u3400-\u9fff]|[^\s]")
_LOOSE = re.compile(r"(?<=[A-Za-z0-9])[-‐‑–](?=[A-Za-z0-9])|(?<=[\u3400-\u9fff])的(?=[\u3400-\u9fff])")
_ACRONYM = re.compile(r"[A-Z][A-Z0-9]{0,3}")
_SPLIT = re.compile(r"\s*[/、，,：:；;()（）]\s*|\s+与\s+|\s+和\s+|\s+and\s+|\s+or\s+")
_FUNCTION = re.compile("为什么|什么|时候|怎样|[的与和从到用在是把让之后]")
_COMMON = frozenset(
    re.findall(
        r"\w+",
        """a an the of to in on for from with by via and or vs versus at is are what when how really needed use using
        your instead without trading key value query values keys tag half map reduce view heap stage local tree measure
        state alpha lambda repeat training mode models model learning memory i ii one two""",
    )
)
"""English words that terms of the vocabulary share with any text."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where an article belongs, how sure that is, and why."""

    part: str
    chapter: PlannedChapter | None
    """The planned chapter that it is nearest to; None if it fits nowhere."""
    score: float
    """0 to 1."""
    reason: str
    """The terms that decided, the weightiest first."""


def units(text: str) -> list[str]:
    """`text` as words, single Han characters and single signs.

    Hyphens inside words are lost, as in listing dumps; so is 的, for 二次的复杂度 is 二次复杂度.
    """
    text = _LOOSE.sub("", unicodedata.normalize("NFKC", text))
    return [unit if _ACRONYM.fullmatch(unit) else unit.lower() for unit in _UNIT.findall(text)]


class Vocabulary:
    """The terms of a curriculum, each with the chapters that use it and a weight."""

    def __init__(self, curriculum: Curriculum):
        self._curriculum = curriculum
        uses: dict[str, dict[str, float]] = {}
        self._names: dict[str, str] = {}
        self._longest: dict[str, int] = {}
        self.definers: dict[str, str] = {}
        """Key of a term -> id of the one planned chapter that defines it."""
        translations = _translations(curriculum)
        for chapter in curriculum.chapters.values():
            part = curriculum.part(chapter.part)
            names = [chapter.title, chapter.title_en]
            self._add(uses, chapter.id, _pieces(part.title), _HINT)
            for concept in chapter.concepts:
                own = [concept.zh, concept.en, *concept.aliases, *_mixed(concept, translations)]
                for key in self._add(uses, chapter.id, [piece for name in own for piece in _pieces(name)], 1.0):
                    if _specific(self._names[key]) < _TELLING:
                        continue
                    self.definers[key] = "" if self.definers.get(key, chapter.id) != chapter.id else chapter.id
                names += own
            self._add(uses, chapter.id, [word for name in names for word in _words(name)], _HINT)
            self._add(uses, chapter.id, [word for name in names[:2] for word in _words(name)], 2 * _HINT)
            self._add(uses, chapter.id, [*_pieces(chapter.title), *_pieces(chapter.title_en)], 1.0)
            self._add(uses, chapter.id, [_SPLIT.split(t)[0] for t in (chapter.title, chapter.title_en) if t], _SUBJECT)
        count = max(len(curriculum.chapters), 1)
        builders = Counter(need for chapter in curriculum.chapters.values() for need in chapter.requires)
        self._weights = {
            key: {
                chapter: share
                * _specific(self._names[key])
                * math.log(1 + count / (len(chapters) + _BUILT_ON * sum(builders[c] for c in chapters)))
                for chapter, share in chapters.items()
            }
            for key, chapters in uses.items()
        }
        self._uses = uses

    def _add(self, uses, chapter: str, names: list[str], share: float) -> list[str]:
        keys = []
        for name in names:
            parts = units(name)
            key = "".join(parts)
            if not key or key in _COMMON or not any(map(str.isalnum, key)):
                continue
            self._names.setdefault(key, name)
            self._longest[parts[0]] = max(self._longest.get(parts[0], 0), len(parts), 4)
            chapters = uses.setdefault(key, {})
            chapters[chapter] = max(chapters.get(chapter, 0.0), share)
            keys.append(key)
        return keys

    def terms(self, text: str) -> Counter[str]:
        """How often each term of the vocabulary stands in `text`; of two that overlap the longer one counts."""
        found: Counter[str] = Counter()
        row = units(text)
        n = 0
        while n < len(row):
            step = 1
            for length in range(min(self._longest.get(row[n], 0), len(row) - n), 0, -1):
                key = "".join(row[n : n + length])
                if key in self._weights:
                    found[key] += 1
                    # Part of a name may begin a whole one: 线性 in 线性注意力.
                    step = length if max(self._uses[key].values()) >= 1 else 1
                    break
            n += step
        return found

    def place(self, title: str, text: str, tags: tuple[str, ...] = (), part: str = "") -> Placement:
        """Where an article belongs; with `part`, where in that part."""
        found = self.terms(text[:_READ])
        for key, times in self.terms(title[:_READ]).items():
            found[key] += _TITLE * times
        for key, times in self.terms(" , ".join(tags)[:_READ]).items():
            found[key] += _TAG * times
        totals: Counter[str] = Counter()
        shares: dict[str, list[tuple[float, str]]] = {}
        breadth: Counter[str] = Counter()
        for key, times in sorted(found.items()):
            for chapter, weight in self._weights[key].items():
                worth = weight * (1 + math.log(min(times, _OFTEN)))
                totals[chapter] += worth
                breadth[chapter] += min(self._uses[key][chapter] * _specific(self._names[key]), 1.0)
                shares.setdefault(chapter, []).append((worth, self._names[key]))
        order = list(self._curriculum.chapters)
        # A long text uses more terms by chance than a short one.
        length = 1 + _LENGTH * math.log(max(len(text[:_READ]), _SHORT) / _SHORT)
        for chapter, terms in breadth.items():
            totals[chapter] *= (1 - 0.5**terms) / length  # one term alone may be chance
        support: Counter[str] = Counter()
        for chapter, total in totals.items():
            support[self._curriculum.chapters[chapter].part] += total
        for chapter, total in totals.items():
            totals[chapter] = total + _NEIGHBOURS * (support[self._curriculum.chapters[chapter].part] - total)
        ranked = sorted(totals, key=lambda c: (-totals[c], order.index(c)))
        if part:
            ranked = [c for c in ranked if self._curriculum.chapters[c].part == part]
        if not ranked:
            return Placement(part or UNSORTED, None, 0.0, "no term of the curriculum")
        best = self._curriculum.chapters[ranked[0]]
        score = round(totals[best.id] / (totals[best.id] + _HALF), 3)
        terms = [name for _, name in sorted(shares[best.id], key=lambda s: (-s[0], s[1]))[:5]]
        reason = f"{best.id}: {', '.join(terms)}"
        if score < THRESHOLD:
            return Placement(part or UNSORTED, None, score, f"too few terms ({reason})")
        return Placement(best.part, best, score, reason)


def _pieces(name: str) -> list[str]:
    """A name and, if it joins several (`A/B`, `A：B 与 C`), each of them."""
    pieces = [piece for piece in _SPLIT.split(name) if piece != name]
    return [name, *(piece for piece in pieces if _specific(piece) >= 0.4)]


def _words(name: str) -> list[str]:
    """English words and pairs of Han characters of a name: what is left of a term when a text puts it otherwise."""
    han = [run for run in re.findall(r"[\u3400-\u9fff]{4,}", name) for run in _FUNCTION.split(run)]
    return re.findall(r"[A-Za-z][A-Za-z-]{3,}", name) + [run[n : n + 2] for run in han for n in range(len(run) - 1)]


def _translations(curriculum: Curriculum) -> list[tuple[str, str]]:
    """Pairs like (注意力, attention) with which at least three terms and their English end."""
    ends: Counter[tuple[str, str]] = Counter()
    for chapter in curriculum.chapters.values():
        for concept in chapter.concepts:
            word = concept.en.split(" ")[-1]
            ends.update((concept.zh[-n:], word) for n in (2, 3) if len(concept.zh) > n and word.isascii())
    return sorted(pair for pair, count in ends.items() if count >= 3 and pair[1])


def _mixed(concept: Concept, translations: list[tuple[str, str]]) -> list[str]:
    """A term as Chinese technical prose mixes it: 线性Attention for 线性注意力."""
    return [
        concept.zh.removesuffix(han) + word
        for han, word in translations
        if concept.zh.endswith(han) and concept.zh != han and concept.en.endswith(word)
    ]


def _specific(name: str) -> float:
    """How little a term means outside of its field, from its length: 秩 says less than 投机解码, PI less than BPTT."""
    row = units(name)
    han = sum(1 for unit in row if "\u3400" <= unit[0] <= "\u9fff")
    words = [len(unit) for unit in row if unit[0].isascii() and unit[0].isalpha()]
    weight = (0.0, 0.1, 0.5, 0.9)[han] if han < 4 else 1.2
    weight += sum(0.15 if n == 1 else 0.4 if n == 2 else 0.9 if n < 8 else 1.2 for n in words)
    return min(weight, 1.6)
