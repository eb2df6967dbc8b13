"""Schema Registry: what a schema is, when two are the same, and when one may follow another. No I/O in here."""
