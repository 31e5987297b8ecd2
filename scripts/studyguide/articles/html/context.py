"""What the parts of the HTML reader share while they read one page."""

from dataclasses import dataclass, field
from pathlib import Path

from studyguide.articles.article import KINDS, Loss
from studyguide.articles.html.dom import Element
from studyguide.articles.html.footnotes import Footnotes


@dataclass(slots=True)
class Context:
    """The page being read, and what was found and lost in it so far."""

    url: str = ""
    """The page's own address, to make others absolute."""
    typeset: bool = False
    """Whether a script of the page typesets TeX in its text."""
    folder: Path | None = None
    """Where the page lies, for its images; without it none is read."""
    root: Path | None = None
    """The folder that no image is read outside of; `folder` if not given."""
    notes: Footnotes = field(default_factory=Footnotes)
    anchors: dict[str, str] = field(default_factory=dict)
    """Ids of the page, and the key of the heading in whose section each stands: links lead there."""
    keys: dict[Element, str] = field(default_factory=dict)
    """The key of each heading."""
    found: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    losses: list[Loss] = field(default_factory=list)
    assets: dict[str, bytes] = field(default_factory=dict)

    def lose(self, element: Element, what: str) -> None:
        """Note that something of the page is not kept."""
        self.losses.append(Loss(element.sourceline or 1, what))
