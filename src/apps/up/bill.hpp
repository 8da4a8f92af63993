// apps/up/bill.hpp: a job's bill as a person reads it.
#pragma once

#include "codec/value.hpp"

namespace weir::up {

/// Prints the answer of GET /v1/jobs/{job}/bill: each line's card-seconds, price and payer, then who paid what.
void print_bill(const codec::Value& bill);

}  // namespace weir::up
