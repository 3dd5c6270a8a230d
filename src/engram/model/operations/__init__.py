"""The operations of a server, described once for every transport: what is asked, what is answered, and the table."""
