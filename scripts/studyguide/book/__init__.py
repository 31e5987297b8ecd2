"""A book: chapters, curriculum, table of contents, frozen outputs, checks."""
