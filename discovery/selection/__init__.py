"""Choose the distance and the neighbor count, on held-out intents or by stability.

Follows ADVIN (arXiv 2006.01208) and stability-based selection (Lange et al., 2004).
In: training rows. Out: a distance, a radius and a neighbor count.
"""
