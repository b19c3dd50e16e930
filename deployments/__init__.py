"""Places to run: Prefect deployments and the manifests around them."""
