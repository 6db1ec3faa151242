"""What is served over HTTP: the Prometheus metrics."""
