"""HTML inside Markdown, read by the reader of HTML pages."""

from collections.abc import Sequence

from markdown_it.token import Token

from studyguide.articles.assets import Assets
from studyguide.articles.html import read_fragment


class Fragments:
    """Reads pieces of HTML of one post; their images join the post's, their losses are kept."""

    def __init__(self, assets: Assets):
        self.assets = assets
        self.losses: list[str] = []

    def read(self, html: str) -> Sequence[Token]:
        """The tokens of a piece of HTML, which may open or close elements of other pieces."""
        tokens, context = read_fragment(html, typeset=True, folder=self.assets.folder)
        self.losses += [loss.what for loss in context.losses]
        names = {name: self.assets.add(data, name.rpartition(".")[0]) for name, data in context.assets.items()}
        for token in tokens:
            for child in token.children or ():
                if child.type == "image":
                    child.attrs["src"] = names.get(str(child.attrs["src"]), child.attrs["src"])
        return tokens
