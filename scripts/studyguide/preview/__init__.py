"""Live preview: watch the book, rebuild what changed, reload the page."""
