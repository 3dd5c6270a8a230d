"""The vocabulary that all of Engram shares: what is observed, what is asked, and what is answered."""
