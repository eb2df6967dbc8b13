"""Who may connect and who may do what: logins, TLS, ACLs and quotas, without sockets."""
