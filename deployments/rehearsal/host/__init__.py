"""The process that a rehearsal's cluster lives in. It ends with whoever started it."""
