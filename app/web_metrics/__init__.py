"""What the web process tells Prometheus, at `/metrics` of the main port."""
