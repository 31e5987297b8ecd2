"""Pages of any generator or platform: bytes of HTML to an `Article`."""

from studyguide.articles.html.reader import read_fragment, read_html

__all__ = ["read_fragment", "read_html"]
