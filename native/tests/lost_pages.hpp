// A part of the campaign: files are truncated while threads read their mappings.
#pragma once

#include <string>

// Uses files whose names begin with `path`. Ends the process at the first broken guarantee.
void lose_pages(const std::string& path);
