// The Python objects that own the raw vectors which an index uses where they lie.
#pragma once

#include <nanobind/nanobind.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "types.hpp"

namespace engram {

// Who uses it has the interpreter lock. The owners are in the order of their memory, so that those of a block that is
// given up are found without looking at the others.
class RawOwners {
 public:
  // Keeps the owner of the vectors that begin at `place`; `last` is the last generation that has a vector there.
  void keep(const void* place, nanobind::object owner, Generation last) {
    owners_.emplace(static_cast<const std::uint8_t*>(place), Owner{std::move(owner), last});
  }

  // Lets go of those whose vectors begin in the `nbytes` bytes from `begin` on. One stays that has a vector of a
  // generation after `moved`: it may be in use there.
  void let_go(const std::uint8_t* begin, std::size_t nbytes, Generation moved) {
    // The end of an object may run any Python code, so they end when the map is whole again.
    std::vector<nanobind::object> gone;
    auto owner = owners_.lower_bound(begin);
    while (owner != owners_.end() && owner->first < begin + nbytes) {
      if (owner->second.last > moved) {
        ++owner;
        continue;
      }
      gone.push_back(std::move(owner->second.object));
      owner = owners_.erase(owner);
    }
  }

 private:
  struct Owner {
    nanobind::object object;
    Generation last;
  };

  std::multimap<const std::uint8_t*, Owner> owners_;
};

}  // namespace engram
