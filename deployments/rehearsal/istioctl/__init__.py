"""An istioctl with the manners of the real one: a client of any cluster, by its kubeconfig."""
