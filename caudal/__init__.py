"""What programs import to work with Caudal: `caudal.testing` starts a broker for tests."""
