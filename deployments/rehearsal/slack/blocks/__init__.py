"""What Slack's Block Kit allows, for messages and for modals."""
