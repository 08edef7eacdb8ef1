"""Results in a store: frames, signatures, caches of values and of files, leases, listings."""
