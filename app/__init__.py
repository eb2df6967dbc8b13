"""Everything of Caudal that speaks HTTP, and what it needs: REST Proxy, Control Center, their cluster access."""
