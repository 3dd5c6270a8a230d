// A part of the campaign: messages as clients send them, whole and damaged, are read without reading past their ends.
#pragma once

// Ends the process at the first broken guarantee.
void read_messages();
