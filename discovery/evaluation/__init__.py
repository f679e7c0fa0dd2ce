"""Compare found intents and domains with true ones.

Follows TEXTOIR (Zhang et al., ACL 2021) and Vaze et al. (CVPR 2022).
In: true and found labels. Out: flat measures.
"""
