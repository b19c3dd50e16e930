"""What is measured, and not tested: figures depend on the machine."""
