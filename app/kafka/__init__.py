"""The only code of the web process that talks to a Kafka cluster."""
