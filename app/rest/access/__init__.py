"""Who may do what through the REST Proxy: users from a file, rules by operation, topic and group, denied by default."""
