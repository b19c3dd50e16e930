"""What people read in Slack, as Block Kit. Pure: values in, values out."""
