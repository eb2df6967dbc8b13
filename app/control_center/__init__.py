"""The Control Center: pages under /ui, server-rendered, live by htmx, whole without JavaScript."""
