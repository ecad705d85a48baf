// What kernel.h includes; included before an instruction set is switched on, so that what
// these files define is compiled without it.
#pragma once
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "conv.h"
