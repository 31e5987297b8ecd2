"""Measuring builds: synthetic books of any size, and the tools that build them side by side."""
