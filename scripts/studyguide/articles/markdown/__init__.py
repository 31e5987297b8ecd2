"""Reading Markdown posts: CommonMark and GFM with front matter, in the dialects that blogs are written in."""

from studyguide.articles.markdown.reader import read_markdown

__all__ = ["read_markdown"]
