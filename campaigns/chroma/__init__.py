"""Random programs that Engram and Chroma run side by side; whatever differs and is not named here is a fault.

Both answer exactly, because every search asks for more than there is. `NORMALISATIONS` says what is made equal before
the answers are compared, and where Chroma's documentation says that it is meant so.
"""
