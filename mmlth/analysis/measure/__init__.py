"""What is evaluated of the trained networks, once, and kept beside them."""
