"""Sessions, lanes, acknowledgements and recalls, without any transport: every skin of the server shares these objects.

Everything here lives on the event loop's thread except `Lanes`, with what it is made of, and `Mailbox`; they say which
calls other threads make.
"""
