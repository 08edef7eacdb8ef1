"""The HTTP protocol: headers, queries, problems, proxies, tracing."""
