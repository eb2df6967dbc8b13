"""What the broker knows besides records: topics and their configs."""
