// A part of the campaign: files are cut short while threads read what is mapped of them.
#pragma once

#include <string>

// Uses files whose names begin with `path`; ends the process at the first broken promise.
void lose_pages(const std::string& path);
