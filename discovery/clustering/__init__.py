"""Cluster vectors by exact average linkage, on one worker or in rounds, or by HDBSCAN.

Follows RAC (arXiv 2105.11653) and TeraHAC (arXiv 2308.03578).
In: (n, d) sums with weights. Out: a merge tree, or cluster labels.
"""
