"""An embedded Kubernetes cluster: what the API server, its controllers and the kubelet do, without any node."""
