"""The rehearsal as people see it: a headless Chromium presses the buttons of its Slack."""
