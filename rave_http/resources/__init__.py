"""What each kind of URL answers."""
