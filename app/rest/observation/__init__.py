"""What operators see of the proxy: counts and times by endpoint, and a line per request."""
