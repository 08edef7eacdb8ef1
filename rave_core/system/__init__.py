"""What the operating system says: processes of this host, owners and modes of files."""
