"""A corpus as users ask for it: curated, encoded, with its card."""
