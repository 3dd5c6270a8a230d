// Searches whose scans a second thread takes part in.
#pragma once

// Several threads search one index at the same time, and everything that passes is scanned. Each finds what a search
// on one thread finds. Prints what it did, and ends the process at the first difference.
void share_scans();
