"""Around every request: the outermost middleware, the access log, the audit trail."""
