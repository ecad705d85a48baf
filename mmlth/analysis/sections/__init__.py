"""One analysis a module: from runs to sections of the report."""
