"""The chain of rounds: train, prune, rewind, again; and what it writes and reports."""
