"""Stage III: link intents into domains.

Follows ADVIN (arXiv 2006.01208) with CSLS (Conneau et al., arXiv 1710.04087).
In: intent centroids and known domains. Out: the domain of each intent.
"""
