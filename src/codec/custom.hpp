// codec/custom.hpp: where a type says that it has a form of its own. How: decode.hpp.
#pragma once

namespace weir::codec {

// What such a form reads from and writes into.
class Place;
class SchemaBook;
class Value;

/// Specialise to give a type a form of its own, in the header that defines the type; see decode.hpp.
template <class T>
struct Custom;

}  // namespace weir::codec
