"""A whole Schema Registry as a folder of files, and back: for git, for moves. Reaches any registry by its HTTP API."""
