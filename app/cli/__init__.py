"""The `caudal` command: one module per noun or verb, imported only when it is called."""
