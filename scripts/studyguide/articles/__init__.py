"""Readers: every kind of article becomes the same `Article`."""
