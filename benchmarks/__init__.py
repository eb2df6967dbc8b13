"""One script per claim; each prints a table with the ratio to a named peer that ran in the same minutes."""
