"""Prepare texts before they get an id: strip markup, clean, and mask what varies.

In: a text as it stands in the log. Out: the utterance that every later stage reads.
"""
