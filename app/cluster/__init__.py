"""Questions about a cluster, answered in the field's own terms; nothing here knows of the web."""
