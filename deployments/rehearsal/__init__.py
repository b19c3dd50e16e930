"""A cluster that anyone can start, and the upgrade rehearsed on it."""
