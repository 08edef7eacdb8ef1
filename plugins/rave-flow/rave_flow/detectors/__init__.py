"""Scans, beacons and new services among flows."""
