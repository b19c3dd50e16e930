"""
A small Slack for tests and rehearsals: what any client of Slack's Web API and Socket Mode may judge.

It knows nothing of ours. It checks what Slack checks, and can be slow, fail, limit and repeat when
it is asked to. What it keeps is gone when it ends.
"""
