"""Tells utterances that carry no request, such as greetings and bare answers, from requests.

`grammar.py` matches phrases of several languages, `phrases/` holds them, and `learned.py`
generalizes from them by the encoder's vectors. `rule.py` combines both: start there.
"""
