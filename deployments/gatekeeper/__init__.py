"""
The gatekeeper: the one long-running process, by which people decide in Slack.

It keeps no state of its own. What is asked stands in the clusters' journals, what people answer in Prefect, and what
was said in Slack; so it may be killed at any moment, and several may run at once.
"""
