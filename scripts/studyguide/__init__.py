"""Articles in, a tested and navigable book out."""
