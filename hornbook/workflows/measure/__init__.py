"""How good and how fast a model or an index is: evaluation tasks, and rates of writing."""
