"""The first page: a cover drawn from the plan, the map of prerequisites, routes to where a reader wants to get."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from markupsafe import Markup, escape

from studyguide.site import graph
from studyguide.site.book import Book
from studyguide.site.sidebar import ACCENTS

WIDTH, ROW, MARGIN = 960, 82, 30
"""Units of the map: its width, the height of a layer, the space above and below."""
MOST = 150
"""Chapters that a map can show and still be read."""


@dataclass(frozen=True, slots=True)
class Stop:
    """A chapter, written or planned, as the first page shows it."""

    id: str
    title: str
    accent: int
    minutes: int
    docname: str
    """"" if it is not written yet."""
    elective: bool

    @property
    def short(self) -> str:
        """The title without what follows its first colon."""
        return self.title.partition("：")[0]


def stops(book: Book) -> dict[str, Stop]:
    """Every chapter by id: part by part, written ones with the facts of their files."""
    found: dict[str, Stop] = {}
    for n, part in enumerate(book.plan.parts):
        accent = n % ACCENTS + 1
        written = {c.id: c for c in book.chapters.values() if c.part == part.id}
        planned = {c.id: c for c in part.chapters}
        for chapter_id in dict.fromkeys([*planned, *written]):
            chapter, plan = written.get(chapter_id), planned.get(chapter_id)
            found[chapter_id] = Stop(
                chapter_id,
                (chapter or plan).title,
                accent,
                (chapter and chapter.minutes) or (plan.minutes if plan else 0),
                f"chapters/{part.id}/{chapter_id}" if chapter else "",
                bool(plan and plan.elective),
            )
    return found


def requirements(book: Book) -> dict[str, list[str]]:
    """Chapter id -> ids that it requires, in the order of `stops`."""
    known = stops(book)
    return {
        chapter_id: [
            n for n in (book.chapters.get(chapter_id) or book.plan.chapters[chapter_id]).requires if n in known
        ]
        for chapter_id in known
    }


def cover(book: Book) -> Markup:
    """The fore-edge of the book: a stroke for every chapter, as long as it takes to read, in the colour of its part."""
    lines, x = [], 0.0
    longest = max((stop.minutes for stop in stops(book).values()), default=1) or 1
    accent = None
    for stop in stops(book).values():
        if accent not in (None, stop.accent):
            x += 14
        accent = stop.accent
        height = 30 + 120 * (stop.minutes or 30) / longest
        lines.append(f'<path data-part="{stop.accent}" d="M{x:g} 160v-{height:.0f}"/>')
        x += 9
    box = f"-3 0 {x + 3:g} 160"
    return Markup(f'<svg class="cover-art" viewBox="{box}" aria-hidden="true" focusable="false">{"".join(lines)}</svg>')


def duration(minutes: int) -> str:
    """260 -> 4 小时 20 分."""
    hours, rest = divmod(minutes, 60)
    return " ".join(filter(None, [f"{hours} 小时" if hours else "", f"{rest} 分" if rest or not hours else ""]))


def chart(book: Book, uri: Callable[[str], str]) -> Markup:
    """The map: every chapter below what it needs; "" if there is nothing to see in one.

    `uri`: docname -> address relative to the page. Chapters outside the plan that need nothing and that nothing needs
    are left out.
    """
    known, needs = stops(book), requirements(book)
    tied = {need for above in needs.values() for need in above} | set(book.plan.chapters)
    needs = {chapter_id: above for chapter_id, above in needs.items() if above or chapter_id in tied}
    known = {chapter_id: known[chapter_id] for chapter_id in needs}
    if not any(needs.values()) or len(needs) > MOST:
        return Markup("")
    places = graph.place(needs)
    layers = max((p.layer for p in places.values()), default=0) + 1

    def point(chapter_id: str) -> tuple[float, float]:
        here = places[chapter_id]
        return round(here.across * WIDTH, 1), MARGIN + here.layer * ROW

    rows = Counter(here.layer for here in places.values())
    labels = {c: _wrapped(s.short, WIDTH / rows[places[c].layer] / 14 - 1) for c, s in known.items()}
    edges = []
    for chapter_id, above in graph.reduced(needs).items():
        x2, y2 = point(chapter_id)
        for need in above:
            x1, y1 = point(need)
            y1 += 12 + 17 * len(labels[need])
            bend = min(14 + (y2 - y1) * 0.3, 80)
            edges.append(
                f'<path data-from="{need}" data-to="{chapter_id}" '
                f'd="M{x1:g} {y1:g}C{x1:g} {y1 + bend:g} {x2:g} {y2 - 8 - bend:g} {x2:g} {y2 - 8:g}"/>'
            )
    nodes = []
    for chapter_id, stop in known.items():
        x, y = point(chapter_id)
        row = sum(1 for p in places.values() if p.layer == places[chapter_id].layer)
        lines = _wrapped(stop.short, WIDTH / row / 14 - 1)
        label = "".join(
            f'<tspan x="{x:g}" dy="{17 if n else 0}">{escape(line)}</tspan>' for n, line in enumerate(lines)
        )
        inner = f'<circle cx="{x:g}" cy="{y:g}" r="5"/><text x="{x:g}" y="{y + 22:g}">{label}</text>'
        facts = f'data-id="{chapter_id}" data-part="{stop.accent}" data-minutes="{stop.minutes}"'
        if stop.docname:
            nodes.append(
                f'<a href="{escape(uri(stop.docname))}" {facts} data-page="{stop.docname}">'
                f"<title>{escape(stop.title)}（{duration(stop.minutes)}）</title>{inner}</a>"
            )
        else:
            nodes.append(f'<g class="unwritten" {facts}><title>{escape(stop.title)}（待写）</title>{inner}</g>')
    height = 2 * MARGIN + (layers - 1) * ROW + 24
    return Markup(
        f'<svg class="map" viewBox="0 0 {WIDTH} {height}" role="group" aria-label="先修关系图">'
        f'<g class="edges" aria-hidden="true">{"".join(edges)}</g>{"".join(nodes)}</svg>'
    )


def _wrapped(text: str, limit: float) -> list[str]:
    """`text` in one or two lines of at most about `limit` Han characters; a Latin letter counts for half."""
    limit = max(limit, 4.5)

    def width(piece: str) -> float:
        return sum(0.56 if char.isascii() else 1 for char in piece)

    if width(text) <= limit:
        return [text]
    cuts = [
        n
        for n in range(1, len(text))
        if not (text[n - 1].isascii() and text[n].isascii() and text[n - 1].isalnum() and text[n].isalnum())
        and text[n] not in "，、）与的"
    ]
    best = min(cuts, key=lambda n: abs(width(text[:n]) - width(text[n:])), default=len(text))
    return [line for line in (text[:best].strip(), text[best:].strip()) if line]


def legend(book: Book) -> list[tuple[int, str]]:
    """(accent, title) of every part that has chapters."""
    return [(n % ACCENTS + 1, part.title) for n, part in enumerate(book.plan.parts) if part.chapters]


@dataclass(frozen=True, slots=True)
class Route:
    """The way to one chapter."""

    goal: Stop
    way: tuple[Stop, ...]
    time: str


def routes(book: Book) -> list[Route]:
    """A route to every chapter that nothing else builds on and that is part of the plan's main line."""
    known, needs = stops(book), requirements(book)
    used = {need for above in needs.values() for need in above}
    goals = [
        stop for chapter_id, stop in known.items() if chapter_id not in used and not stop.elective and needs[chapter_id]
    ]
    result = []
    for goal in goals:
        way = tuple(known[chapter_id] for chapter_id in graph.route(needs, goal.id))
        result.append(Route(goal, way, duration(sum(stop.minutes for stop in way))))
    return result


def contents(book: Book, uri: Callable[[str], str]) -> dict:
    """All that the template of the first page shows besides its text."""
    return {"cover": cover(book), "chart": chart(book, uri), "legend": legend(book), "routes": routes(book)}
