// One more thread for work that somebody waits for, so that a large scan uses two cores where one is idle.
#pragma once

#include <cstddef>
#include <functional>

namespace engram {

// The worker that does a piece: 0 is the calling thread, 1 the second one.
using Piece = std::function<void(std::size_t piece, std::size_t worker)>;
inline constexpr std::size_t kWorkers = 2;

// Does the pieces below `count`, each once, in any order, and returns when all are done. The second thread takes some
// of them if it has nothing else to do and wakes up in time; the calling thread never waits for it to begin. What a
// piece throws, the call throws, once, and then some pieces may not have been done.
//
// There is one second thread for the whole process, made at the first call. Where it cannot be made, on a single core
// and in a forked child, the calling thread does everything.
void share_pieces(std::size_t count, const Piece& piece);

}  // namespace engram
