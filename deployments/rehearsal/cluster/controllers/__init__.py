"""
What makes the cluster do what its objects say: one module for each controller, and the kubelet.

They read the store, write through the Server like everybody else, and know nothing of HTTP.
"""
