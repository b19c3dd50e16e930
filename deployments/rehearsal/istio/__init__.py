"""What an Istio does, as the objects in the cluster say, whoever wrote them."""
