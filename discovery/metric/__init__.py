"""Train the metric head, a small network that pulls utterances of one intent together.

Follows SupCon (arXiv 2004.11362) and MTP-CLNN (Zhang et al., ACL 2022).
In: (n, d) vectors, partly labeled. Out: a head that maps vectors into the learned space.
"""
