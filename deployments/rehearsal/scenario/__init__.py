"""What is rehearsed on: a cluster described in a few lines of YAML, and the objects that it means."""
