"""What was run: finished lotteries, their settings and names."""
