"""Sparse inference on the CPU."""
