"""Time and memory of a ticket's training step, drawing and file, against goals.

Nothing is imported here: the processes that measure memory need no mm* package.
"""
