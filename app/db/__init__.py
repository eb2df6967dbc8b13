"""The metadata DB: what Kafka has no place for. SQLAlchemy 2 async; SQLite by default, PostgreSQL by URL."""
