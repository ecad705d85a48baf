"""From finished runs to the paper's tables and figures (the paper, 4.3 and 4.4); no retraining."""
