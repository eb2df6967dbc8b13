"""REST API v3: resources below `/v3/clusters`, each with kind, metadata and links; records as a stream."""
