"""Stage I: score how unlike all known intents an utterance is.

Follows relative Mahalanobis distance (arXiv 2106.09022) and ADVIN (arXiv 2006.01208).
In: labeled vectors. Out: a model of novelty scores, best known intents and their probabilities.
"""
