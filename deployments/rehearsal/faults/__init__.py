"""What goes wrong on purpose: named on the command line, and brought about through three hooks."""
