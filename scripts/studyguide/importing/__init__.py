"""Importing: articles are placed in the curriculum and written as chapters, once."""
