"""From weights to a mask: what a weight is worth, and how sparsity is spread over layers."""
