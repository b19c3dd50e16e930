"""The Kubernetes API as HTTP: an ASGI application over the in-process server."""
