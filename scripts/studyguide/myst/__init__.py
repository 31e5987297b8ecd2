"""The writer: an `Article` becomes MyST Markdown."""
