"""Adapt stage I to the share of known utterances in a log.

Stage I is calibrated for as many known as unknown utterances. The share of a log is that of highest
likelihood (label shift: Saerens, Latinne and Decaestecker, Neural Computation 14, 2002).
Only a share above one half counts: where customers speak unlike the labels, their known utterances
look novel, and the estimate is too small (benchmarks/history.md, *Label shift*).
"""

from dataclasses import replace

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit

from advin.discovery.config import NoveltyConfig
from advin.discovery.encoding.texts import EmbeddedTexts
from advin.discovery.novelty.model import NoveltyModel


def adapted_to_log(model: NoveltyModel, log: EmbeddedTexts, config: NoveltyConfig) -> NoveltyModel:
    """Return stage I with raised log-odds of being known if most of a log is known.

    Scores and threshold stay the same.

    Args:
        model: calibrated on labeled utterances.
        log: utterances of the log; without any, the model stays the same.
        config: the largest share of the log that is taken for known; 0.5 or less: no adaptation.
    """
    if config.max_known_share <= 0.5 or not len(log):
        return model
    share = known_share(model.score(log).log_odds, config.max_known_share)
    slope, intercept = model.calibration
    return replace(model, calibration=np.array([slope, intercept + logit(max(0.5, share))]))


def known_share(log_odds: np.ndarray, largest: float) -> float:
    """Return the most likely share of known utterances.

    Args:
        log_odds: (n,) that an utterance is known, for a share of one half; n is at least 1.
        largest: largest share to return, above 0.5 and below 1. The smallest is 1 minus this.
    """
    known = expit(log_odds)

    def loss(share: float) -> float:
        return -float(np.log(share * known + (1 - share) * (1 - known)).sum())

    found = minimize_scalar(loss, bounds=(1 - largest, largest), method="bounded")
    return float(found.x)
