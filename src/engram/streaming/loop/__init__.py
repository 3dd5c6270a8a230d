"""Delivery of results and notifications from other threads to the event loop."""
