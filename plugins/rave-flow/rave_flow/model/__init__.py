"""What a flow is: columns, addresses, windows of time."""
