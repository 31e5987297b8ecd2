"""Synthetic books: the same chapters for every tool, in the dialect that it reads. Pure and deterministic."""

import json
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from studyguide.book import chapter as chapters

SECTIONS = 8
TITLE = "合成的书"


class Dialect(Enum):
    """How a tool wants a chapter written: where the title stands, and how a numbered formula is referred to."""

    STUDYGUIDE = "studyguide"
    """MyST with front matter, as this project's chapters."""
    JUPYTER_BOOK = "jupyter-book"
    """MyST that begins with its title."""
    MKDOCS = "mkdocs"
    """Plain Markdown: a formula has no number."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a chapter stands: its number in the book and its part's, both from 1."""

    number: int
    part: int

    @property
    def path(self) -> str:
        """Path below `chapters`, without the suffix."""
        return f"part-{self.part:02d}/chapter-{self.number:05d}"

    @property
    def title(self) -> str:
        """The chapter's title."""
        return f"第 {self.number} 章的{_SUBJECTS[self.number % len(_SUBJECTS)]}"


_SUBJECTS = ("注意力", "归一化", "分词", "键值缓存", "量化", "混洗", "微调", "解码", "批处理", "残差连接", "位置编码")
_QUALITIES = ("吞吐量", "延迟", "显存占用", "数值误差", "带宽", "并行度", "命中率", "梯度的方差")
_SENTENCES = (
    "我们先看{subject}，它的{quality}决定了其余各步能做到多快。",
    "把 $x_{{{n}}}$ 换成 $y_{{{n}}} = \\alpha x_{{{n}}} + \\beta$ 之后，{quality}不再随长度增长。",
    "**{subject}**常被说成免费的，其实它用{quality}换来了别的东西。",
    "在 `step_{n}` 里，{subject}只读一次输入，{quality}因此减半。",
    "若 $n \\ge {n}$，则{quality}的上界是 $O(n \\log n)$，与{subject}的实现无关。",
    "一个常见的误解是{quality}只与{subject}有关，下面的代码说明并非如此。",
)
_FORMULAS = (
    "\\mathrm{{softmax}}(z)_i = \\frac{{e^{{z_i}}}}{{\\sum_{{j=1}}^{{{n}}} e^{{z_j}}}}",
    "\\hat{{x}} = \\frac{{x - \\mu}}{{\\sqrt{{\\sigma^2 + \\epsilon}}}}, \\quad \\mu = \\frac{{1}}{{{n}}} \\sum_i x_i",
    "L(\\theta) = -\\sum_{{t=1}}^{{{n}}} \\log p_\\theta(x_t \\mid x_{{<t}})",
    "O = \\int_0^{{{n}}} f(t) \\, dt + \\prod_{{k=1}}^{{{n}}} \\left(1 - a_k^2\\right)",
)
_CODE = """\
def step_{n}(values: list[float], scale: float = {n}.0) -> list[float]:
    \"\"\"One step: scale, then subtract the mean.\"\"\"
    scaled = [value * scale for value in values]
    mean = sum(scaled) / len(scaled)
    return [value - mean for value in scaled]


result = step_{n}([1.0, 2.0, 3.0])
assert abs(sum(result)) < 1e-9, "the mean is gone"
for place, value in enumerate(result):
    print(f"{{place}}: {{value:.3f}}")"""


def places(count: int) -> list[Place]:
    """The chapters of a book of `count`, in about as many parts as a part has chapters."""
    parts = math.isqrt(count - 1) + 1 if count else 0
    return [Place(n + 1, n * parts // count + 1) for n in range(count)]


def book(count: int, dialect: Dialect) -> dict[str, str]:
    """The files of a book of `count` chapters: path below the book's folder -> text.

    All but the configuration that one tool needs lies in `chapters`. Every call gives the same text.
    """
    where = places(count)
    pages = {f"chapters/{place.path}.md": _chapter(place, where, dialect) for place in where}
    return {"chapters/index.md": f"# {TITLE}\n\n一共 {count} 章。\n", **pages, **_plans(where, dialect)}


def _chapter(place: Place, where: list[Place], dialect: Dialect) -> str:
    chance = random.Random(place.number)
    sections = [text for n in range(1, SECTIONS + 1) for text in _section(place, n, where, dialect, chance)]
    if dialect is Dialect.STUDYGUIDE:
        fields = {"file_format": "mystnb", "kernelspec": chapters.KERNELSPEC, "title": place.title, "minutes": SECTIONS}
        head = chapters.front_matter({**fields, "status": "complete"})
    else:
        head = f"# {place.title}\n"
    return head + "\n" + "\n\n".join([_paragraph(chance), *sections]) + "\n"


def _section(place: Place, n: int, where: list[Place], dialect: Dialect, chance: random.Random) -> Iterator[str]:
    label = f"eq-{place.number}-{n}"
    numbered = dialect is not Dialect.MKDOCS
    other = chance.choice(where)
    yield f"## 第 {n} 节：{chance.choice(_SUBJECTS)}与{chance.choice(_QUALITIES)}"
    yield _paragraph(chance)
    yield f"$$\n{chance.choice(_FORMULAS).format(n=n + 1)}\n$$" + (f" ({label})" if numbered else "")
    reference = f"由式 {{eq}}`{label}`" if numbered else "由上式"
    yield f"{reference} 并参照 [{other.title}](../{other.path}.md)，{_paragraph(chance)}"
    yield f"```python\n{_CODE.format(n=n)}\n```"
    yield "\n".join(f"- {_sentence(chance)}" for _ in range(3))


def _paragraph(chance: random.Random) -> str:
    return "".join(_sentence(chance) for _ in range(5))


def _sentence(chance: random.Random) -> str:
    sentence = chance.choice(_SENTENCES)
    return sentence.format(subject=chance.choice(_SUBJECTS), quality=chance.choice(_QUALITIES), n=chance.randint(2, 99))


def _plans(where: list[Place], dialect: Dialect) -> dict[str, str]:
    """The files that say how the chapters are arranged. JSON is YAML."""
    parts = {place.part: f"部分 {place.part}" for place in where}
    if dialect is Dialect.STUDYGUIDE:
        plan = {"title": TITLE, "parts": [{"id": f"part-{n:02d}", "title": title} for n, title in parts.items()]}
        return {"chapters/curriculum.yml": _json(plan)}

    def members(part: int) -> list[Place]:
        return [place for place in where if place.part == part]

    if dialect is Dialect.JUPYTER_BOOK:
        listed = [
            {"caption": title, "chapters": [{"file": f"chapters/{place.path}"} for place in members(n)]}
            for n, title in parts.items()
        ]
        toc = {"format": "jb-book", "root": "chapters/index", "parts": listed}
        return {"_config.yml": _json({"title": TITLE}), "_toc.yml": _json(toc)}
    nav = [{title: [f"{place.path}.md" for place in members(n)]} for n, title in parts.items()]
    extensions = ["pymdownx.highlight", "pymdownx.superfences", {"pymdownx.arithmatex": {"generic": True}}]
    config = {
        "site_name": TITLE,
        "docs_dir": "chapters",
        "theme": {"name": "material", "language": "zh"},
        "markdown_extensions": extensions,
        "nav": ["index.md", *nav],
    }
    return {"mkdocs.yml": _json(config)}


def _json(data: dict) -> str:
    return json.dumps(data, ensure_ascii=False, indent=1) + "\n"
