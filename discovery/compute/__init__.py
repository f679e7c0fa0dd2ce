"""Shared numerics: run tasks in parallel, pick a precision, and group rows by class.

In: callables, or (n, d) vectors with integer class labels.
Out: their results, or class means and nearest classes; the same bytes for any thread count.
"""
