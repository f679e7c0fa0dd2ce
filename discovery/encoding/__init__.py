"""Turn texts into vectors: sentence encoder, middle layer, lexical vectors, and views.

Follows Sentence-BERT (Reimers and Gurevych, arXiv 1908.10084) and Liu et al. (arXiv 1903.08855).
In: texts. Out: (n, d) unit vectors.
"""
