"""Stage II: learn the space, decide which clusters are known, novel or junk, and assign utterances.

Follows ADVIN (Vedula et al., arXiv 2006.01208).
In: points in the learned space. Out: intent centroids with kinds, and the intent of each utterance.
"""
