"""What may stand side by side: groups, families and statistics over seeds."""
