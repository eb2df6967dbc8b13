"""What the broker tells Prometheus: names as Kafka's dashboards know them, rendered when somebody asks.

Names and text format (catalogue, exposition, process) know nothing of the broker's parts: the web process uses them.
"""
