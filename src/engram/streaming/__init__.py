"""Sessions, lanes, acknowledgements and recalls, independent of any transport.

All objects here are used on the event loop's thread only, except `Lanes` with its parts, `Mailbox` and `RecallBatches`.
The docstrings of these say which calls other threads may make.
"""
