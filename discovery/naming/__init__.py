"""Name intents and domains, and choose their keywords and exemplars.

Follows class-based TF-IDF (Grootendorst, arXiv 2203.05794).
In: a bounded sample of each intent's utterances. Out: names, keywords and exemplars.
"""
