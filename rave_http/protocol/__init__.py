"""HTTP as it is written: headers, queries, problems, proxies, tracing."""
